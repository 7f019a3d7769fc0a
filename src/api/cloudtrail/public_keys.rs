use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::fault::{INVALID_TIME_RANGE, INVALID_TOKEN, refused};
use super::trail::handle;
use crate::api::call::{Answer, Call};
use crate::api::wire::Instant;
use crate::monitor::TrailError;
use crate::time::Timestamp;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    start_time: Option<Instant>,
    end_time: Option<Instant>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    public_key_list: Vec<PublicKey>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PublicKey {
    /// DER of PKCS #1.
    value: String,
    validity_start_time: Instant,
    validity_end_time: Instant,
    fingerprint: String,
}

/// Source: CloudTrail API Reference, ListPublicKeys.
/// Differs: there is one key, which stays valid.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    const YEARS_100: i64 = 100 * 365 * 86_400;
    if input.next_token.is_some() {
        return Err(INVALID_TOKEN.because("The NextToken is not valid."));
    }
    if input.start_time.zip(input.end_time).is_some_and(|(start, end)| start > end) {
        return Err(INVALID_TIME_RANGE.because("The start time must not be after the end time."));
    }
    let account = call.scope().account.as_str();
    let told = |error: TrailError| refused(error, ("", account));
    let mut public_key_list = Vec::new();
    for key in handle(&call).keys(call.scope()).await.map_err(told)? {
        let (value, fingerprint) = key.public().map_err(|error| told(error.into()))?;
        let end = Timestamp::from_secs(key.created.as_secs().saturating_add(YEARS_100));
        public_key_list.push(PublicKey {
            value: STANDARD.encode(value),
            validity_start_time: Instant(key.created),
            validity_end_time: Instant(end),
            fingerprint,
        });
    }
    Ok(Output { public_key_list })
}
