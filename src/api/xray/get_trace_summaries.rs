use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::INVALID_REQUEST;
use super::reading::{self, Read};
use super::shapes::NamedService;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::wire::Instant;
use crate::query::trace::{AnnotationValue, Http, RootCause, ServiceId, TraceFacts};
use crate::telemetry::TraceId;
use crate::time::{TimeRange, Timestamp};

const PAGE: usize = 100;
/// A partial scan looks at so many traces, the newest.
const PARTIAL_SCAN_MAX: usize = 1000;
const HOURS_MAX: u32 = 24;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    start_time: Instant,
    end_time: Instant,
    #[serde(default)]
    time_range_type: TimeRangeType,
    #[serde(default)]
    sampling: bool,
    sampling_strategy: Option<SamplingStrategy>,
    filter_expression: Option<String>,
    next_token: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
enum TimeRangeType {
    #[default]
    TraceId,
    Event,
    Service,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SamplingStrategy {
    name: Option<StrategyName>,
    value: Option<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum StrategyName {
    PartialScan,
    FixedRate,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    trace_summaries: Vec<Summary>,
    approximate_time: Instant,
    traces_processed_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    id: String,
    start_time: Instant,
    duration: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_time: Option<f64>,
    has_fault: bool,
    has_error: bool,
    has_throttle: bool,
    is_partial: bool,
    http: HttpShape,
    annotations: BTreeMap<String, Vec<Annotation>>,
    users: Vec<User>,
    service_ids: Vec<NamedService>,
    #[serde(rename = "ResourceARNs")]
    resource_arns: Vec<Resource>,
    instance_ids: Vec<Instance>,
    availability_zones: Vec<Zone>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_point: Option<NamedService>,
    fault_root_causes: Vec<RootCause>,
    error_root_causes: Vec<RootCause>,
    response_time_root_causes: Vec<RootCause>,
    revision: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched_event_time: Option<Instant>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HttpShape {
    #[serde(rename = "HttpURL", skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(rename = "HttpStatus", skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(rename = "HttpMethod", skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ip: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Annotation {
    annotation_value: Value,
    service_ids: Vec<NamedService>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
enum Value {
    #[serde(rename = "StringValue")]
    Text(String),
    #[serde(rename = "NumberValue")]
    Number(f64),
    #[serde(rename = "BooleanValue")]
    Boolean(bool),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct User {
    user_name: String,
    service_ids: Vec<NamedService>,
}

#[derive(Debug, Serialize)]
struct Resource {
    #[serde(rename = "ARN")]
    arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Instance {
    id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Zone {
    name: String,
}

/// Source: X-Ray API Reference, GetTraceSummaries: newest first, `[StartTime, EndTime)`.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let range = reading::range(input.start_time.0, input.end_time.0, HOURS_MAX)?;
    let filter = reading::filter(&call, input.filter_expression.as_deref()).await?;
    let rate = rate(&input)?;
    let after: Option<(i64, TraceId)> =
        page::open("GetTraceSummaries", input.next_token.as_deref())
            .map_err(|_token| INVALID_REQUEST.because("Invalid NextToken."))?;
    let mut candidates = reading::near(&call, range).await?;
    candidates.retain(|read| in_range(read, input.time_range_type, range));
    if let Rate::Newest = rate {
        candidates.truncate(PARTIAL_SCAN_MAX);
    }
    let mut trace_summaries = Vec::new();
    let (mut processed, mut next_token) = (0, None);
    let rest = candidates.iter().filter(|read| after.is_none_or(|after| read.place() < after));
    let mut last = None;
    for read in rest {
        if trace_summaries.len() == PAGE {
            next_token = last.map(|place| page::seal("GetTraceSummaries", &place));
            break;
        }
        last = Some(read.place());
        processed += 1;
        if rate.takes(read.trace.id) && filter.matches(&read.trace, &read.facts) {
            trace_summaries.push(summary(read, input.time_range_type, range));
        }
    }
    let approximate_time = call.now().into();
    let traces_processed_count = processed;
    Ok(Output { trace_summaries, approximate_time, traces_processed_count, next_token })
}

/// Which of the traces are looked at.
#[derive(Clone, Copy)]
enum Rate {
    All,
    Newest,
    Fixed(f64),
}

impl Rate {
    /// The same trace is always taken or always left out.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
    fn takes(self, id: TraceId) -> bool {
        match self {
            Self::All | Self::Newest => true,
            Self::Fixed(rate) => {
                let hash = xxhash_rust::xxh3::xxh3_64(id.as_bytes());
                ((hash >> 12) as f64 / (1_u64 << 52) as f64) < rate
            }
        }
    }
}

fn rate(input: &Input) -> Answer<Rate> {
    let strategy = input.sampling_strategy.as_ref();
    let name = strategy.and_then(|strategy| strategy.name).unwrap_or(StrategyName::PartialScan);
    let value = strategy.and_then(|strategy| strategy.value);
    if value.is_some_and(|value| !(0.0..=1.0).contains(&value)) {
        return Err(INVALID_REQUEST.because("SamplingStrategy.Value must be between 0 and 1."));
    }
    match (input.sampling, name, value) {
        (false, ..) => Ok(Rate::All),
        (true, StrategyName::PartialScan, _) => Ok(Rate::Newest),
        (true, StrategyName::FixedRate, Some(value)) => Ok(Rate::Fixed(value)),
        (true, StrategyName::FixedRate, None) => {
            Err(INVALID_REQUEST.because("SamplingStrategy.Value is required for FixedRate."))
        }
    }
}

fn in_range(read: &Read, kind: TimeRangeType, range: TimeRange) -> bool {
    match kind {
        TimeRangeType::TraceId => range.contains(read.id_time()),
        TimeRangeType::Event => read.is_active_in(range),
        TimeRangeType::Service => read.ends_in(range),
    }
}

fn summary(read: &Read, kind: TimeRangeType, range: TimeRange) -> Summary {
    let facts = &read.facts;
    let causes = read.trace.root_causes();
    let matched = match kind {
        TimeRangeType::Event => read.event_in(range),
        TimeRangeType::TraceId | TimeRangeType::Service => None,
    };
    Summary {
        id: read.trace.id.to_string(),
        start_time: Timestamp::from_secs_f64(facts.start).into(),
        duration: facts.duration,
        response_time: facts.response_time,
        has_fault: facts.has_fault,
        has_error: facts.has_error,
        has_throttle: facts.has_throttle,
        is_partial: facts.is_partial,
        http: http(&facts.http),
        annotations: annotations(facts),
        users: users(facts),
        service_ids: facts.services.iter().map(NamedService::from).collect(),
        resource_arns: facts.resource_arns.iter().cloned().map(|arn| Resource { arn }).collect(),
        instance_ids: facts.instance_ids.iter().cloned().map(|id| Instance { id }).collect(),
        availability_zones: zones(facts),
        entry_point: facts.entry_point.as_ref().map(NamedService::from),
        fault_root_causes: causes.fault,
        error_root_causes: causes.error,
        response_time_root_causes: causes.response_time,
        revision: read.documents,
        matched_event_time: matched.map(Instant::from),
    }
}

fn http(http: &Http) -> HttpShape {
    HttpShape {
        url: http.url.clone(),
        status: http.status,
        method: http.method.clone(),
        user_agent: http.user_agent.clone(),
        client_ip: http.client_ip.clone(),
    }
}

fn zones(facts: &TraceFacts) -> Vec<Zone> {
    facts.availability_zones.iter().cloned().map(|name| Zone { name }).collect()
}

/// Each value of a key once, with every node that set it.
fn annotations(facts: &TraceFacts) -> BTreeMap<String, Vec<Annotation>> {
    let mut found: BTreeMap<String, Vec<Annotation>> = BTreeMap::new();
    for (key, value, service) in &facts.annotations {
        let annotation_value = match value {
            AnnotationValue::Text(text) => Value::Text(text.clone()),
            AnnotationValue::Number(number) => Value::Number(*number),
            AnnotationValue::Boolean(boolean) => Value::Boolean(*boolean),
        };
        let values = found.entry(key.clone()).or_default();
        match values.iter_mut().find(|known| known.annotation_value == annotation_value) {
            Some(known) => add(&mut known.service_ids, service),
            None => values.push(Annotation { annotation_value, service_ids: vec![service.into()] }),
        }
    }
    found
}

fn users(facts: &TraceFacts) -> Vec<User> {
    let mut found: Vec<User> = Vec::new();
    for (name, service) in &facts.users {
        match found.iter_mut().find(|user| user.user_name == *name) {
            Some(user) => add(&mut user.service_ids, service),
            None => {
                found.push(User { user_name: name.clone(), service_ids: vec![service.into()] });
            }
        }
    }
    found
}

fn add(services: &mut Vec<NamedService>, service: &ServiceId) {
    let service = NamedService::from(service);
    if !services.contains(&service) {
        services.push(service);
    }
}
