use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A 12-digit AWS account id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(Arc<str>);

/// A text that is no account id.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("an account id is 12 digits")]
pub struct AccountIdError;

impl AccountId {
    /// The account of callers that name none.
    pub const DEFAULT: &str = "123456789012";

    /// The account called `text`.
    pub fn new(text: &str) -> Result<Self, AccountIdError> {
        let valid = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        if valid { Ok(Self(text.into())) } else { Err(AccountIdError) }
    }

    /// The 12 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for AccountId {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl TryFrom<String> for AccountId {
    type Error = AccountIdError;

    fn try_from(text: String) -> Result<Self, AccountIdError> {
        Self::new(&text)
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An AWS region name; any name is a region of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Region(Arc<str>);

impl Region {
    /// The region of callers that name none.
    pub const DEFAULT: &str = "us-east-1";

    /// The region called `name`.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition that ARNs of this region start with.
    ///
    /// Source: AWS General Reference, "Amazon Resource Names", partitions.
    pub fn partition(&self) -> &'static str {
        match self.as_str() {
            name if name.starts_with("cn-") => "aws-cn",
            name if name.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }
}

impl Default for Region {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account in a region: the first part of every key. Scopes share nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

impl Scope {
    /// `arn:<partition>:<service>:<region>:<account>:<resource>`.
    pub fn arn(&self, service: &str, resource: impl fmt::Display) -> String {
        let (partition, region) = (self.region.partition(), &self.region);
        format!("arn:{partition}:{service}:{region}:{}:{resource}", self.account)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_twelve_digits() {
        assert!(AccountId::new("000000000000").is_ok());
        for text in ["", "12345678901", "1234567890123", "12345678901x", "１２３４"] {
            assert_eq!(AccountId::new(text), Err(AccountIdError), "{text}");
        }
    }

    #[test]
    fn an_arn_carries_the_partition_of_its_region() {
        let scope = Scope { region: Region::new("cn-north-1"), ..Scope::default() };
        let arn = scope.arn("synthetics", "canary:shop");
        assert_eq!(arn, "arn:aws-cn:synthetics:cn-north-1:123456789012:canary:shop");
    }
}
