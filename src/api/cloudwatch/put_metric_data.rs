use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;

use super::fault::{INVALID_PARAMETER_COMBINATION, INVALID_PARAMETER_VALUE, MISSING_PARAMETER};
use super::metric_skim::Skimmed;
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::wire::{Instant, Protocol};
use crate::telemetry::{
    Dimension, Dimensions, MetricBatch, MetricDatum, MetricValue, SpelledMetric, StandardUnit,
    StatisticSet, StorageResolution, TelemetryBatch,
};
use crate::time::Timestamp;

/// The largest body as sent.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;
pub(super) const DATA_MAX: usize = 1000;
/// Source: MetricDatum: values from -2^360 to 2^360.
pub(super) const NUMBER_MAX: f64 = f64::from_bits((1023 + 360) << 52);
const VALUES_MAX: usize = 150;
const DIMENSIONS_MAX: usize = 30;
const NAME_CHARACTERS_MAX: usize = 255;
const DIMENSION_VALUE_CHARACTERS_MAX: usize = 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    namespace: Arc<str>,
    #[serde(default)]
    metric_data: Vec<Datum>,
    #[serde(default)]
    entity_metric_data: Vec<EntityMetricData>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EntityMetricData {
    #[serde(default)]
    metric_data: Vec<Datum>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Datum {
    metric_name: Option<Arc<str>>,
    dimensions: Vec<NamedValue>,
    timestamp: Option<Instant>,
    value: Option<f64>,
    statistic_values: Option<StatisticValues>,
    values: Vec<f64>,
    counts: Vec<f64>,
    unit: Option<Arc<str>>,
    storage_resolution: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NamedValue {
    name: Option<Arc<str>>,
    value: Option<Arc<str>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct StatisticValues {
    sample_count: Option<f64>,
    sum: Option<f64>,
    minimum: Option<f64>,
    maximum: Option<f64>,
}

/// Takes metric data: all of a request or none of it.
///
/// Source: CloudWatch API Reference, PutMetricData; messages as recorded.
/// Differs: any past or future timestamp is taken, and so are `AWS/` namespaces; entities are
/// accepted and not kept.
pub(super) async fn run(call: Call, input: Input) -> Answer<()> {
    let batch = read(input, call.now())?;
    take(call, batch).await
}

/// Takes metric data that were read without a tree.
pub(super) async fn run_skimmed(call: Call, skimmed: Skimmed) -> Answer<()> {
    let Skimmed { mut batch, undated } = skimmed;
    for index in undated {
        if let Some(datum) = batch.data.get_mut(index) {
            datum.timestamp = call.now();
        }
    }
    take(call, batch).await
}

async fn take(call: Call, batch: MetricBatch) -> Answer<()> {
    if !batch.data.is_empty() {
        let mut telemetry = TelemetryBatch::new(call.scope().clone());
        telemetry.metrics.push(batch);
        call.append(telemetry).await?;
    }
    Ok(())
}

/// The metric of a datum's members in CBOR, without its value and time; `None` when it is refused.
pub(super) fn read_spelled(members: &[u8]) -> Option<SpelledMetric> {
    // A structure of as many members as follow; its end tells how many these are.
    let body = [&[0xbf], members, &[0xff]].concat();
    let datum: Datum = Protocol::Cbor.read(&body).ok()?.decode().ok()?;
    let datum = Datum { value: Some(0.0), ..datum };
    let datum = datum.read(&Path::of("MetricData", 0), Timestamp::EPOCH).ok()?;
    Some(SpelledMetric {
        metric_name: datum.metric_name,
        dimensions: datum.dimensions,
        unit: datum.unit,
        storage_resolution: datum.storage_resolution,
    })
}

pub(super) fn read(input: Input, now: Timestamp) -> Answer<MetricBatch> {
    check_namespace(&input.namespace)?;
    let entities = input.entity_metric_data;
    let count = input.metric_data.len()
        + entities.iter().map(|entity| entity.metric_data.len()).sum::<usize>();
    if count > DATA_MAX {
        return Err(too_many("MetricData", DATA_MAX));
    }
    let mut data = Vec::with_capacity(count);
    for (index, datum) in input.metric_data.into_iter().enumerate() {
        data.push(datum.read(&Path::of("MetricData", index), now)?);
    }
    for (outer, entity) in entities.into_iter().enumerate() {
        let list = format!("EntityMetricData.member.{}.MetricData", outer + 1);
        for (index, datum) in entity.metric_data.into_iter().enumerate() {
            data.push(datum.read(&Path::of(&list, index), now)?);
        }
    }
    Ok(MetricBatch { namespace: input.namespace, data })
}

/// Where a member stands, as messages name it; written out only when something is wrong.
struct Path<'a> {
    list: &'a str,
    index: usize,
}

impl<'a> Path<'a> {
    const fn of(list: &'a str, index: usize) -> Self {
        Self { list, index }
    }

    fn member(&self, name: &str) -> String {
        format!("{}.member.{}.{name}", self.list, self.index + 1)
    }

    fn missing(&self, name: &str) -> ApiError {
        let path = self.member(name);
        MISSING_PARAMETER.because(format!("The parameter {path} is required."))
    }

    fn invalid(&self, name: &str, value: impl std::fmt::Display) -> ApiError {
        let path = self.member(name);
        INVALID_PARAMETER_VALUE
            .because(format!("The value {value} for parameter {path} is invalid."))
    }

    fn exclusive(&self, one: &str, other: &str) -> ApiError {
        INVALID_PARAMETER_COMBINATION.because(format!(
            "The parameters {} and {} are mutually exclusive and you have specified both.",
            self.member(one),
            self.member(other)
        ))
    }

    fn number(&self, name: &str, value: f64) -> Answer<f64> {
        if value.abs() <= NUMBER_MAX { Ok(value) } else { Err(self.invalid(name, value)) }
    }
}

impl Datum {
    fn read(self, path: &Path<'_>, now: Timestamp) -> Answer<MetricDatum> {
        let value = self.value(path)?;
        let metric_name = self.metric_name.ok_or_else(|| path.missing("MetricName"))?;
        let named = !metric_name.trim().is_empty();
        if !named || metric_name.chars().count() > NAME_CHARACTERS_MAX {
            return Err(path.invalid("MetricName", &metric_name));
        }
        let storage_resolution = match self.storage_resolution {
            None | Some(60) => StorageResolution::Standard,
            Some(1) => StorageResolution::High,
            Some(other) => return Err(path.invalid("StorageResolution", other)),
        };
        Ok(MetricDatum {
            metric_name,
            dimensions: dimensions(self.dimensions, path)?,
            timestamp: self.timestamp.map_or(now, |instant| instant.0),
            value,
            unit: self.unit.map_or(Ok(StandardUnit::None), |unit| read_unit(&unit, path))?,
            storage_resolution,
        })
    }

    fn value(&self, path: &Path<'_>) -> Answer<MetricValue> {
        let distributed = !self.values.is_empty() || !self.counts.is_empty();
        match (self.value, self.statistic_values) {
            (Some(_), Some(_)) => Err(path.exclusive("Value", "StatisticValues")),
            (Some(_), None) if distributed => Err(path.exclusive("Value", "Values")),
            (None, Some(_)) if distributed => Err(path.exclusive("StatisticValues", "Values")),
            (Some(value), None) => path.number("Value", value).map(MetricValue::Value),
            (None, Some(set)) => set.read(path),
            (None, None) if distributed => self.distribution(path),
            (None, None) => Err(MISSING_PARAMETER.because(format!(
                "At least one of the parameters {}, {} or {} must be specified.",
                path.member("Value"),
                path.member("Values"),
                path.member("StatisticValues")
            ))),
        }
    }

    fn distribution(&self, path: &Path<'_>) -> Answer<MetricValue> {
        if self.values.len() > VALUES_MAX {
            return Err(too_many(&path.member("Values"), VALUES_MAX));
        }
        if !self.counts.is_empty() && self.counts.len() != self.values.len() {
            return Err(INVALID_PARAMETER_VALUE.because(format!(
                "The parameters {} and {} must be of the same size.",
                path.member("Values"),
                path.member("Counts")
            )));
        }
        let mut pairs = Vec::with_capacity(self.values.len());
        for (index, value) in self.values.iter().enumerate() {
            let value = path.number(&format!("Values.member.{}", index + 1), *value)?;
            let count = self.counts.get(index).copied().unwrap_or(1.0);
            if !(count.is_finite() && count >= 0.0) {
                return Err(path.invalid(&format!("Counts.member.{}", index + 1), count));
            }
            pairs.push((value, count));
        }
        Ok(MetricValue::Distribution(pairs))
    }
}

impl StatisticValues {
    fn read(self, path: &Path<'_>) -> Answer<MetricValue> {
        let part = |name: &str, value: Option<f64>| {
            let name = format!("StatisticValues.{name}");
            path.number(&name, value.ok_or_else(|| path.missing(&name))?)
        };
        let set = StatisticSet {
            sample_count: part("SampleCount", self.sample_count)?,
            sum: part("Sum", self.sum)?,
            minimum: part("Minimum", self.minimum)?,
            maximum: part("Maximum", self.maximum)?,
        };
        if set.sample_count <= 0.0 {
            return Err(path.invalid("StatisticValues.SampleCount", set.sample_count));
        }
        if set.minimum > set.maximum {
            return Err(INVALID_PARAMETER_COMBINATION.because(format!(
                "The parameter {} must be less than or equal to {}.",
                path.member("StatisticValues.Minimum"),
                path.member("StatisticValues.Maximum")
            )));
        }
        Ok(MetricValue::StatisticSet(set))
    }
}

pub(super) fn check_namespace(namespace: &str) -> Answer<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/#: ".contains(c);
    let valid = !namespace.trim().is_empty()
        && namespace.chars().count() <= NAME_CHARACTERS_MAX
        && !namespace.starts_with(':')
        && namespace.chars().all(allowed);
    if valid {
        return Ok(());
    }
    Err(INVALID_PARAMETER_VALUE
        .because(format!("The value {namespace} for parameter Namespace is invalid.")))
}

fn dimensions(named: Vec<NamedValue>, path: &Path<'_>) -> Answer<Dimensions> {
    if named.len() > DIMENSIONS_MAX {
        return Err(too_many(&path.member("Dimensions"), DIMENSIONS_MAX));
    }
    let mut seen = HashSet::new();
    let mut pairs = Vec::with_capacity(named.len());
    for (index, dimension) in named.into_iter().enumerate() {
        let member = |name: &str| format!("Dimensions.member.{}.{name}", index + 1);
        let name = dimension.name.ok_or_else(|| path.missing(&member("Name")))?;
        let value = dimension.value.ok_or_else(|| path.missing(&member("Value")))?;
        if name.starts_with(':') || !is_printable(&name, NAME_CHARACTERS_MAX) {
            return Err(path.invalid(&member("Name"), &name));
        }
        if !is_printable(&value, DIMENSION_VALUE_CHARACTERS_MAX) {
            return Err(path.invalid(&member("Value"), &value));
        }
        if !seen.insert(Arc::clone(&name)) {
            return Err(path.invalid(&member("Name"), &name));
        }
        pairs.push(Dimension { name, value });
    }
    Ok(pairs.into())
}

/// Source: `Dimension`: ASCII, at least one character that is no space, no control characters.
fn is_printable(text: &str, characters_max: usize) -> bool {
    !text.trim().is_empty()
        && text.len() <= characters_max
        && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

fn read_unit(unit: &str, path: &Path<'_>) -> Answer<StandardUnit> {
    unit.parse().map_err(|_unknown| {
        let units = StandardUnit::ALL.iter().map(|unit| unit.as_str()).collect::<Vec<_>>();
        INVALID_PARAMETER_VALUE.because(format!(
            "The parameter {} must be a value in the set [ {} ]",
            path.member("Unit"),
            units.join(", ")
        ))
    })
}

fn too_many(collection: &str, most: usize) -> ApiError {
    INVALID_PARAMETER_VALUE
        .because(format!("The collection {collection} must not have a size greater than {most}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(datum: &str) -> (&'static str, String) {
        let body = format!(r#"{{"Namespace": "App", "MetricData": [{datum}]}}"#);
        let input = Protocol::RestJson.read(body.as_bytes()).unwrap().decode().unwrap();
        let refused = read(input, Timestamp::EPOCH).expect_err(datum);
        (refused.fault.query_code, refused.message)
    }

    fn accepted(datum: &str) -> MetricDatum {
        let body = format!(r#"{{"Namespace": "App", "MetricData": [{datum}]}}"#);
        let input = Protocol::RestJson.read(body.as_bytes()).unwrap().decode().unwrap();
        read(input, Timestamp::from_secs(7)).expect(datum).data.remove(0)
    }

    /// Source: recorded answers of CloudWatch.
    #[test]
    fn refusals_use_awss_recorded_words() {
        let combination = "InvalidParameterCombination";
        let value = "InvalidParameterValue";
        for (datum, code, message) in [
            (
                r#"{"MetricName": "m", "Value": 1, "Values": [1]}"#,
                combination,
                "The parameters MetricData.member.1.Value and MetricData.member.1.Values are \
                 mutually exclusive and you have specified both.",
            ),
            (
                r#"{"MetricName": "m", "Value": 1, "StatisticValues": {"Sum": 1}}"#,
                combination,
                "The parameters MetricData.member.1.Value and MetricData.member.1.StatisticValues \
                 are mutually exclusive and you have specified both.",
            ),
            (
                r#"{"MetricName": "m", "Values": [1, 2], "Counts": [1]}"#,
                value,
                "The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be \
                 of the same size.",
            ),
            (
                r#"{"MetricName": "m", "Value": "NaN"}"#,
                value,
                "The value NaN for parameter MetricData.member.1.Value is invalid.",
            ),
            (
                r#"{"Value": 1}"#,
                "MissingParameter",
                "The parameter MetricData.member.1.MetricName is required.",
            ),
        ] {
            assert_eq!(refusal(datum), (code, message.to_owned()), "{datum}");
        }
    }

    #[test]
    fn every_limit_of_a_datum_is_checked() {
        let many = |what: &str, count: usize| vec![what; count].join(",");
        let values = many("1", 151);
        let dimensions = (0..31)
            .map(|i| format!(r#"{{"Name": "d{i}", "Value": "v"}}"#))
            .collect::<Vec<_>>()
            .join(",");
        for datum in [
            format!(r#"{{"MetricName": "m", "Values": [{values}]}}"#),
            format!(r#"{{"MetricName": "m", "Value": 1, "Dimensions": [{dimensions}]}}"#),
            format!(r#"{{"MetricName": "{}", "Value": 1}}"#, "m".repeat(256)),
            r#"{"MetricName": " ", "Value": 1}"#.to_owned(),
            r#"{"MetricName": "m"}"#.to_owned(),
            r#"{"MetricName": "m", "Value": 1e200}"#.to_owned(),
            r#"{"MetricName": "m", "Value": "Infinity"}"#.to_owned(),
            r#"{"MetricName": "m", "Value": 1, "Unit": "milliseconds"}"#.to_owned(),
            r#"{"MetricName": "m", "Value": 1, "StorageResolution": 30}"#.to_owned(),
            r#"{"MetricName": "m", "Values": [1], "Counts": [-1]}"#.to_owned(),
            r#"{"MetricName": "m", "Value": 1, "Dimensions": [{"Name": ":d", "Value": "v"}]}"#
                .to_owned(),
            r#"{"MetricName": "m", "Value": 1, "Dimensions": [{"Name": "d", "Value": "ü"}]}"#
                .to_owned(),
            r#"{"MetricName": "m", "Value": 1, "Dimensions": [{"Name": "d", "Value": " "}]}"#
                .to_owned(),
            r#"{"MetricName": "m", "Value": 1, "Dimensions": [{"Name": "d", "Value": "1"},
                {"Name": "d", "Value": "2"}]}"#
                .to_owned(),
            r#"{"MetricName": "m", "StatisticValues": {"SampleCount": 0, "Sum": 1, "Minimum": 1,
                "Maximum": 1}}"#
                .to_owned(),
            r#"{"MetricName": "m", "StatisticValues": {"SampleCount": 1, "Sum": 1, "Minimum": 2,
                "Maximum": 1}}"#
                .to_owned(),
            r#"{"MetricName": "m", "StatisticValues": {"SampleCount": 1}}"#.to_owned(),
        ] {
            refusal(&datum);
        }
    }

    #[test]
    fn the_three_forms_and_the_defaults_are_read() {
        let datum = accepted(r#"{"MetricName": "m", "Value": 1}"#);
        assert_eq!(datum.value, MetricValue::Value(1.0));
        assert_eq!(datum.timestamp, Timestamp::from_secs(7));
        assert_eq!(datum.unit, StandardUnit::None);
        let datum = accepted(
            r#"{"MetricName": "m", "Values": [1, 2.5], "Counts": [0.5, 3], "Unit": "Bytes/Second",
            "Timestamp": -1.5, "StorageResolution": 1}"#,
        );
        assert_eq!(datum.value, MetricValue::Distribution(vec![(1.0, 0.5), (2.5, 3.0)]));
        assert_eq!(datum.timestamp, Timestamp::from_millis(-1500));
        assert_eq!(datum.unit, StandardUnit::BytesPerSecond);
        assert_eq!(datum.storage_resolution, StorageResolution::High);
    }

    #[test]
    fn a_namespace_is_checked() {
        for namespace in ["", " ", ":x", "a\"b", "a\tb", &"n".repeat(256)] {
            assert!(check_namespace(namespace).is_err(), "{namespace}");
        }
        for namespace in ["App", "AWS/EC2", "a b.c-d_e/f#g:h", &"n".repeat(255)] {
            assert!(check_namespace(namespace).is_ok(), "{namespace}");
        }
    }
}
