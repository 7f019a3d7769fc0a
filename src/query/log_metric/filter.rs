use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::super::filter_pattern::{FilterPattern, FilterPatternError};
use crate::telemetry::{
    Dimensions, LogEvent, MetricBatch, MetricDatum, MetricValue, Scope, StandardUnit,
    StorageResolution,
};
use crate::time::{Period, Timestamp};

/// Source: CloudWatch Logs API Reference, `MetricTransformation.dimensions`.
const DIMENSIONS_MAX: usize = 3;
/// Distinct values of one minute and dimension set that become one datum.
const VALUES_MAX: usize = 150;

/// How matching events become a metric.
///
/// Source: CloudWatch Logs API Reference, `MetricTransformation`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricTransformation {
    /// The metric.
    pub metric_name: Arc<str>,
    /// Its namespace.
    pub metric_namespace: Arc<str>,
    /// A number, or the selector of one.
    pub metric_value: String,
    /// What a minute with events but without a match is worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<f64>,
    /// Names of dimensions, each with the selector of its value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dimensions: BTreeMap<String, String>,
    /// The unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<StandardUnit>,
}

/// A field that the service itself knows, published as a dimension or with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SystemField {
    /// Whose event it is.
    #[serde(rename = "@aws.account")]
    Account,
    /// Where it was taken.
    #[serde(rename = "@aws.region")]
    Region,
}

impl SystemField {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "@aws.account",
            Self::Region => "@aws.region",
        }
    }

    /// Its value in `scope`.
    pub fn of(self, scope: &Scope) -> &str {
        match self {
            Self::Account => scope.account.as_str(),
            Self::Region => scope.region.as_str(),
        }
    }
}

/// Why a metric filter cannot be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MetricFilterFault {
    /// The pattern is none.
    #[error(transparent)]
    Pattern(#[from] FilterPatternError),
    /// The value is neither a number nor a selector.
    #[error("metric value '{0}' is neither a number nor a selector")]
    Value(Box<str>),
    /// Both are given.
    #[error("dimensions and default value are mutually exclusive properties")]
    DefaultWithDimensions,
    /// Terms have no fields that a dimension could be read from.
    #[error("dimensions need a JSON or space-delimited pattern")]
    DimensionsOfTerms,
    /// Too many.
    #[error("at most 3 dimensions are allowed")]
    TooManyDimensions,
    /// A dimension that is read from no field.
    #[error("dimension value '{0}' is no selector")]
    Dimension(Box<str>),
}

/// A metric filter, ready to look at events.
#[derive(Clone, Debug)]
pub struct MetricFilter {
    pattern: FilterPattern,
    transformation: MetricTransformation,
    constant: Option<f64>,
    system: BTreeSet<SystemField>,
}

impl MetricFilter {
    /// Reads a filter's texts.
    ///
    /// Source: CloudWatch Logs User Guide, "Creating metrics from log events using filters".
    pub fn new(
        pattern: &str,
        transformation: MetricTransformation,
        system: BTreeSet<SystemField>,
    ) -> Result<Self, MetricFilterFault> {
        let pattern = FilterPattern::parse(pattern)?;
        let dimensions = &transformation.dimensions;
        if !dimensions.is_empty() && transformation.default_value.is_some() {
            return Err(MetricFilterFault::DefaultWithDimensions);
        }
        if !dimensions.is_empty() && !pattern.has_fields() {
            return Err(MetricFilterFault::DimensionsOfTerms);
        }
        if dimensions.len() + system.len() > DIMENSIONS_MAX {
            return Err(MetricFilterFault::TooManyDimensions);
        }
        if let Some(value) = dimensions.values().find(|value| !value.starts_with('$')) {
            return Err(MetricFilterFault::Dimension(value.as_str().into()));
        }
        let value = transformation.metric_value.as_str();
        let constant = value.parse().ok().filter(|number: &f64| number.is_finite());
        if constant.is_none() && !value.starts_with('$') {
            return Err(MetricFilterFault::Value(value.into()));
        }
        Ok(Self { pattern, transformation, constant, system })
    }

    /// What the events of one append are worth, by the minute; none when nothing matches and
    /// there is no default value.
    ///
    /// A default value is given to each minute of this append in which no event matches.
    pub fn metrics(&self, scope: &Scope, events: &[LogEvent]) -> Option<MetricBatch> {
        let mut minutes: BTreeMap<(Timestamp, Dimensions), Vec<(f64, f64)>> = BTreeMap::new();
        let mut matched = BTreeSet::new();
        for event in events {
            if !self.pattern.matches(&event.message) {
                continue;
            }
            let minute = event.timestamp.floor(Period::MINUTE);
            matched.insert(minute);
            if let Some((dimensions, value)) = self.measured(scope, &event.message) {
                count(minutes.entry((minute, dimensions)).or_default(), value);
            }
        }
        if let Some(default) = self.transformation.default_value {
            let seen = events.iter().map(|event| event.timestamp.floor(Period::MINUTE));
            for minute in seen.collect::<BTreeSet<_>>().difference(&matched) {
                let dimensions = self.dimensions(scope, "").unwrap_or_default();
                minutes.insert((*minute, dimensions), vec![(default, 1.0)]);
            }
        }
        let data = minutes.into_iter().flat_map(|(place, values)| self.data(place, &values));
        let data = data.collect::<Vec<_>>();
        let namespace = Arc::clone(&self.transformation.metric_namespace);
        (!data.is_empty()).then_some(MetricBatch { namespace, data })
    }

    fn data(
        &self,
        (timestamp, dimensions): (Timestamp, Dimensions),
        values: &[(f64, f64)],
    ) -> Vec<MetricDatum> {
        let datum = |values: &[(f64, f64)]| MetricDatum {
            metric_name: Arc::clone(&self.transformation.metric_name),
            dimensions: dimensions.clone(),
            timestamp,
            value: match values {
                [(value, 1.0)] => MetricValue::Value(*value),
                values => MetricValue::Distribution(values.to_vec()),
            },
            unit: self.transformation.unit.unwrap_or_default(),
            storage_resolution: StorageResolution::Standard,
        };
        values.chunks(VALUES_MAX).map(datum).collect()
    }

    fn measured(&self, scope: &Scope, message: &str) -> Option<(Dimensions, f64)> {
        let value = match self.constant {
            Some(constant) => constant,
            None => number(&self.pattern.select(&self.transformation.metric_value, message)?)?,
        };
        Some((self.dimensions(scope, message)?, value))
    }

    fn dimensions(&self, scope: &Scope, message: &str) -> Option<Dimensions> {
        let read = self.transformation.dimensions.iter().map(|(name, selector)| {
            let value = self.pattern.select(selector, message)?;
            (!value.is_empty()).then_some((Cow::Borrowed(name.as_str()), value))
        });
        let known = self
            .system
            .iter()
            .map(|field| Some((Cow::Borrowed(field.as_str()), Cow::Borrowed(field.of(scope)))));
        let pairs = read.chain(known).collect::<Option<Vec<_>>>()?;
        Some(Dimensions::of(pairs))
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn count(values: &mut Vec<(f64, f64)>, value: f64) {
    // Equal values of one minute are one value with a count. BOUND: it is only looked for among
    // the last few, so that ten thousand different ones cost no square.
    const LOOK_BACK: usize = 32;
    let recent = values.len().saturating_sub(LOOK_BACK);
    match values.iter_mut().skip(recent).find(|(known, _)| known.to_bits() == value.to_bits()) {
        Some((_, times)) => *times += 1.0,
        None => values.push((value, 1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transformation(value: &str) -> MetricTransformation {
        MetricTransformation {
            metric_name: "m".into(),
            metric_namespace: "App".into(),
            metric_value: value.to_owned(),
            default_value: None,
            dimensions: BTreeMap::new(),
            unit: None,
        }
    }

    fn filter(pattern: &str, transformation: MetricTransformation) -> MetricFilter {
        MetricFilter::new(pattern, transformation, BTreeSet::new()).expect(pattern)
    }

    fn events(lines: &[(i64, &str)]) -> Vec<LogEvent> {
        let event = |(seconds, message): &(i64, &str)| LogEvent {
            timestamp: Timestamp::from_secs(*seconds),
            message: (*message).to_owned(),
        };
        lines.iter().map(event).collect()
    }

    /// `minute:values{dimensions}` of every datum.
    fn measured(filter: &MetricFilter, lines: &[(i64, &str)]) -> Vec<String> {
        let batch = filter.metrics(&Scope::default(), &events(lines));
        let datum = |datum: MetricDatum| {
            let pairs = datum.dimensions.iter().map(|d| format!("{}={}", d.name, d.value));
            let values = match datum.value {
                MetricValue::Value(value) => value.to_string(),
                MetricValue::Distribution(values) => {
                    values.iter().map(|(v, n)| format!("{v}*{n}")).collect::<Vec<_>>().join(",")
                }
                MetricValue::StatisticSet(_) => "set".to_owned(),
            };
            let pairs = pairs.collect::<Vec<_>>().join(",");
            format!("{}:{values}{{{pairs}}}", datum.timestamp.as_millis() / 60_000)
        };
        batch.map(|batch| batch.data.into_iter().map(datum).collect()).unwrap_or_default()
    }

    #[test]
    fn matching_events_are_counted_by_the_minute() {
        let errors = filter("ERROR", transformation("1"));
        let lines = [(0, "ERROR a"), (59, "ERROR b"), (60, "INFO"), (61, "ERROR c")];
        assert_eq!(measured(&errors, &lines), ["0:1*2{}", "1:1{}"]);
        assert_eq!(measured(&errors, &[(0, "INFO")]), [""; 0]);
    }

    #[test]
    fn a_value_is_read_from_a_field_or_a_column() {
        let json = filter("{ $.ms > 0 }", transformation("$.ms"));
        let lines = [(0, r#"{"ms": 12.5}"#), (1, r#"{"ms": -1}"#), (2, r#"{"ms": 12.5}"#)];
        assert_eq!(measured(&json, &lines), ["0:12.5*2{}"]);
        let columns = filter("[level, size]", transformation("$size"));
        let lines = [(0, "INFO 7"), (1, "INFO many"), (2, "x")];
        assert_eq!(measured(&columns, &lines), ["0:7{}"]);
    }

    #[test]
    fn a_minute_with_events_and_no_match_has_the_default_value() {
        let with_default = MetricTransformation { default_value: Some(0.0), ..transformation("1") };
        let errors = filter("ERROR", with_default);
        let lines = [(0, "INFO"), (1, "ERROR"), (60, "INFO"), (61, "INFO")];
        assert_eq!(measured(&errors, &lines), ["0:1{}", "1:0{}"]);
    }

    #[test]
    fn dimensions_are_read_from_the_event_and_an_event_without_one_is_worth_nothing() {
        let dimensions = BTreeMap::from([("Page".to_owned(), "$.page".to_owned())]);
        let by_page = MetricTransformation { dimensions, ..transformation("$.ms") };
        let by_page = filter("{ $.ms > 0 }", by_page);
        let lines =
            [(0, r#"{"ms":1,"page":"a"}"#), (1, r#"{"ms":2,"page":"b"}"#), (2, r#"{"ms":3}"#)];
        assert_eq!(measured(&by_page, &lines), ["0:1{Page=a}", "0:2{Page=b}"]);
        let region = BTreeSet::from([SystemField::Region]);
        let here = MetricFilter::new("", transformation("1"), region).unwrap();
        assert_eq!(measured(&here, &[(0, "x")]), ["0:1{@aws.region=us-east-1}"]);
    }

    #[test]
    fn many_values_of_a_minute_become_several_data() {
        let columns = filter("[size]", transformation("$size"));
        let texts = (0..301).map(|n| n.to_string()).collect::<Vec<_>>();
        let lines = texts.iter().map(|text| (0, text.as_str())).collect::<Vec<_>>();
        assert_eq!(measured(&columns, &lines).len(), 3);
    }

    #[test]
    fn what_cannot_be_a_filter_is_refused() {
        let fault = |pattern: &str, transformation| {
            MetricFilter::new(pattern, transformation, BTreeSet::new()).unwrap_err()
        };
        let dimensions = |selector: &str| BTreeMap::from([("D".to_owned(), selector.to_owned())]);
        assert!(matches!(fault("{ $.a", transformation("1")), MetricFilterFault::Pattern(_)));
        assert!(matches!(fault("", transformation("x")), MetricFilterFault::Value(_)));
        assert!(matches!(fault("", transformation("NaN")), MetricFilterFault::Value(_)));
        let both = MetricTransformation {
            default_value: Some(0.0),
            dimensions: dimensions("$.a"),
            ..transformation("1")
        };
        assert_eq!(fault("{ $.a = 1 }", both), MetricFilterFault::DefaultWithDimensions);
        let of_terms =
            MetricTransformation { dimensions: dimensions("$.a"), ..transformation("1") };
        assert_eq!(fault("ERROR", of_terms), MetricFilterFault::DimensionsOfTerms);
        let bare = MetricTransformation { dimensions: dimensions("a"), ..transformation("1") };
        assert!(matches!(fault("[a]", bare), MetricFilterFault::Dimension(_)));
    }
}
