//! Who calls: signatures, and what anonymous callers must show.
//!
//! Main functions: [`Signature::of`] reads a SigV4 signature, [`Signature::verify`] checks it,
//! [`check_local`] refuses what a web page or a rebound name could send to an anonymous server.
//! What a caller may do once known is not decided here: there are no policies.

mod credentials;
mod local;
mod sigv4;
#[cfg(test)]
mod vectors;

pub use credentials::{Credential, Credentials, SecretKey};
pub(super) use local::check_local;
pub(super) use sigv4::{Signature, Signed};

use crate::telemetry::{AccountId, Scope};

/// Who makes a call, and in which account and region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Caller {
    /// The account and region that the call works in.
    pub(super) scope: Scope,
    /// The key that the call is signed with.
    pub(super) access_key_id: Option<String>,
}

/// The account that an unverified key id stands for.
///
/// Twelve digits are an account of their own; every other key is the default account, so that a
/// test suite gets separate accounts by choosing key ids.
pub(super) fn anonymous_account(access_key_id: &str) -> AccountId {
    AccountId::new(access_key_id).unwrap_or_default()
}
