use std::time::Duration;

use super::get_metric_data::{Message, MetricStat};
use super::reading;
use crate::api::call::{Answer, Call};
use crate::query::metric_math::Series;
use crate::query::metric_search::MetricSearch;
use crate::query::metrics_insights::MetricsQuery;
use crate::query::statistic::Statistic;
use crate::store::MetricFilter;
use crate::telemetry::MetricId;
use crate::time::{Period, Timestamp};

/// Searches and queries look at metrics that were heard of so lately.
const LOOKED_AT: Duration = Duration::from_secs(14 * 24 * 3600);
/// Source: CloudWatch User Guide, "CloudWatch search expression syntax": series of one search.
const SEARCH_SERIES_MAX: usize = 500;
/// Source: CloudWatch User Guide, "Metrics Insights limits": metrics of one query.
const QUERY_METRICS_MAX: usize = 10_000;
/// How many metrics are listed together.
const SCAN: usize = 1_000;

/// One or more series, and what to know about them.
pub(super) type Read = (Vec<Series>, Vec<Message>);

/// What is read: at which period, from when to when.
pub(super) type Span = (Period, (Timestamp, Timestamp));

/// The series of one metric.
pub(super) async fn of_metric(
    call: &Call,
    stat: &MetricStat,
    statistic: &Statistic,
    span: Span,
) -> Answer<Read> {
    let metric = stat.metric.id();
    let (period, range) = (span.0, reading::window(span.1, span.0, call.now()));
    let buckets = reading::buckets(call, &metric, range, (period, stat.unit)).await?;
    let (points, units) = reading::one_unit(&buckets, statistic);
    let series = Series { points, ..Series::new(&*metric.metric_name, period) };
    let mut messages = Vec::new();
    if units.len() > 1 {
        let names = units.iter().map(|unit| unit.as_str()).collect::<Vec<_>>().join(", ");
        let value = format!("Multiple units returned: '[{names}]'");
        messages.push(Message { code: "MultipleUnits", value });
    }
    Ok((vec![series], messages))
}

/// The series that a search finds, by metric.
pub(super) async fn of_search(
    call: &Call,
    search: &MetricSearch,
    statistic: &Statistic,
    span: Span,
) -> Answer<Vec<Series>> {
    let metrics =
        selected(call, &MetricFilter::default(), SEARCH_SERIES_MAX, |m| search.matches(m));
    let several_names = metrics.windows(2).any(|pair| match pair {
        [one, next] => one.metric_name != next.metric_name,
        _ => false,
    });
    let (period, range) = (span.0, reading::window(span.1, span.0, call.now()));
    let mut found = Vec::with_capacity(metrics.len());
    for metric in &metrics {
        let buckets = reading::buckets(call, metric, range, (period, None)).await?;
        let (points, _units) = reading::one_unit(&buckets, statistic);
        let label = search_label(metric, several_names);
        found.push(Series { points, ..Series::new(label, period) });
    }
    Ok(found)
}

/// Differs: what AWS calls a series of a search is not published; it is told apart by the values of
/// its dimensions, and by its name where names differ.
fn search_label(metric: &MetricId, several_names: bool) -> String {
    let values = metric.dimensions.iter().map(|dimension| &*dimension.value);
    let name = (several_names || metric.dimensions.is_empty()).then_some(&*metric.metric_name);
    values.chain(name).collect::<Vec<_>>().join(" ")
}

/// The series that a Metrics Insights query yields.
pub(super) async fn of_query(call: &Call, query: &MetricsQuery, span: Span) -> Answer<Read> {
    let filter = MetricFilter {
        namespace: Some(query.namespace().into()),
        metric_name: Some(query.metric_name().into()),
        ..MetricFilter::default()
    };
    let metrics = selected(call, &filter, QUERY_METRICS_MAX + 1, |m| query.selects(m));
    let (period, range) = (span.0, reading::window(span.1, span.0, call.now()));
    let mut read = Vec::with_capacity(metrics.len());
    let mut messages = Vec::new();
    if metrics.len() > QUERY_METRICS_MAX {
        let value = format!("The query matches more than {QUERY_METRICS_MAX} metrics.");
        messages.push(Message { code: "MaxMetricsExceeded", value });
    }
    for metric in metrics.into_iter().take(QUERY_METRICS_MAX) {
        let buckets = reading::buckets(call, &metric, range, (period, None)).await?;
        let buckets = buckets.into_iter().map(|bucket| (bucket.start, bucket.summary));
        read.push((metric, buckets.collect()));
    }
    Ok((query.combine(period, read), messages))
}

fn selected(
    call: &Call,
    filter: &MetricFilter,
    most: usize,
    takes: impl Fn(&MetricId) -> bool,
) -> Vec<MetricId> {
    let filter = MetricFilter { active_since: Some(call.now().minus(LOOKED_AT)), ..filter.clone() };
    let metrics = call.state().store.metrics();
    let mut found = Vec::new();
    let mut after: Option<MetricId> = None;
    loop {
        let page = metrics.list(call.scope(), &filter, after.as_ref(), SCAN);
        let last = page.len() < SCAN;
        after = page.last().cloned();
        // BOUND: what is over the limit is left out, as in AWS.
        found.extend(page.into_iter().filter(&takes).take(most - found.len()));
        if last || found.len() >= most {
            return found;
        }
    }
}
