//! Tags of what can be tagged: groups keep theirs with their settings, others by ARN.

use std::collections::BTreeMap;

use super::fault::NOT_FOUND;
use super::{anomaly_detector, destination, group};
use crate::api::call::{Answer, Call};
use crate::monitor::kind;
use crate::store::ResourceChanges;

/// Tags of destinations and detectors, by ARN.
pub(super) const KIND: &str = "log-tags";

/// Tags by key.
pub(super) type Tags = BTreeMap<String, String>;

/// What an ARN names.
#[derive(Debug)]
pub(super) enum Tagged {
    /// A group.
    Group(std::sync::Arc<str>),
    /// Something else that exists, by its ARN.
    Other(String),
}

impl Tagged {
    /// What of the caller's scope an ARN names.
    ///
    /// Errors: `ResourceNotFoundException` when it is not there.
    pub(super) async fn find(call: &Call, arn: &str) -> Answer<Self> {
        let missing = || NOT_FOUND.because("The specified resource does not exist.");
        let named = |start: String| arn.strip_prefix(start.as_str());
        if let Some(name) = named(destination::arn(call.scope(), "")) {
            let found = call.one::<serde_json::Value>(kind::LOG_DESTINATION, name).await?;
            return found.map(|_| Self::Other(arn.to_owned())).ok_or_else(missing);
        }
        if let Some(id) = named(anomaly_detector::arn(call.scope(), "")) {
            let found = call.one::<serde_json::Value>(anomaly_detector::KIND, id).await?;
            return found.map(|_| Self::Other(arn.to_owned())).ok_or_else(missing);
        }
        let name = group::by_identifier(call, arn)?;
        group::existing(call, &name)?;
        Ok(Self::Group(name))
    }

    /// Its tags.
    pub(super) async fn tags(&self, call: &Call) -> Answer<Tags> {
        match self {
            Self::Group(name) => Ok(group::settings(call, name).await?.tags),
            Self::Other(arn) => Ok(call.one(KIND, arn).await?.unwrap_or_default()),
        }
    }

    /// Sets all its tags.
    pub(super) async fn set(&self, call: &Call, tags: Tags) -> Answer<()> {
        group::check_tags(&tags)?;
        match self {
            Self::Group(name) => {
                let mut settings = group::settings(call, name).await?;
                settings.tags = tags;
                group::put_settings(call, name, &settings).await
            }
            Self::Other(arn) => {
                Ok(call.apply(ResourceChanges::new().put(KIND, arn, &tags)?).await?)
            }
        }
    }
}
