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

/// The name under which a filter of a group is kept; neither of the two can hold a colon.
pub fn filter_name(group: &str, filter: &str) -> String {
    format!("{group}:{filter}")
}

/// What the names of all filters of a group start with.
pub fn filter_prefix(group: &str) -> String {
    format!("{group}:")
}
