//! HTTP Digest.
//!
//! Source: RFC 7616.

use md5::Md5;
use sha2::{Digest, Sha256};

/// A challenge that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    has_qop_auth: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Algorithm {
    Md5,
    Md5Session,
    Sha256,
    Sha256Session,
}

/// Who signs in.
#[derive(Clone, Copy)]
pub(crate) struct Credentials<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) method: &'a str,
    /// Path and query, as in the request line.
    pub(crate) uri: &'a str,
}

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        [
            ("MD5", Self::Md5),
            ("MD5-sess", Self::Md5Session),
            ("SHA-256", Self::Sha256),
            ("SHA-256-sess", Self::Sha256Session),
        ]
        .into_iter()
        .find_map(|(known, algorithm)| known.eq_ignore_ascii_case(name).then_some(algorithm))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Session => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Session => "SHA-256-sess",
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 | Self::Md5Session => hex::encode(Md5::digest(text)),
            Self::Sha256 | Self::Sha256Session => hex::encode(Sha256::digest(text)),
        }
    }
}

impl Challenge {
    /// The strongest challenge among the values of an answer's `WWW-Authenticate` headers.
    pub(crate) fn strongest<'h>(headers: impl Iterator<Item = &'h str>) -> Option<Self> {
        headers.flat_map(challenges).max_by_key(|challenge| challenge.algorithm)
    }

    fn of(parameters: &[(String, String)]) -> Option<Self> {
        let get = |wanted: &str| {
            let found = parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.clone())
        };
        let qop = get("qop");
        let offers_auth =
            |qop: &String| qop.split(',').any(|word| word.trim().eq_ignore_ascii_case("auth"));
        if qop.as_ref().is_some_and(|qop| !offers_auth(qop)) {
            return None;
        }
        Some(Self {
            realm: get("realm")?,
            nonce: get("nonce")?,
            opaque: get("opaque"),
            algorithm: Algorithm::named(&get("algorithm").unwrap_or_else(|| "MD5".to_owned()))?,
            has_qop_auth: qop.is_some(),
        })
    }
}

/// The value of the `Authorization` header that answers a challenge.
pub(crate) fn answer(
    challenge: &Challenge,
    credentials: Credentials<'_>,
    target: Target<'_>,
    client_nonce: &str,
) -> String {
    let Challenge { realm, nonce, opaque, algorithm, has_qop_auth } = challenge;
    let (user, password) = (credentials.user, credentials.password);
    let mut secret = algorithm.hash(&format!("{user}:{realm}:{password}"));
    if matches!(algorithm, Algorithm::Md5Session | Algorithm::Sha256Session) {
        secret = algorithm.hash(&format!("{secret}:{nonce}:{client_nonce}"));
    }
    let asked = algorithm.hash(&format!("{}:{}", target.method, target.uri));
    let response = if *has_qop_auth {
        algorithm.hash(&format!("{secret}:{nonce}:00000001:{client_nonce}:auth:{asked}"))
    } else {
        algorithm.hash(&format!("{secret}:{nonce}:{asked}"))
    };
    let mut header = format!(
        "Digest {}, {}, {}, {}, algorithm={}, {}",
        quoted("username", user),
        quoted("realm", realm),
        quoted("nonce", nonce),
        quoted("uri", target.uri),
        algorithm.name(),
        quoted("response", &response),
    );
    if *has_qop_auth {
        header.push_str(", qop=auth, nc=00000001, ");
        header.push_str(&quoted("cnonce", client_nonce));
    }
    if let Some(opaque) = opaque {
        header.push_str(", ");
        header.push_str(&quoted("opaque", opaque));
    }
    header
}

fn quoted(name: &str, value: &str) -> String {
    format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Every Digest challenge of one header value.
fn challenges(header: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut parameters = Vec::new();
    let mut is_digest = false;
    for item in split_outside_quotes(header) {
        let item = item.trim();
        // A new scheme stands before the first of its parameters: `Digest realm="x"`.
        let (scheme, rest) = match item.split_once(' ') {
            Some((word, rest)) if !word.contains('=') => (Some(word), rest.trim()),
            _ if !item.contains('=') => (Some(item), ""),
            _ => (None, item),
        };
        if let Some(scheme) = scheme {
            if is_digest {
                found.extend(Challenge::of(&parameters));
            }
            parameters.clear();
            is_digest = scheme.eq_ignore_ascii_case("Digest");
        }
        if let Some((name, value)) = rest.split_once('=') {
            parameters.push((name.trim().to_owned(), unquoted(value.trim())));
        }
    }
    if is_digest {
        found.extend(Challenge::of(&parameters));
    }
    found
}

fn split_outside_quotes(text: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    text.split(move |character: char| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match character {
            '\\' if is_quoted && !was_escaped => is_escaped = true,
            '"' if !was_escaped => is_quoted = !is_quoted,
            ',' => return !is_quoted,
            _ => {}
        }
        false
    })
    .collect()
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        text.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC: &str = concat!(
        r#"Basic realm="simple", Digest realm="http-auth@example.org", qop="auth, auth-int", "#,
        r#"algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "#,
        r#"opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", "#,
        r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, "#,
        r#"nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "#,
        r#"opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#,
    );

    fn response(challenge: &Challenge) -> String {
        let credentials = Credentials { user: "Mufasa", password: "Circle of Life" };
        let target = Target { method: "GET", uri: "/dir/index.html" };
        let nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let header = answer(challenge, credentials, target, nonce);
        header.split("response=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    #[test]
    fn the_examples_of_rfc_7616_are_answered() {
        let both = challenges(RFC);
        assert_eq!(both.len(), 2);
        assert_eq!(
            both.iter().map(response).collect::<Vec<_>>(),
            [
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
                "8ca523f5e9506fed4657c9700eebdbec"
            ]
        );
        let strongest = Challenge::strongest([RFC].into_iter()).unwrap();
        assert_eq!(strongest.algorithm, Algorithm::Sha256);
    }

    #[test]
    fn quotes_and_commas_inside_quotes_do_not_end_a_parameter() {
        let challenge = &challenges(r#"Digest realm="a, \"b\" = c", nonce=x"#)[0];
        assert_eq!(challenge.realm, r#"a, "b" = c"#);
        assert_eq!((challenge.algorithm, challenge.has_qop_auth), (Algorithm::Md5, false));
    }

    #[test]
    fn challenges_that_cannot_be_answered_are_passed_over() {
        for header in [
            "Basic realm=x",
            "Digest realm=x",
            "Digest realm=x, nonce=y, algorithm=SHA-512-256",
            "Digest realm=x, nonce=y, qop=\"auth-int\"",
            "",
            ",,=,",
        ] {
            assert_eq!(challenges(header), [], "{header}");
        }
    }
}
