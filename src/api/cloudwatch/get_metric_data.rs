use std::collections::HashSet;
use std::sync::Arc;

use chrono::FixedOffset;
use serde::{Deserialize, Serialize};

use super::labels::{self, Labelled};
use super::math::{Found, Plan};
use crate::api::call::{Answer, Call};
use crate::api::fault::VALIDATION;
use crate::api::page;
use crate::api::service::Constraints;
use crate::api::wire::Instant;
use crate::telemetry::{MetricId, StandardUnit};
use crate::time::Timestamp;

const QUERIES_MAX: usize = 500;
const POINTS_MAX: usize = 100_800;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    metric_data_queries: Vec<Query>,
    start_time: Instant,
    end_time: Instant,
    next_token: Option<String>,
    #[serde(default)]
    scan_by: ScanBy,
    max_datapoints: Option<i64>,
    label_options: Option<LabelOptions>,
}

/// One query of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Query {
    pub(super) id: String,
    pub(super) metric_stat: Option<MetricStat>,
    pub(super) expression: Option<String>,
    pub(super) label: Option<String>,
    pub(super) return_data: Option<bool>,
    pub(super) period: Option<i64>,
    account_id: Option<String>,
}

impl Query {
    /// A statistic of a metric, as others than callers ask for it.
    pub(super) fn of_metric(
        id: String,
        ((namespace, name), dimensions): ((&str, &str), Vec<(&str, &str)>),
        (stat, period): (&str, i64),
    ) -> Self {
        let metric = Metric {
            namespace: namespace.into(),
            metric_name: name.into(),
            dimensions: crate::telemetry::Dimensions::of(dimensions),
        };
        let stat = MetricStat { metric, period, stat: stat.to_owned(), unit: None };
        Self { metric_stat: Some(stat), ..Self::empty(id) }
    }

    /// An expression, as others than callers ask for it.
    pub(super) fn of_expression(id: String, expression: &str, period: i64) -> Self {
        let expression = Some(expression.to_owned());
        Self { expression, period: Some(period), ..Self::empty(id) }
    }

    fn empty(id: String) -> Self {
        Self {
            id,
            metric_stat: None,
            expression: None,
            label: None,
            return_data: None,
            period: None,
            account_id: None,
        }
    }
}

/// One statistic of one metric.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MetricStat {
    pub(super) metric: Metric,
    pub(super) period: i64,
    pub(super) stat: String,
    pub(super) unit: Option<StandardUnit>,
}

/// A metric as a caller names it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Metric {
    namespace: Arc<str>,
    metric_name: Arc<str>,
    #[serde(default)]
    dimensions: crate::telemetry::Dimensions,
}

impl Metric {
    /// The metric's identity.
    pub(super) fn id(&self) -> MetricId {
        MetricId {
            namespace: Arc::clone(&self.namespace),
            metric_name: Arc::clone(&self.metric_name),
            dimensions: self.dimensions.clone(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum ScanBy {
    #[default]
    TimestampDescending,
    TimestampAscending,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LabelOptions {
    timezone: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    metric_data_results: Vec<QueryResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    messages: Vec<Message>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct QueryResult {
    id: String,
    label: String,
    timestamps: Vec<Instant>,
    values: Vec<f64>,
    status_code: StatusCode,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Message>,
}

#[derive(Clone, Copy, Debug, Serialize)]
enum StatusCode {
    Complete,
    PartialData,
}

/// Something to know about a result.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Message {
    pub(super) code: &'static str,
    pub(super) value: String,
}

/// Source: CloudWatch API Reference, GetMetricData; messages as recorded.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    let zone = check(&input, &call)?;
    let plan = Plan::of(&input.metric_data_queries)?;
    let span = (input.start_time.0, input.end_time.0);
    let found = plan.read(&call, &input.metric_data_queries, span).await?;
    let mut results = Vec::new();
    for Found { query, series, messages } in found {
        for (plain, series) in series {
            let label = label(&call, query, (&plain, &series.points), zone);
            let mut points = series.points;
            if input.scan_by == ScanBy::TimestampDescending {
                points.reverse();
            }
            results.push(QueryResult {
                id: query.id.clone(),
                label,
                timestamps: points.iter().map(|(at, _)| Instant(*at)).collect(),
                values: points.into_iter().map(|(_, value)| value).collect(),
                status_code: StatusCode::Complete,
                messages: messages.clone(),
            });
        }
    }
    let offset = page::open("GetMetricData", input.next_token.as_deref()).map_err(|_token| {
        super::fault::INVALID_NEXT_TOKEN.because("Request parameter NextToken is invalid")
    })?;
    // Source: GetMetricData, `NextToken`: not used with metric math.
    let paged = input.metric_data_queries.iter().all(|query| query.expression.is_none());
    let most = input.max_datapoints.and_then(|most| usize::try_from(most).ok());
    let most = if paged { most.unwrap_or(POINTS_MAX) } else { usize::MAX };
    let next = cut(&mut results, offset.unwrap_or(0), most);
    let next_token = next.map(|next| page::seal("GetMetricData", &next));
    Ok(Output { metric_data_results: results, next_token, messages: Vec::new() })
}

fn check(input: &Input, call: &Call) -> Answer<FixedOffset> {
    let queries = &input.metric_data_queries;
    let most = i64::try_from(POINTS_MAX).unwrap_or(i64::MAX);
    Constraints::new()
        .count("metricDataQueries", queries.len(), 1, QUERIES_MAX)
        .range("maxDatapoints", input.max_datapoints, 1, most)
        .done(VALIDATION)?;
    let (start, end) = (input.start_time.0, input.end_time.0);
    if start > end {
        let why = "The parameter EndTime must be greater than StartTime.";
        return Err(VALIDATION.because(why));
    }
    if start == end {
        let why = "The parameter StartTime must not equal parameter EndTime.";
        return Err(VALIDATION.because(why));
    }
    let mut ids = HashSet::new();
    for (index, query) in queries.iter().enumerate() {
        let member = format!("MetricDataQueries.member.{}", index + 1);
        let id = &query.id;
        if !is_id(id) {
            return Err(VALIDATION.because(format!(
                "The value {id} for parameter {member}.Id is not matching the expected pattern \
                 ^[a-z][a-zA-Z0-9_]*$"
            )));
        }
        if !ids.insert(id) {
            let why =
                format!("The values for parameter id in MetricDataQueries are not unique: {id}");
            return Err(VALIDATION.because(why));
        }
        match (&query.metric_stat, &query.expression) {
            (Some(_), None) | (None, Some(_)) => {}
            (Some(_), Some(_)) => {
                return Err(VALIDATION.because(format!(
                    "The parameters {member}.Expression and {member}.MetricStat are mutually \
                     exclusive and you have specified both."
                )));
            }
            (None, None) => {
                return Err(VALIDATION.because(format!(
                    "Either {member}.MetricStat or {member}.Expression must be specified."
                )));
            }
        }
        let own = call.scope().account.as_str();
        if let Some(account) = query.account_id.as_deref().filter(|account| *account != own) {
            let why = format!("Account {account} is not linked to this one; {member}.AccountId");
            return Err(VALIDATION.because(why));
        }
    }
    if !queries.iter().any(|query| query.return_data.unwrap_or(true)) {
        let why = "At least one of the queries in MetricDataQueries must return data.";
        return Err(VALIDATION.because(why));
    }
    let zone = input.label_options.as_ref().and_then(|options| options.timezone.as_deref());
    labels::zone(zone.unwrap_or("+0000")).ok_or_else(|| {
        VALIDATION.because("LabelOptions.Timezone must be a sign and four digits, as in +0130")
    })
}

fn is_id(id: &str) -> bool {
    id.len() <= 255
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn label(
    call: &Call,
    query: &Query,
    (plain, points): (&str, &[(Timestamp, f64)]),
    zone: FixedOffset,
) -> String {
    let Some(template) = query.label.as_deref().filter(|label| label.contains("${")) else {
        return plain.to_owned();
    };
    let metric = query.metric_stat.as_ref().map(|stat| (stat.metric.id(), stat.stat.as_str()));
    let seconds = query.metric_stat.as_ref().map(|stat| stat.period).or(query.period);
    let period = seconds.and_then(|seconds| super::reading::period(seconds, "Period").ok());
    let about = Labelled {
        plain,
        points,
        metric: metric.as_ref().map(|(id, stat)| (id, *stat)),
        period: period.unwrap_or(crate::time::Period::MINUTE),
        scope: call.scope(),
        now: call.now(),
        zone,
    };
    labels::fill(template, &about)
}

/// Cuts the page that starts after `offset` points; gives the offset of the next one.
///
/// Points are counted through the results in order. A result without points is on the first page;
/// one that goes on is on each page it has points on, and clients join the parts by id and label.
fn cut(results: &mut Vec<QueryResult>, offset: usize, most: usize) -> Option<usize> {
    let end = offset.saturating_add(most);
    let total = results.iter().map(|result| result.values.len()).sum::<usize>();
    let mut before = 0;
    results.retain_mut(|result| {
        let count = result.values.len();
        let (first, last) = (before, before + count);
        before = last;
        if count == 0 {
            return offset == 0;
        }
        let skipped = offset.saturating_sub(first).min(count);
        let kept = end.min(last).saturating_sub(first).max(skipped);
        result.timestamps.truncate(kept);
        result.values.truncate(kept);
        result.timestamps.drain(..skipped);
        result.values.drain(..skipped);
        if last > end {
            result.status_code = StatusCode::PartialData;
        }
        !result.values.is_empty()
    });
    (total > end).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(counts: &[usize]) -> Vec<QueryResult> {
        let result = |(index, count): (usize, &usize)| QueryResult {
            id: format!("m{index}"),
            label: String::new(),
            timestamps: vec![Instant(Timestamp::EPOCH); *count],
            values: vec![0.0; *count],
            status_code: StatusCode::Complete,
            messages: Vec::new(),
        };
        counts.iter().enumerate().map(result).collect()
    }

    #[test]
    fn pages_join_to_the_whole_and_the_last_has_no_token() {
        for most in 1..12 {
            let counts = [3, 0, 4, 1];
            let mut seen = [0; 4];
            let mut offset = Some(0);
            let mut pages = 0;
            while let Some(from) = offset {
                let mut page = results(&counts);
                offset = cut(&mut page, from, most);
                pages += 1;
                let points = page.iter().map(|result| result.values.len()).sum::<usize>();
                assert!(points <= most, "page of {points} with {most}");
                for result in page {
                    let index: usize = result.id[1..].parse().unwrap();
                    seen[index] += result.values.len();
                }
            }
            assert_eq!(seen, counts, "{most} a page");
            assert_eq!(pages, 8_usize.div_ceil(most));
        }
    }

    #[test]
    fn an_id_starts_with_a_lower_case_letter() {
        assert!(["m1", "a", "aB_9"].iter().all(|id| is_id(id)));
        assert!(["", "M1", "1m", "_m", "m-1", "é"].iter().all(|id| !is_id(id)));
    }
}
