use std::collections::BTreeMap;
use std::fmt;

use crate::telemetry::AccountId;
use crate::time::Timestamp;

/// A secret access key. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(String);

impl SecretKey {
    /// Takes the secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What one access key id stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The account it belongs to; never taken from a request.
    pub account: AccountId,
    /// The secret.
    pub secret: SecretKey,
    /// The token that every request of a session must show.
    pub session_token: Option<SecretKey>,
    /// When the session ends.
    pub expires: Option<Timestamp>,
}

/// The access keys that this server knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials(BTreeMap<String, Credential>);

impl Credentials {
    /// No keys.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a key, over one of the same id.
    pub fn insert(&mut self, access_key_id: impl Into<String>, credential: Credential) {
        self.0.insert(access_key_id.into(), credential);
    }

    /// What `access_key_id` stands for.
    pub fn get(&self, access_key_id: &str) -> Option<&Credential> {
        self.0.get(access_key_id)
    }
}
