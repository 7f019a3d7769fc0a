use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::INVALID_PARAMETER_VALUE;
use crate::api::call::{Answer, Call};
use crate::api::fault::VALIDATION;
use crate::api::page;
use crate::api::service::Constraints;
use crate::store::MetricFilter;
use crate::telemetry::MetricId;

/// Source: ListMetrics: up to 500 results a call.
const PAGE: usize = 500;
/// How long a metric without new data is listed.
const LISTED_FOR: Duration = Duration::from_secs(14 * 24 * 3600);
/// AWS may include metrics that were active up to 50 minutes before the three hours.
const RECENTLY: Duration = Duration::from_secs(3 * 3600 + 50 * 60);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    namespace: Option<Arc<str>>,
    metric_name: Option<Arc<str>>,
    #[serde(default)]
    dimensions: Vec<DimensionFilter>,
    recently_active: Option<Recently>,
    include_linked_accounts: Option<bool>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DimensionFilter {
    name: Arc<str>,
    value: Option<Arc<str>>,
}

#[derive(Debug, Deserialize)]
enum Recently {
    #[serde(rename = "PT3H")]
    ThreeHours,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    metrics: Vec<MetricId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owning_accounts: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: CloudWatch API Reference, ListMetrics.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new().count("dimensions", input.dimensions.len(), 0, 10).done(VALIDATION)?;
    let after: Option<MetricId> =
        page::open("ListMetrics", input.next_token.as_deref()).map_err(|_token| {
            INVALID_PARAMETER_VALUE.because("Request parameter NextToken is invalid")
        })?;
    let window = match input.recently_active {
        Some(Recently::ThreeHours) => RECENTLY,
        None => LISTED_FOR,
    };
    let filter = MetricFilter {
        namespace: input.namespace,
        metric_name: input.metric_name,
        dimensions: input
            .dimensions
            .into_iter()
            .map(|filter| (filter.name, filter.value))
            .collect(),
        active_since: Some(call.now().minus(window)),
    };
    let store = &call.state().store;
    let mut metrics = store.metrics().list(call.scope(), &filter, after.as_ref(), PAGE + 1);
    let next_token = page::cut(&mut metrics, PAGE).map(|last| page::seal("ListMetrics", last));
    let owning_accounts = input
        .include_linked_accounts
        .unwrap_or(false)
        .then(|| vec![call.scope().account.to_string(); metrics.len()]);
    Ok(Output { metrics, owning_accounts, next_token })
}
