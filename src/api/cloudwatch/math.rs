use std::collections::HashMap;

use super::get_metric_data::{Message, MetricStat, Query};
use super::reading;
use super::series::{self, Read};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::fault::VALIDATION;
use crate::query::metric_math::{Expression, Inputs, MathError, Series, Value, common_period};
use crate::query::metric_search::MetricSearch;
use crate::query::metrics_insights::MetricsQuery;
use crate::query::statistic::Statistic;
use crate::time::{Period, TimeRange, Timestamp};

/// What a request's queries need, checked before anything is read: parsed expressions and
/// statistics, no cycles, no unknown ids, and the period that each query is computed at.
pub(super) struct Plan {
    sources: Vec<Source>,
    periods: Vec<Period>,
    by_id: HashMap<String, usize>,
}

enum Source {
    Metric(Statistic, Period),
    Expression(Box<Expression>, Vec<Searched>),
    Insights(Box<MetricsQuery>),
}

/// A search of an expression, with the period that it asks for.
struct Searched {
    search: MetricSearch,
    statistic: Statistic,
    period: Option<Period>,
}

/// What one query of a request yields.
pub(super) struct Found<'q> {
    /// The query.
    pub(super) query: &'q Query,
    /// Its series, each with its label as far as it is no template.
    pub(super) series: Vec<(String, Series)>,
    /// What to know about them.
    pub(super) messages: Vec<Message>,
}

/// Series by query and period: an expression may need a metric at a wider period than its own.
type Computed = HashMap<(usize, Period), Read>;

impl Plan {
    /// Parses and checks.
    pub(super) fn of(queries: &[Query]) -> Answer<Self> {
        let by_id =
            queries.iter().enumerate().map(|(index, query)| (query.id.clone(), index)).collect();
        let sources = queries.iter().map(source).collect::<Answer<Vec<_>>>()?;
        let is_insights = |source: &&Source| matches!(source, Source::Insights(_));
        if sources.iter().filter(is_insights).count() > 1 {
            let why = "Only one Metrics Insights query is supported per request.";
            return Err(VALIDATION.because(why));
        }
        let mut plan = Self { sources, periods: Vec::new(), by_id };
        for (index, query) in queries.iter().enumerate() {
            let mut leaves = Vec::new();
            plan.collect(queries, index, &mut Vec::new(), &mut leaves)?;
            let given =
                query.period.map(|seconds| reading::period(seconds, "Period")).transpose()?;
            let period = common_period(leaves).or(given).ok_or_else(|| {
                let id = &query.id;
                VALIDATION
                    .because(format!("Period must be given for the expression of query {id}."))
            })?;
            plan.periods.push(period);
        }
        Ok(plan)
    }

    /// The queries that query `index` refers to.
    fn needs(&self, queries: &[Query], index: usize) -> Answer<Vec<usize>> {
        let Some(Source::Expression(expression, _)) = self.sources.get(index) else {
            return Ok(Vec::new());
        };
        let id = queries.get(index).map_or("", |query| &query.id);
        let mut needed = Vec::new();
        for reference in expression.references() {
            match self.by_id.get(reference) {
                Some(found) => needed.push(*found),
                None => {
                    let error = MathError::UnknownId { id: reference.into() };
                    return Err(refuse(id, &error));
                }
            }
        }
        if expression.uses_all_metrics() {
            let is_metric = |(index, source): (usize, &Source)| {
                matches!(source, Source::Metric(..)).then_some(index)
            };
            needed.extend(self.sources.iter().enumerate().filter_map(is_metric));
        }
        needed.sort_unstable();
        needed.dedup();
        Ok(needed)
    }

    /// Collects the periods of the metrics under a query; `path` finds cycles.
    fn collect(
        &self,
        queries: &[Query],
        index: usize,
        path: &mut Vec<usize>,
        leaves: &mut Vec<Period>,
    ) -> Answer<()> {
        if path.contains(&index) {
            let ids = path.iter().filter_map(|i| queries.get(*i)).map(|query| query.id.as_str());
            let ids = ids.collect::<Vec<_>>().join(" -> ");
            return Err(VALIDATION.because(format!("The expressions form a cycle: {ids}")));
        }
        match self.sources.get(index) {
            Some(Source::Metric(_, period)) => leaves.push(*period),
            Some(Source::Expression(_, searches)) => {
                leaves.extend(searches.iter().filter_map(|searched| searched.period));
            }
            Some(Source::Insights(_)) | None => {}
        }
        path.push(index);
        for needed in self.needs(queries, index)? {
            self.collect(queries, needed, path, leaves)?;
        }
        path.pop();
        Ok(())
    }

    /// Reads and computes every query that returns data.
    pub(super) async fn read<'q>(
        &self,
        call: &Call,
        queries: &'q [Query],
        span: (Timestamp, Timestamp),
    ) -> Answer<Vec<Found<'q>>> {
        let mut computed = Computed::new();
        let mut found = Vec::new();
        for (index, query) in queries.iter().enumerate() {
            if !query.return_data.unwrap_or(true) {
                continue;
            }
            let period = self.periods.get(index).copied().unwrap_or(Period::MINUTE);
            let mut order = Vec::new();
            self.order(queries, index, &mut order)?;
            for needed in order {
                self.compute(call, queries, (needed, period, span), &mut computed).await?;
            }
            let (series, messages) = computed.get(&(index, period)).cloned().unwrap_or_default();
            let series = self.labelled(queries, index, series);
            found.push(Found { query, series, messages });
        }
        Ok(found)
    }

    /// A query after everything that it needs.
    fn order(&self, queries: &[Query], index: usize, order: &mut Vec<usize>) -> Answer<()> {
        if !order.contains(&index) {
            for needed in self.needs(queries, index)? {
                self.order(queries, needed, order)?;
            }
            order.push(index);
        }
        Ok(())
    }

    async fn compute(
        &self,
        call: &Call,
        queries: &[Query],
        (index, period, span): (usize, Period, (Timestamp, Timestamp)),
        computed: &mut Computed,
    ) -> Answer<()> {
        if computed.contains_key(&(index, period)) {
            return Ok(());
        }
        let (Some(query), Some(source)) = (queries.get(index), self.sources.get(index)) else {
            return Ok(());
        };
        let result = match (source, &query.metric_stat) {
            (Source::Metric(statistic, _), Some(stat)) => {
                series::of_metric(call, stat, statistic, (period, span)).await?
            }
            (Source::Insights(insights), _) => {
                series::of_query(call, insights, (period, span)).await?
            }
            (Source::Expression(expression, searches), _) => {
                let mut inputs = self.inputs(call, queries, (index, period, span), computed)?;
                for Searched { search, statistic, .. } in searches {
                    let found = series::of_search(call, search, statistic, (period, span)).await?;
                    inputs.found.push(found);
                }
                let series = expression.evaluate(&inputs).map_err(|e| refuse(&query.id, &e))?;
                (series, Vec::new())
            }
            (Source::Metric(..), None) => return Ok(()),
        };
        computed.insert((index, period), result);
        Ok(())
    }

    fn inputs(
        &self,
        call: &Call,
        queries: &[Query],
        (index, period, span): (usize, Period, (Timestamp, Timestamp)),
        computed: &Computed,
    ) -> Answer<Inputs> {
        let mut values = Vec::new();
        for needed in self.needs(queries, index)? {
            let Some(query) = queries.get(needed) else { continue };
            let (mut series, _) = computed.get(&(needed, period)).cloned().unwrap_or_default();
            let value = match series.pop() {
                Some(only) if series.is_empty() => Value::Series(only),
                last => {
                    series.extend(last);
                    Value::List(series)
                }
            };
            values.push((query.id.clone(), value));
        }
        let is_metric = |query: &&Query| query.metric_stat.is_some();
        let metrics = queries.iter().filter(is_metric).map(|query| query.id.clone()).collect();
        let range = reading::window(span, period, call.now())
            .unwrap_or(TimeRange::new(span.0.floor(period), span.1));
        Ok(Inputs { range, period, values, metrics, found: Vec::new() })
    }

    /// Source: CloudWatch User Guide, "Graph metrics": a metric is labelled by its name, with what
    /// tells the request's queries apart; an expression by its id.
    fn labelled(
        &self,
        queries: &[Query],
        index: usize,
        series: Vec<Series>,
    ) -> Vec<(String, Series)> {
        let Some(query) = queries.get(index) else { return Vec::new() };
        // The series of a search or SQL query have names of their own, also when there is one.
        let named = match self.sources.get(index) {
            Some(Source::Insights(_)) => true,
            Some(Source::Expression(_, searches)) => !searches.is_empty(),
            Some(Source::Metric(..)) | None => false,
        };
        let own = match (&query.label, &query.metric_stat) {
            (Some(label), _) if !label.contains("${") => label.clone(),
            (_, Some(stat)) => metric_label(queries, stat),
            _ if named => String::new(),
            _ => query.id.clone(),
        };
        let single = series.len() == 1 && !named;
        let label = |series: Series| {
            let label = match (single, own.is_empty()) {
                (true, false) => own.clone(),
                (false, false) => format!("{own} {}", series.label),
                (_, true) if series.label.is_empty() => query.id.clone(),
                (_, true) => series.label.clone(),
            };
            (label, series)
        };
        series.into_iter().map(label).collect()
    }
}

/// Source: recorded answers: `metric1 Sum 60` when statistics and periods differ in the request.
fn metric_label(queries: &[Query], stat: &MetricStat) -> String {
    let others = || queries.iter().filter_map(|query| query.metric_stat.as_ref());
    let mut label = stat.metric.id().metric_name.to_string();
    if others().any(|other| other.stat != stat.stat) {
        label = format!("{label} {}", stat.stat);
    }
    if others().any(|other| other.period != stat.period) {
        label = format!("{label} {}", stat.period);
    }
    label
}

fn source(query: &Query) -> Answer<Source> {
    if let Some(stat) = &query.metric_stat {
        let statistic = stat.stat.parse().map_err(|_unknown| {
            VALIDATION
                .because(format!("The value {} for parameter Stat is not supported.", stat.stat))
        })?;
        return Ok(Source::Metric(statistic, reading::period(stat.period, "Period")?));
    }
    let text = query.expression.as_deref().unwrap_or_default();
    let id = &query.id;
    if MetricsQuery::is_meant_by(text) {
        let insights = MetricsQuery::parse(text).map_err(|error| refuse(id, &error))?;
        return Ok(Source::Insights(Box::new(insights)));
    }
    let expression = Expression::parse(text).map_err(|error| refuse(id, &error))?;
    let mut searches = Vec::new();
    for wanted in expression.searches() {
        let statistic = wanted.statistic.parse().map_err(|error| refuse(id, &error))?;
        let search = MetricSearch::parse(&wanted.query).map_err(|error| refuse(id, &error))?;
        let period = wanted.period.map(|seconds| reading::period(seconds.into(), "Period"));
        searches.push(Searched { search, statistic, period: period.transpose()? });
    }
    Ok(Source::Expression(Box::new(expression), searches))
}

fn refuse(id: &str, error: &dyn std::error::Error) -> ApiError {
    VALIDATION.because(format!("Error in expression '{id}': {error}"))
}
