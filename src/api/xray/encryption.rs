use serde::{Deserialize, Serialize};

use super::INVALID_REQUEST;
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::store::ResourceChanges;

const KIND: &str = "xray-encryption";
const NAME: &str = "config";

#[derive(Debug, Deserialize)]
pub(super) struct GetInput {}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    key_id: Option<String>,
    #[serde(rename = "Type")]
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Kind {
    #[default]
    None,
    Kms,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(rename = "Type")]
    kind: Kind,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    encryption_config: Described,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    status: &'static str,
    #[serde(flatten)]
    config: Config,
}

/// Source: X-Ray API Reference, GetEncryptionConfig.
pub(super) async fn get(call: Call, _input: GetInput) -> Answer<Output> {
    let kept = call.state().store.resources().get(call.scope(), KIND, NAME).await?;
    Ok(described(kept.unwrap_or_default()))
}

/// Source: X-Ray API Reference, PutEncryptionConfig.
/// Differs: keys live elsewhere and are taken on trust; what is kept here is protected by the
/// machine it is on. It takes effect at once, so that the status is never `UPDATING`.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<Output> {
    let config = Config { key_id: input.key_id, kind: input.kind };
    match (&config.key_id, config.kind) {
        (None, Kind::Kms) => {
            return Err(INVALID_REQUEST.because("KeyId is required for type KMS"));
        }
        (Some(_), Kind::None) => {
            return Err(INVALID_REQUEST.because("KeyId must not be given for type NONE"));
        }
        (Some(key), Kind::Kms) => {
            Constraints::new().length("KeyId", key, 1, 3000).done(INVALID_REQUEST)?;
        }
        (None, Kind::None) => {}
    }
    call.apply(ResourceChanges::new().put(KIND, NAME, &config)?).await?;
    Ok(described(config))
}

const fn described(config: Config) -> Output {
    Output { encryption_config: Described { status: "ACTIVE", config } }
}
