//! Metrics Insights: SQL over many metrics at once.
//!
//! Main type: [`MetricsQuery`]. It says which metrics it selects and puts their buckets together;
//! listing the metrics and reading their buckets is the caller's business.

use std::collections::BTreeMap;

use thiserror::Error;

use super::metric_math::Series;
use super::statistic::{Statistic, Summary};
use crate::telemetry::MetricId;
use crate::time::{Period, Timestamp};

/// A parsed Metrics Insights query.
///
/// Source: CloudWatch User Guide, "Metrics Insights query components and syntax".
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsQuery {
    statistic: Statistic,
    metric_name: String,
    namespace: String,
    /// Exactly these dimensions; `None` takes any.
    schema: Option<Vec<String>>,
    conditions: Vec<Condition>,
    group_by: Vec<String>,
    order: Option<Order>,
    limit: usize,
}

#[derive(Clone, Debug, PartialEq)]
struct Condition {
    key: String,
    equal: bool,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Order {
    statistic: Statistic,
    descending: bool,
}

/// A text that is no query, with the byte where it stops being one.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("invalid query at byte {offset}: expected {expected}")]
pub struct MetricsQueryError {
    /// Where.
    pub offset: usize,
    /// What.
    pub expected: &'static str,
}

/// Source: "Metrics Insights limits", series of one query.
const SERIES_MAX: usize = 500;

impl MetricsQuery {
    /// Reads a query.
    pub fn parse(source: &str) -> Result<Self, MetricsQueryError> {
        Reader { source, at: 0 }.query()
    }

    /// Whether a text is meant as such a query, and not as metric math.
    pub fn is_meant_by(source: &str) -> bool {
        let word = source.split_whitespace().next();
        word.is_some_and(|word| word.eq_ignore_ascii_case("SELECT"))
    }

    /// The namespace it looks in.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The metric it looks at.
    pub fn metric_name(&self) -> &str {
        &self.metric_name
    }

    /// Whether it takes this metric.
    pub fn selects(&self, metric: &MetricId) -> bool {
        let dimensions = &metric.dimensions;
        let in_schema = self.schema.as_ref().is_none_or(|names| {
            names.len() == dimensions.len() && names.iter().all(|n| dimensions.get(n).is_some())
        });
        in_schema
            && *self.namespace == *metric.namespace
            && *self.metric_name == *metric.metric_name
            && self.conditions.iter().all(|condition| {
                (dimensions.get(&condition.key) == Some(&condition.value)) == condition.equal
            })
    }

    /// Puts the buckets of the selected metrics together: one series a group, labelled by the
    /// values of its keys.
    ///
    /// Source: as above; aggregation is over raw observations, so averages weigh by count.
    pub fn combine(
        &self,
        period: Period,
        metrics: impl IntoIterator<Item = (MetricId, Vec<(Timestamp, Summary)>)>,
    ) -> Vec<Series> {
        let mut groups: BTreeMap<String, BTreeMap<Timestamp, Summary>> = BTreeMap::new();
        for (metric, buckets) in metrics {
            let group = groups.entry(self.label(&metric)).or_default();
            for (at, summary) in buckets {
                match group.entry(at) {
                    std::collections::btree_map::Entry::Occupied(mut held) => {
                        held.get_mut().merge(&summary);
                    }
                    std::collections::btree_map::Entry::Vacant(free) => {
                        free.insert(summary);
                    }
                }
            }
        }
        let mut ranked: Vec<(f64, Series)> = groups
            .into_iter()
            .map(|(label, buckets)| {
                let rank = self.order.map_or(0.0, |order| order.rank(buckets.values()));
                let point = |(at, summary): (&Timestamp, &Summary)| {
                    Some((*at, self.statistic.of(summary)?))
                };
                let points = buckets.iter().filter_map(point).collect();
                (rank, Series { label, period, points })
            })
            .collect();
        if let Some(order) = self.order {
            // Groups of equal rank stay in alphabetical order.
            ranked.sort_by(
                |(a, _), (b, _)| {
                    if order.descending { b.total_cmp(a) } else { a.total_cmp(b) }
                },
            );
        }
        ranked.truncate(self.limit);
        ranked.into_iter().map(|(_, series)| series).collect()
    }

    fn label(&self, metric: &MetricId) -> String {
        if self.group_by.is_empty() {
            return self.metric_name.clone();
        }
        let value = |key: &String| metric.dimensions.get(key).unwrap_or("Other");
        self.group_by.iter().map(value).collect::<Vec<_>>().join(" ")
    }
}

impl Order {
    fn rank<'s>(&self, summaries: impl Iterator<Item = &'s Summary>) -> f64 {
        let mut all: Option<Summary> = None;
        for summary in summaries {
            match &mut all {
                Some(all) => all.merge(summary),
                None => all = Some(summary.clone()),
            }
        }
        all.and_then(|all| self.statistic.of(&all)).unwrap_or(0.0)
    }
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or("")
    }

    fn skip_spaces(&mut self) {
        self.at = self.source.len() - self.rest().trim_start().len();
    }

    const fn expected<T>(&self, expected: &'static str) -> Result<T, MetricsQueryError> {
        Err(MetricsQueryError { offset: self.at, expected })
    }

    fn take(&mut self, sign: &str) -> bool {
        self.skip_spaces();
        let found = self.rest().starts_with(sign);
        self.at += if found { sign.len() } else { 0 };
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.skip_spaces();
        let rest = self.rest();
        let head = rest.get(..word.len());
        let tail = rest.get(word.len()..).unwrap_or("");
        let found = head.is_some_and(|head| head.eq_ignore_ascii_case(word))
            && !tail.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn require(&mut self, sign: &str, what: &'static str) -> Result<(), MetricsQueryError> {
        if self.take(sign) { Ok(()) } else { self.expected(what) }
    }

    fn require_word(&mut self, word: &str, what: &'static str) -> Result<(), MetricsQueryError> {
        if self.take_word(word) { Ok(()) } else { self.expected(what) }
    }

    fn query(mut self) -> Result<MetricsQuery, MetricsQueryError> {
        self.require_word("SELECT", "SELECT")?;
        let statistic = self.function()?;
        self.require("(", "(")?;
        let metric_name = self.name()?;
        self.require(")", ")")?;
        self.require_word("FROM", "FROM")?;
        let (namespace, schema) = self.source()?;
        let mut conditions = Vec::new();
        if self.take_word("WHERE") {
            conditions.push(self.condition()?);
            while self.take_word("AND") {
                conditions.push(self.condition()?);
            }
        }
        let mut group_by = Vec::new();
        if self.take_word("GROUP") {
            self.require_word("BY", "BY")?;
            group_by.push(self.name()?);
            while self.take(",") {
                group_by.push(self.name()?);
            }
        }
        let order = if self.take_word("ORDER") { Some(self.order()?) } else { None };
        let limit = if self.take_word("LIMIT") { self.limit()? } else { SERIES_MAX };
        self.skip_spaces();
        if !self.rest().is_empty() {
            return self.expected("the end of the query");
        }
        Ok(MetricsQuery {
            statistic,
            metric_name,
            namespace,
            schema,
            conditions,
            group_by,
            order,
            limit,
        })
    }

    fn function(&mut self) -> Result<Statistic, MetricsQueryError> {
        let functions = [
            ("AVG", Statistic::Average),
            ("COUNT", Statistic::SampleCount),
            ("MAX", Statistic::Maximum),
            ("MIN", Statistic::Minimum),
            ("SUM", Statistic::Sum),
        ];
        match functions.into_iter().find(|(word, _)| self.take_word(word)) {
            Some((_, statistic)) => Ok(statistic),
            None => self.expected("AVG, COUNT, MAX, MIN or SUM"),
        }
    }

    fn source(&mut self) -> Result<(String, Option<Vec<String>>), MetricsQueryError> {
        if !self.take_word("SCHEMA") {
            return Ok((self.name()?, None));
        }
        self.require("(", "(")?;
        let namespace = self.name()?;
        let mut dimensions = Vec::new();
        while self.take(",") {
            dimensions.push(self.name()?);
        }
        self.require(")", ")")?;
        Ok((namespace, Some(dimensions)))
    }

    fn condition(&mut self) -> Result<Condition, MetricsQueryError> {
        let key = self.name()?;
        let equal = self.take("=");
        if !equal {
            self.require("!=", "= or !=")?;
        }
        self.skip_spaces();
        let at = self.at;
        match self.quoted('\'') {
            Some(value) => Ok(Condition { key, equal, value }),
            None => Err(MetricsQueryError { offset: at, expected: "a text in single quotes" }),
        }
    }

    fn order(&mut self) -> Result<Order, MetricsQueryError> {
        self.require_word("BY", "BY")?;
        let statistic = self.function()?;
        self.require("(", "()")?;
        self.require(")", "()")?;
        let descending = self.take_word("DESC");
        if !descending {
            self.take_word("ASC");
        }
        Ok(Order { statistic, descending })
    }

    fn limit(&mut self) -> Result<usize, MetricsQueryError> {
        self.skip_spaces();
        let digits = self.rest().find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest().len());
        let number = self.rest().get(..digits).and_then(|digits| digits.parse().ok());
        match number {
            Some(limit @ 1..=SERIES_MAX) => {
                self.at += digits;
                Ok(limit)
            }
            _ => self.expected("a number from 1 to 500"),
        }
    }

    /// A bare name or one in double quotes. A bare namespace may hold slashes.
    fn name(&mut self) -> Result<String, MetricsQueryError> {
        self.skip_spaces();
        if self.rest().starts_with('"') {
            let at = self.at;
            let fault = MetricsQueryError { offset: at, expected: "a closing quote" };
            return self.quoted('"').ok_or(fault);
        }
        let belongs = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.');
        let end = self.rest().find(|c| !belongs(c)).unwrap_or(self.rest().len());
        let name = self.rest().get(..end).unwrap_or("").to_owned();
        if name.is_empty() {
            return self.expected("a name");
        }
        self.at += end;
        Ok(name)
    }

    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest().strip_prefix(quote)?.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => text.push(chars.next()?.1),
                c if c == quote => {
                    self.at += at + 2;
                    return Some(text);
                }
                c => text.push(c),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Dimensions;

    fn metric(dimensions: &[(&str, &str)]) -> MetricId {
        MetricId {
            namespace: "AWS/EC2".into(),
            metric_name: "CPU".into(),
            dimensions: Dimensions::of(dimensions.iter().copied()),
        }
    }

    fn buckets(values: &[f64]) -> Vec<(Timestamp, Summary)> {
        let at = |row: usize| Timestamp::from_secs(60 * i64::try_from(row).unwrap());
        let bucket = |(row, value): (usize, &f64)| (at(row), Summary::of_sample(*value));
        values.iter().enumerate().map(bucket).collect()
    }

    #[test]
    fn sources_and_conditions_choose_metrics() {
        let both = metric(&[("Id", "i-1"), ("Zone", "a")]);
        for (rest, expected) in [
            ("\"AWS/EC2\"", true),
            ("AWS/EC2", true),
            ("\"AWS/EBS\"", false),
            ("SCHEMA(\"AWS/EC2\", Zone, Id)", true),
            ("SCHEMA(\"AWS/EC2\", Id)", false),
            ("SCHEMA(\"AWS/EC2\")", false),
            ("\"AWS/EC2\" WHERE Id = 'i-1' AND Zone != 'b'", true),
            ("\"AWS/EC2\" WHERE Id != 'i-1'", false),
            ("\"AWS/EC2\" where Missing != 'x'", true),
        ] {
            let query = MetricsQuery::parse(&format!("SELECT AVG(CPU) FROM {rest}")).expect(rest);
            assert_eq!(query.selects(&both), expected, "{rest}");
        }
    }

    #[test]
    fn groups_are_weighed_ordered_and_limited() {
        let text = "SELECT AVG(CPU) FROM \"AWS/EC2\" GROUP BY Zone ORDER BY MAX() DESC LIMIT 2";
        let query = MetricsQuery::parse(text).unwrap();
        let metrics = vec![
            (metric(&[("Zone", "a"), ("Id", "1")]), buckets(&[1.0, 2.0])),
            (metric(&[("Zone", "a"), ("Id", "2")]), buckets(&[3.0])),
            (metric(&[("Zone", "b")]), buckets(&[9.0])),
            (metric(&[]), buckets(&[0.5])),
        ];
        let series = query.combine(Period::MINUTE, metrics);
        let labels: Vec<&str> = series.iter().map(|series| series.label.as_str()).collect();
        assert_eq!(labels, ["b", "a"]);
        let values: Vec<f64> = series[1].points.iter().map(|(_, value)| *value).collect();
        assert_eq!(values, [2.0, 2.0]);
    }

    #[test]
    fn wrong_queries_say_where() {
        for (text, error) in [
            (
                "SELECT P99(x) FROM y",
                "invalid query at byte 7: expected AVG, COUNT, MAX, MIN or SUM",
            ),
            ("SELECT AVG(x) FROM", "invalid query at byte 18: expected a name"),
            (
                "SELECT AVG(x) FROM y WHERE a = \"b\"",
                "invalid query at byte 31: expected a text in single quotes",
            ),
            (
                "SELECT AVG(x) FROM y LIMIT 501",
                "invalid query at byte 27: expected a number from 1 to 500",
            ),
            (
                "SELECT AVG(x) FROM y nonsense",
                "invalid query at byte 21: expected the end of the query",
            ),
        ] {
            assert_eq!(MetricsQuery::parse(text).unwrap_err().to_string(), error);
        }
    }
}
