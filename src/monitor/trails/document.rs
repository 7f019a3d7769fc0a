use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::insights::InsightType;
use super::selector::Selectors;
use crate::telemetry::{AuditRecord, Region, Scope};
use crate::time::Timestamp;

/// What a trail is made with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrailSettings {
    /// The bucket that files go to.
    pub bucket: String,
    /// What their keys begin with.
    pub key_prefix: Option<String>,
    /// Kept as it was given; nothing is published.
    pub topic: Option<String>,
    /// Whether calls of services without a region are taken.
    pub global_service_events: bool,
    /// Whether calls of every region of the account are taken.
    pub is_multi_region: bool,
    /// Whether digests are made.
    pub validates_files: bool,
    /// The log group that records go to as well.
    pub log_group_arn: Option<String>,
    /// Taken on trust.
    pub log_role_arn: Option<String>,
    /// Taken on trust: nothing is encrypted with it here.
    pub kms_key: Option<String>,
}

/// A trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trail {
    /// Its name.
    pub name: Arc<str>,
    /// What it was made with.
    pub settings: TrailSettings,
    /// Which records it takes.
    #[serde(default)]
    pub selectors: Selectors,
    /// Which rates of calls it wants to know unusual ones of.
    #[serde(default)]
    pub insights: Vec<InsightType>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// How far it has come.
    #[serde(default)]
    pub state: TrailState,
}

/// How far a trail has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrailState {
    /// Whether it takes records.
    pub is_logging: bool,
    /// When it last began to.
    pub started: Option<Timestamp>,
    /// When it last ceased to.
    pub stopped: Option<Timestamp>,
    /// Records before this are delivered.
    pub delivered_until: Option<Timestamp>,
    /// When a file was last put.
    pub last_delivery: Option<Timestamp>,
    /// When a digest was last put.
    pub last_digest: Option<Timestamp>,
    /// When records were last written to the log group.
    pub last_log_delivery: Option<Timestamp>,
    /// Why the last delivery failed, where it did.
    pub delivery_error: Option<String>,
    /// Why records could not be written to the log group.
    pub log_error: Option<String>,
    /// What the next digest of each region tells.
    #[serde(default)]
    pub regions: BTreeMap<Region, Chain>,
}

/// A region's chain of digests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    /// Where the next digest begins.
    pub(super) begins: Option<Timestamp>,
    /// The files put since the last digest.
    pub(super) files: Vec<LogFile>,
    /// The last digest; none at the start of a chain.
    pub(super) previous: Option<PreviousDigest>,
}

/// A file that was put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LogFile {
    pub(super) bucket: String,
    pub(super) key: String,
    /// SHA-256 of what is in it, uncompressed.
    pub(super) hash: String,
    pub(super) oldest: Timestamp,
    pub(super) newest: Timestamp,
}

/// The digest before the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PreviousDigest {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) hash: String,
    pub(super) signature: String,
}

impl Trail {
    /// The ARN of a trail whose home is `home`.
    pub fn arn(&self, home: &Scope) -> String {
        home.arn("cloudtrail", format_args!("trail/{}", self.name))
    }

    /// Whether it takes records of a scope, from its home on.
    pub(super) fn covers(&self, home: &Scope, scope: &Scope) -> bool {
        home == scope || (self.settings.is_multi_region && home.account == scope.account)
    }

    /// Whether a record is delivered by it.
    pub(super) fn takes(&self, record: &AuditRecord) -> bool {
        self.selectors.take(record)
    }

    /// The regions that it takes records of, of those where calls were made.
    pub(super) fn regions(&self, home: &Scope, called: &BTreeSet<Region>) -> BTreeSet<Region> {
        let mut regions = BTreeSet::from([home.region.clone()]);
        if self.settings.is_multi_region {
            regions.extend(called.iter().cloned());
            regions.extend(self.state.regions.keys().cloned());
        }
        regions
    }
}
