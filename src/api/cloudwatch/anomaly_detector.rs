//! Anomaly detectors of metrics: kept and described. None is trained here, and their state says so.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::{
    INVALID_NEXT_TOKEN, INVALID_PARAMETER_COMBINATION, INVALID_PARAMETER_VALUE, MISSING_PARAMETER,
    RESOURCE_NOT_FOUND_EXCEPTION,
};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::fault::VALIDATION;
use crate::api::page;
use crate::api::service::{Constraints, Empty};
use crate::query::statistic::Statistic;
use crate::store::ResourceChanges;
use crate::telemetry::Dimensions;
use crate::time::Timestamp;

/// Detectors by id.
const KIND: &str = "metric-anomaly-detector";
/// Source: CloudWatch quotas.
const DETECTORS_MAX: usize = 500;

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    single: Option<SingleMetric>,
    math: Option<Value>,
    configuration: Option<Value>,
    characteristics: Option<Value>,
    updated: Timestamp,
}

/// A metric and a statistic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SingleMetric {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    namespace: Option<String>,
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Dimensions,
    stat: Option<String>,
}

/// Which detector: by its id, or by what it looks at in either of two spellings.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    anomaly_detector_id: Option<String>,
    namespace: Option<String>,
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Dimensions,
    stat: Option<String>,
    single_metric_anomaly_detector: Option<SingleMetric>,
    metric_math_anomaly_detector: Option<Value>,
    configuration: Option<Value>,
    metric_characteristics: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutOutput {
    anomaly_detector_id: String,
}

/// Source: CloudWatch API Reference, PutAnomalyDetector.
pub(super) async fn put(call: Call, input: Input) -> Answer<PutOutput> {
    let watched = Watched::of(&input)?;
    let id = watched.id();
    let before = call.one::<Row>(KIND, &id).await?;
    if before.is_none() && call.all::<Value>(KIND, "").await?.len() >= DETECTORS_MAX {
        return Err(crate::api::fault::LIMIT_EXCEEDED
            .because(format!("More than {DETECTORS_MAX} anomaly detectors exist.")));
    }
    let (single, math) = match watched {
        Watched::Single(single) => (Some(single), None),
        Watched::Math(math) => (None, Some(math)),
    };
    let row = Row {
        single,
        math,
        configuration: input.configuration,
        characteristics: input.metric_characteristics,
        updated: call.now(),
    };
    call.apply(ResourceChanges::new().put(KIND, &id, &row)?).await?;
    Ok(PutOutput { anomaly_detector_id: id })
}

/// Source: CloudWatch API Reference, DeleteAnomalyDetector.
pub(super) async fn delete(call: Call, input: Input) -> Answer<Empty> {
    let id = match &input.anomaly_detector_id {
        Some(id) => id.clone(),
        None => Watched::of(&input)?.id(),
    };
    if call.one::<Value>(KIND, &id).await?.is_none() {
        return Err(RESOURCE_NOT_FOUND_EXCEPTION
            .because("The anomaly detector does not exist.")
            .with("ResourceType", "AnomalyDetector")
            .with("ResourceId", id));
    }
    call.apply(ResourceChanges::new().delete(KIND, &id)).await?;
    Ok(Empty {})
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DescribeInput {
    anomaly_detector_ids: Vec<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Dimensions>,
    anomaly_detector_types: Vec<DetectorType>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum DetectorType {
    SingleMetric,
    MetricMath,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeOutput {
    anomaly_detectors: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    anomaly_detector_id: String,
    /// COMPAT: the older spelling beside the newer one.
    #[serde(flatten)]
    legacy: Option<SingleMetric>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_characteristics: Option<Value>,
    state_value: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    single_metric_anomaly_detector: Option<SingleMetric>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_math_anomaly_detector: Option<Value>,
}

/// Source: CloudWatch API Reference, DescribeAnomalyDetectors: of single metrics unless asked
/// otherwise.
pub(super) async fn describe(call: Call, input: DescribeInput) -> Answer<DescribeOutput> {
    Constraints::new()
        .range("maxResults", input.max_results, 1, i64::MAX)
        .count("anomalyDetectorIds", input.anomaly_detector_ids.len(), 0, 50)
        .done(VALIDATION)?;
    let mut found = call.all::<Row>(KIND, "").await?;
    found.retain(|(id, row)| input.takes(id, row));
    let asked = (input.next_token.as_deref(), page::size(input.max_results, 50));
    let (found, next_token) =
        page::of("DescribeAnomalyDetectors", found, |row| row.0.clone(), asked)
            .map_err(|_| INVALID_NEXT_TOKEN.because("Request parameter NextToken is invalid"))?;
    let described = |(id, row): (String, Row)| Described {
        anomaly_detector_id: id,
        legacy: row.single.clone().map(|single| SingleMetric { account_id: None, ..single }),
        configuration: row.configuration,
        metric_characteristics: row.characteristics,
        // Never further than this: nothing is trained.
        state_value: "PENDING_TRAINING",
        single_metric_anomaly_detector: row.single,
        metric_math_anomaly_detector: row.math,
    };
    Ok(DescribeOutput { anomaly_detectors: found.into_iter().map(described).collect(), next_token })
}

impl DescribeInput {
    fn takes(&self, id: &String, row: &Row) -> bool {
        if !self.anomaly_detector_ids.is_empty() {
            return self.anomaly_detector_ids.contains(id);
        }
        let kind = match row.single {
            Some(_) => DetectorType::SingleMetric,
            None => DetectorType::MetricMath,
        };
        let is_of_type = match self.anomaly_detector_types.as_slice() {
            [] => kind == DetectorType::SingleMetric,
            types => types.contains(&kind),
        };
        let same = |asked: &Option<String>, own: Option<&String>| {
            asked.as_ref().is_none_or(|asked| Some(asked) == own)
        };
        let single = row.single.as_ref();
        is_of_type
            && same(&self.namespace, single.and_then(|s| s.namespace.as_ref()))
            && same(&self.metric_name, single.and_then(|s| s.metric_name.as_ref()))
            && self.dimensions.as_ref().is_none_or(|d| single.is_some_and(|s| s.dimensions == *d))
    }
}

enum Watched {
    Single(SingleMetric),
    Math(Value),
}

impl Watched {
    fn of(input: &Input) -> Answer<Self> {
        let legacy = input.namespace.is_some()
            || input.metric_name.is_some()
            || input.stat.is_some()
            || !input.dimensions.is_empty();
        let single = &input.single_metric_anomaly_detector;
        let math = &input.metric_math_anomaly_detector;
        let ways = [legacy, single.is_some(), math.is_some()];
        match ways.iter().filter(|way| **way).count() {
            0 => {
                return Err(MISSING_PARAMETER.because(
                    "Either SingleMetricAnomalyDetector or MetricMathAnomalyDetector is required.",
                ));
            }
            1 => {}
            _ => {
                return Err(INVALID_PARAMETER_COMBINATION.because(
                    "SingleMetricAnomalyDetector, MetricMathAnomalyDetector and the members of a \
                     metric are mutually exclusive.",
                ));
            }
        }
        if let Some(math) = math {
            return math_of(math);
        }
        let single = single.clone().unwrap_or_else(|| SingleMetric {
            account_id: None,
            namespace: input.namespace.clone(),
            metric_name: input.metric_name.clone(),
            dimensions: input.dimensions.clone(),
            stat: input.stat.clone(),
        });
        let members = [
            ("Namespace", &single.namespace),
            ("MetricName", &single.metric_name),
            ("Stat", &single.stat),
        ];
        if let Some((name, _)) = members.iter().find(|(_, value)| value.is_none()) {
            let why = format!("The parameter {name} is required.");
            return Err(MISSING_PARAMETER.because(why));
        }
        let stat = single.stat.as_deref().unwrap_or_default();
        if stat.parse::<Statistic>().is_err() {
            let why = format!("The value {stat} for parameter Stat is not supported.");
            return Err(INVALID_PARAMETER_VALUE.because(why));
        }
        Ok(Self::Single(single))
    }

    /// The same watched thing has the same id.
    fn id(&self) -> String {
        let text = match self {
            Self::Single(single) => serde_json::to_string(single),
            Self::Math(math) => serde_json::to_string(math),
        };
        let hash = blake3::hash(text.unwrap_or_default().as_bytes());
        let head = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        uuid::Uuid::from_bytes(head).to_string()
    }
}

fn math_of(math: &Value) -> Answer<Watched> {
    let refused = |why: &str| -> ApiError { INVALID_PARAMETER_VALUE.because(why) };
    let queries = math.get("MetricDataQueries").and_then(Value::as_array);
    let queries = queries.filter(|queries| !queries.is_empty());
    let queries = queries.ok_or_else(|| refused("MetricDataQueries is required."))?;
    let returns =
        |query: &&Value| query.get("ReturnData").is_none_or(|given| given.as_bool() != Some(false));
    if queries.iter().filter(returns).count() != 1 {
        return Err(refused("Exactly one of the MetricDataQueries must return data."));
    }
    Ok(Watched::Math(math.clone()))
}
