//! Data protection policies of CloudWatch Logs: which parts of a text are shown as asterisks.
//!
//! Main type: [`Mask`], read once from a policy document. It masks texts and knows neither groups
//! nor who may see the text as it is.
//!
//! Differs: managed identifiers that need more than a form to be told (names, addresses, licences)
//! are refused by name; credit card numbers are held to their check digit.

use std::borrow::Cow;
use std::collections::BTreeSet;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

/// Source: CloudWatch Logs User Guide, "Custom data identifier constraints".
const CUSTOM_MAX: usize = 10;
const CUSTOM_REGEX_MAX: usize = 200;
const DOCUMENT_CHARACTERS_MAX: usize = 30_720;
const MANAGED_PREFIX: &str = "arn:aws:dataprotection::aws:data-identifier/";

/// Why a document is no data protection policy.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MaskFault {
    /// Longer than a policy may be.
    #[error("a policy has at most {DOCUMENT_CHARACTERS_MAX} characters")]
    TooLong,
    /// No JSON, or another shape.
    #[error("the policy is not of its form: {0}")]
    Form(Box<str>),
    /// A rule about statements is broken.
    #[error("{0}")]
    Statement(&'static str),
    /// An identifier that is unknown, or known and not supported.
    #[error("data identifier '{0}' is not supported here")]
    Identifier(Box<str>),
    /// A custom identifier is broken.
    #[error("custom data identifier '{0}' has no regular expression of at most 200 characters")]
    Custom(Box<str>),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    name: String,
    #[serde(default)]
    configuration: Configuration,
    statement: Vec<Statement>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Configuration {
    custom_data_identifier: Vec<CustomIdentifier>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CustomIdentifier {
    name: String,
    regex: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    data_identifier: Vec<String>,
    operation: Operation,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Operation {
    audit: Option<Value>,
    deidentify: Option<Deidentify>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Deidentify {
    mask_config: Option<Value>,
}

/// What a policy masks.
#[derive(Clone, Debug)]
pub struct Mask {
    identifiers: Vec<Identifier>,
}

#[derive(Clone, Debug)]
struct Identifier {
    /// What its first group matches is masked, or all of the match when it has none.
    regex: Regex,
    check: Check,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    None,
    Luhn,
}

impl Mask {
    /// Reads a policy document.
    ///
    /// Source: CloudWatch Logs User Guide, "Understanding data protection policies".
    pub fn parse(document: &str) -> Result<Self, MaskFault> {
        if document.chars().count() > DOCUMENT_CHARACTERS_MAX {
            return Err(MaskFault::TooLong);
        }
        let document: Document = serde_json::from_str(document)
            .map_err(|fault| MaskFault::Form(fault.to_string().into()))?;
        if document.name.is_empty() {
            return Err(MaskFault::Statement("the policy has no name"));
        }
        let custom = &document.configuration.custom_data_identifier;
        if custom.len() > CUSTOM_MAX {
            return Err(MaskFault::Statement("a policy has at most 10 custom data identifiers"));
        }
        let names = masked_names(&document.statement)?;
        let identifiers = names.into_iter().map(|name| identifier(name, custom));
        Ok(Self { identifiers: identifiers.collect::<Result<_, _>>()? })
    }

    /// The text with each character that a policy covers shown as `*`.
    pub fn apply<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut ranges = Vec::new();
        for identifier in &self.identifiers {
            for found in identifier.regex.captures_iter(text) {
                let Some(part) = found.get(1).or_else(|| found.get(0)) else { continue };
                if identifier.check == Check::None || passes_luhn(part.as_str()) {
                    ranges.push(part.range());
                }
            }
        }
        if ranges.is_empty() {
            return Cow::Borrowed(text);
        }
        let is_masked = |at: usize| ranges.iter().any(|range| range.contains(&at));
        let shown = text.char_indices().map(|(at, own)| if is_masked(at) { '*' } else { own });
        Cow::Owned(shown.collect())
    }
}

/// One statement audits, one masks, and both name the same identifiers.
fn masked_names(statements: &[Statement]) -> Result<BTreeSet<&str>, MaskFault> {
    let [one, other] = statements else {
        return Err(MaskFault::Statement(
            "a policy has two statements, one that audits and one that masks",
        ));
    };
    let names = |statement: &'_ Statement| -> BTreeSet<String> {
        statement.data_identifier.iter().cloned().collect()
    };
    let audits = |statement: &Statement| statement.operation.audit.is_some();
    let masks = |statement: &Statement| {
        let config = statement.operation.deidentify.as_ref().and_then(|d| d.mask_config.as_ref());
        config.and_then(Value::as_object).is_some_and(serde_json::Map::is_empty)
    };
    if !(audits(one) && masks(other) || audits(other) && masks(one)) {
        return Err(MaskFault::Statement(
            "one statement has the operation Audit, the other Deidentify with an empty MaskConfig",
        ));
    }
    if names(one) != names(other) || one.data_identifier.is_empty() {
        return Err(MaskFault::Statement("both statements name the same data identifiers"));
    }
    Ok(one.data_identifier.iter().map(String::as_str).collect())
}

fn identifier(name: &str, custom: &[CustomIdentifier]) -> Result<Identifier, MaskFault> {
    if let Some(own) = custom.iter().find(|custom| custom.name == name) {
        let fault = || MaskFault::Custom(name.into());
        if own.regex.is_empty() || own.regex.chars().count() > CUSTOM_REGEX_MAX {
            return Err(fault());
        }
        let regex = Regex::new(&own.regex).map_err(|_fault| fault())?;
        return Ok(Identifier { regex, check: Check::None });
    }
    let managed = name.strip_prefix(MANAGED_PREFIX).and_then(managed);
    let (regex, check) = managed.ok_or_else(|| MaskFault::Identifier(name.into()))?;
    let regex = Regex::new(regex).map_err(|_fault| MaskFault::Identifier(name.into()))?;
    Ok(Identifier { regex, check })
}

/// Forms of managed identifiers.
///
/// Source: CloudWatch Logs User Guide, "Types of data that you can protect".
fn managed(name: &str) -> Option<(&'static str, Check)> {
    let private_key = |regex| Some((regex, Check::None));
    match name {
        "EmailAddress" => Some((
            r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
            Check::None,
        )),
        "IpAddress" => Some((
            r"(?x)\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b
              | \b(?:[A-Fa-f0-9]{1,4}:){7}[A-Fa-f0-9]{1,4}\b
              | \b(?:[A-Fa-f0-9]{1,4}:){1,6}(?::[A-Fa-f0-9]{1,4}){1,6}\b",
            Check::None,
        )),
        "CreditCardNumber" => Some((r"\b\d(?:[ -]?\d){12,18}\b", Check::Luhn)),
        "AwsSecretKey" => {
            Some((r#"(?i)secret[^\r\n]{0,40}?[ :="']([A-Za-z0-9/+]{40})\b"#, Check::None))
        }
        "OpenSshPrivateKey" => private_key(
            r"(?s)-----BEGIN OPENSSH PRIVATE KEY-----.*?-----END OPENSSH PRIVATE KEY-----",
        ),
        "PgpPrivateKey" => private_key(
            r"(?s)-----BEGIN PGP PRIVATE KEY BLOCK-----.*?-----END PGP PRIVATE KEY BLOCK-----",
        ),
        "PkcsPrivateKey" => private_key(
            r"(?s)-----BEGIN (?:RSA |EC |ENCRYPTED )?PRIVATE KEY-----.*?PRIVATE KEY-----",
        ),
        "PhoneNumber-US" => {
            Some((r"(?:\+1[ .-]?)?(?:\(\d{3}\) ?|\b\d{3}[ .-])\d{3}[ .-]\d{4}\b", Check::None))
        }
        "Ssn-US" => Some((r"\b\d{3}-\d{2}-\d{4}\b", Check::None)),
        _ => None,
    }
}

fn passes_luhn(text: &str) -> bool {
    let digits = text.chars().rev().filter_map(|digit| digit.to_digit(10)).enumerate();
    let sum = digits.map(|(at, digit)| match (at % 2, digit * 2) {
        (0, _) => digit,
        (_, double) if double > 9 => double - 9,
        (_, double) => double,
    });
    sum.sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(identifiers: &str, configuration: &str) -> String {
        format!(
            r#"{{"Name": "p", "Version": "2021-06-01", "Configuration": {configuration},
            "Statement": [
            {{"Sid": "a", "DataIdentifier": [{identifiers}],
              "Operation": {{"Audit": {{"FindingsDestination": {{}}}}}}}},
            {{"Sid": "r", "DataIdentifier": [{identifiers}],
              "Operation": {{"Deidentify": {{"MaskConfig": {{}}}}}}}}]}}"#
        )
    }

    fn managed_policy(name: &str) -> String {
        policy(&format!(r#""{MANAGED_PREFIX}{name}""#), "{}")
    }

    #[test]
    fn each_character_of_a_match_is_an_asterisk() {
        for (name, text, shown) in [
            ("EmailAddress", "to ann@example.com.", "to ***************."),
            ("IpAddress", "from 10.0.0.255 and 10.0.0.256", "from ********** and 10.0.0.256"),
            ("CreditCardNumber", "card 4111 1111 1111 1111", "card *******************"),
            ("CreditCardNumber", "card 4111 1111 1111 1112", "card 4111 1111 1111 1112"),
            ("Ssn-US", "ssn 078-05-1120", "ssn ***********"),
            ("PhoneNumber-US", "call (425) 555-0100", "call **************"),
        ] {
            let mask = Mask::parse(&managed_policy(name)).expect(name);
            assert_eq!(mask.apply(text), shown, "{name}");
        }
        let key = "k".repeat(40);
        let mask = Mask::parse(&managed_policy("AwsSecretKey")).unwrap();
        let shown = mask.apply(&format!("aws_secret_access_key = {key} x")).into_owned();
        assert_eq!(shown, format!("aws_secret_access_key = {} x", "*".repeat(40)));
    }

    #[test]
    fn a_custom_identifier_is_a_regular_expression() {
        let custom = r#"{"CustomDataIdentifier": [{"Name": "Emp", "Regex": "E-\\d{4}"}]}"#;
        let mask = Mask::parse(&policy(r#""Emp""#, custom)).unwrap();
        assert_eq!(mask.apply("by E-1234, ünï"), "by ******, ünï");
        assert_eq!(mask.apply("nobody"), "nobody");
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        let fault = |document: &str| Mask::parse(document).unwrap_err();
        assert!(matches!(fault("{"), MaskFault::Form(_)));
        assert!(matches!(fault(&managed_policy("Name")), MaskFault::Identifier(_)));
        assert!(matches!(fault(r#"{"Name": "p", "Statement": []}"#), MaskFault::Statement(_)));
        let one = managed_policy("EmailAddress").replacen("EmailAddress", "IpAddress", 1);
        assert!(matches!(fault(&one), MaskFault::Statement(_)));
        let broken = r#"{"CustomDataIdentifier": [{"Name": "Emp", "Regex": "("}]}"#;
        assert!(matches!(fault(&policy(r#""Emp""#, broken)), MaskFault::Custom(_)));
    }
}
