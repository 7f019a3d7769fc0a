//! Ways to sign in that compute something: from credentials and a request to header values.
//!
//! Main functions: [`sigv4::sign`], [`digest::answer`], [`oauth2::TokenCache`]. What a canary
//! writes is rendered before it comes here; who may receive it was checked before, too.

pub(super) mod digest;
pub(super) mod oauth2;
pub(super) mod sigv4;
