use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::query::log_metric::{
    MetricFilter, MetricFilterFault, MetricTransformation, SystemField,
};
use crate::time::Timestamp;

/// A metric filter as it is kept, under the name of its group and its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricFilterRow {
    /// Which events it looks at.
    pub pattern: String,
    /// What they become.
    pub transformation: MetricTransformation,
    /// When it was put last.
    pub created: Timestamp,
    /// What the service adds as dimensions.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub system_dimensions: BTreeSet<SystemField>,
}

impl MetricFilterRow {
    /// The filter, ready to look at events.
    ///
    /// Errors: whatever PutMetricFilter refuses.
    pub fn compile(&self) -> Result<MetricFilter, MetricFilterFault> {
        let (transformation, system) = (self.transformation.clone(), &self.system_dimensions);
        MetricFilter::new(&self.pattern, transformation, system.clone())
    }
}

/// A subscription filter as it is kept, under the name of its group and its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubscriptionRow {
    /// Which events are delivered.
    pub pattern: String,
    /// Where to.
    pub destination_arn: String,
    /// In whose name; kept as given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// How records are spread over the shards of a stream.
    #[serde(default)]
    pub distribution: Distribution,
    /// When it was put last.
    pub created: Timestamp,
    /// What the service adds to each event.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub system_fields: BTreeSet<SystemField>,
}

/// How records are spread over the shards of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Distribution {
    /// By a key of their own each.
    Random,
    /// By the stream they come from.
    #[default]
    ByLogStream,
}

/// A data protection policy as it is kept: of a group under the group's name, of an account as
/// part of an account policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataProtectionRow {
    /// The policy, as it was given.
    pub document: String,
    /// Since when there has been one: what was taken before is shown as it is.
    pub since: Timestamp,
    /// When it was put last.
    pub updated: Timestamp,
}

/// A logical destination as it is kept, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DestinationRow {
    /// Where what comes goes.
    pub target_arn: String,
    /// In whose name; kept as given.
    pub role_arn: String,
    /// Who may subscribe to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_policy: Option<String>,
    /// When it was made.
    pub created: Timestamp,
}

/// A policy of an account as it is kept, under the name of its kind and its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountPolicyRow {
    /// The policy, as it was given.
    pub document: String,
    /// Which groups it is for, as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<String>,
    /// Since when there has been one of this name.
    pub since: Timestamp,
    /// When it was put last.
    pub updated: Timestamp,
}

/// What is matched events' way to a destination: stored with them, deleted once it is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogDeliveryRow {
    /// Where to.
    pub destination_arn: String,
    /// The key that tells shards apart.
    pub partition_key: String,
    /// The compressed payload, in base64.
    pub data: String,
    /// When the events were taken.
    pub created: Timestamp,
}

/// The name under which a filter of a group is kept; neither of the two can hold a colon.
pub fn filter_name(group: &str, filter: &str) -> String {
    format!("{group}:{filter}")
}

/// What the names of all filters of a group start with.
pub fn filter_prefix(group: &str) -> String {
    format!("{group}:")
}

/// The name of the resource that a group's data protection policy is kept under.
pub fn protection_name(group: &str) -> String {
    filter_name(group, "policy")
}
