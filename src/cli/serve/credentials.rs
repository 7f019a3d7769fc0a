use std::path::Path;

use crate::api::{Credential, Credentials, SecretKey};
use crate::cli::ExitStatus;
use crate::cli::fatal::Fatal;
use crate::telemetry::AccountId;

/// Reads access keys from a file in the form of `~/.aws/credentials`:
///
/// ```text
/// [shop]
/// aws_access_key_id = AKIAIOSFODNN7EXAMPLE
/// aws_secret_access_key = ...
/// aws_account_id = 123456789012        ; the default account unless given
/// ```
///
/// Source: AWS CLI User Guide, "Configuration and credential file settings".
pub(super) fn read(path: &Path) -> Result<Credentials, Fatal> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Fatal::new(ExitStatus::Usage, format!("cannot read {shown}")).because(&error)
    })?;
    parse(&text)
        .map_err(|(line, fault)| Fatal::new(ExitStatus::Usage, format!("{shown}:{line}: {fault}")))
}

#[derive(Default)]
struct Profile<'a> {
    line: usize,
    id: Option<&'a str>,
    secret: Option<&'a str>,
    token: Option<&'a str>,
    account: Option<&'a str>,
}

fn parse(text: &str) -> Result<Credentials, (usize, &'static str)> {
    let mut credentials = Credentials::none();
    let mut profile = Profile::default();
    for (at, line) in text.lines().enumerate() {
        let line = line.split(['#', ';']).next().unwrap_or("").trim();
        if line.starts_with('[') {
            std::mem::take(&mut profile).keep(&mut credentials)?;
            profile.line = at + 1;
        } else if let Some((key, value)) = line.split_once('=') {
            let slot = match key.trim() {
                "aws_access_key_id" => &mut profile.id,
                "aws_secret_access_key" => &mut profile.secret,
                "aws_session_token" => &mut profile.token,
                "aws_account_id" => &mut profile.account,
                _ => return Err((at + 1, "not a key of a profile with access keys")),
            };
            *slot = Some(value.trim());
        } else if !line.is_empty() {
            return Err((at + 1, "expected `key = value`"));
        }
    }
    profile.keep(&mut credentials)?;
    Ok(credentials)
}

impl Profile<'_> {
    fn keep(self, credentials: &mut Credentials) -> Result<(), (usize, &'static str)> {
        let (id, secret) = match (self.id, self.secret) {
            (Some(id), Some(secret)) => (id, secret),
            (None, None) => return Ok(()),
            _ => return Err((self.line, "an id and its secret belong together")),
        };
        let account = match self.account {
            Some(text) => {
                AccountId::new(text).map_err(|_| (self.line, "an account is 12 digits"))?
            }
            None => AccountId::default(),
        };
        let session_token = self.token.map(SecretKey::new);
        let secret = SecretKey::new(secret);
        credentials.insert(id, Credential { account, secret, session_token, expires: None });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_become_keys_and_faults_name_their_line() {
        let text = "# two keys\n[a]\naws_access_key_id = A1\naws_secret_access_key=s=1\n\n[b]\n\
                    aws_access_key_id=B1\naws_secret_access_key=s2\naws_account_id=000000000001\n";
        let keys = parse(text).unwrap();
        assert_eq!(keys.get("A1").map(|key| key.secret.clone()), Some(SecretKey::new("s=1")));
        assert_eq!(keys.get("B1").map(|key| key.account.to_string()), Some("000000000001".into()));
        assert_eq!(parse("[a]\nregion = x\n").unwrap_err().0, 2);
        assert_eq!(parse("[a]\naws_access_key_id = A1\n").unwrap_err().0, 1);
        assert_eq!(parse("[a]\nnonsense\n").unwrap_err().0, 2);
    }
}
