use std::sync::Arc;

use super::put_metric_data::{DATA_MAX, NUMBER_MAX, check_namespace, read_spelled};
use crate::api::wire::{Node, Protocol, Skim};
use crate::telemetry::{Look, MetricBatch, MetricDatum, MetricValue, SpelledMetric, Spellings};
use crate::time::Timestamp;

/// Data that were read, and which of them take the time of the call.
#[derive(Debug, PartialEq)]
pub(super) struct Skimmed {
    pub(super) batch: MetricBatch,
    pub(super) undated: Vec<usize>,
}

/// Reads CBOR data of one value each without a tree: what of a datum is neither value nor time is
/// looked up as bytes. `None` for every other body; the tree reads that, or says what is wrong.
pub(super) fn read(protocol: Protocol, body: &[u8], spellings: &Spellings) -> Option<Skimmed> {
    if protocol != Protocol::Cbor {
        return None;
    }
    let mut reader = Data { look: spellings.look(), fresh: Vec::new(), spelling: Vec::new() };
    let skimmed = reader.request(&mut Skim::new(body))?;
    let Data { look, fresh, .. } = reader;
    drop(look);
    spellings.keep(fresh);
    Some(skimmed)
}

struct Data<'s> {
    look: Look<'s>,
    /// Spellings that are seen for the first time.
    fresh: Vec<(Vec<u8>, SpelledMetric)>,
    /// Where the spelling of one datum is put together.
    spelling: Vec<u8>,
}

impl Data<'_> {
    fn request(&mut self, body: &mut Skim<'_>) -> Option<Skimmed> {
        let (mut namespace, mut data, mut undated) = (None, None, Vec::new());
        for _ in 0..body.structure()? {
            match body.text()? {
                b"Namespace" if namespace.is_none() => {
                    let text = std::str::from_utf8(body.text()?).ok()?;
                    check_namespace(text).ok()?;
                    namespace = Some(Arc::from(text));
                }
                b"MetricData" if data.is_none() => {
                    let count = usize::try_from(body.list()?).ok()?;
                    if count > DATA_MAX {
                        return None;
                    }
                    let mut read = Vec::with_capacity(count);
                    for index in 0..count {
                        let (datum, is_dated) = self.datum(body)?;
                        read.push(datum);
                        if !is_dated {
                            undated.push(index);
                        }
                    }
                    data = Some(read);
                }
                _ => return None,
            }
        }
        let batch = MetricBatch { namespace: namespace?, data: data? };
        body.rest().is_empty().then_some(Skimmed { batch, undated })
    }

    fn datum(&mut self, body: &mut Skim<'_>) -> Option<(MetricDatum, bool)> {
        let (mut value, mut at) = (None, None);
        self.spelling.clear();
        for _ in 0..body.structure()? {
            let before = body.rest();
            match body.text()? {
                b"Value" if value.is_none() => value = Some(number(body.value()?)?),
                b"Timestamp" if at.is_none() => at = Some(instant(body.value()?)?),
                b"MetricName" | b"Dimensions" | b"Unit" | b"StorageResolution" => {
                    body.value()?;
                    let spelled = before.get(..before.len() - body.rest().len())?;
                    self.spelling.extend_from_slice(spelled);
                }
                _ => return None,
            }
        }
        let value = MetricValue::Value(value?);
        let timestamp = at.unwrap_or_default();
        let datum = |metric: &SpelledMetric| MetricDatum {
            metric_name: Arc::clone(&metric.metric_name),
            dimensions: metric.dimensions.clone(),
            timestamp,
            value: value.clone(),
            unit: metric.unit,
            storage_resolution: metric.storage_resolution,
        };
        if let Some(metric) = self.look.find(&self.spelling) {
            return Some((datum(metric), at.is_some()));
        }
        let metric = read_spelled(&self.spelling)?;
        let datum = datum(&metric);
        self.fresh.push((self.spelling.clone(), metric));
        Some((datum, at.is_some()))
    }
}

fn number(bytes: &[u8]) -> Option<f64> {
    let value = match Protocol::Cbor.read(bytes).ok()? {
        #[expect(clippy::cast_precision_loss, reason = "AWS's numbers are doubles too")]
        Node::Integer(value) => value as f64,
        Node::Double(value) => value,
        _ => return None,
    };
    (value.abs() <= NUMBER_MAX).then_some(value)
}

fn instant(bytes: &[u8]) -> Option<Timestamp> {
    match Protocol::Cbor.read(bytes).ok()? {
        Node::Integer(seconds) => Some(Timestamp::from_secs(seconds)),
        Node::Double(seconds) if seconds.is_finite() => Some(Timestamp::from_secs_f64(seconds)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ciborium::Value;
    use proptest::prelude::*;

    use super::super::put_metric_data::{self, Input};
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(77);

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn members(members: Vec<(&str, Value)>) -> Value {
        Value::Map(members.into_iter().map(|(name, value)| (text(name), value)).collect())
    }

    fn dimensions() -> impl Strategy<Value = Value> {
        let pair = ("[a-c]", "[x-z:]{0,3}").prop_map(|(name, value)| {
            members(vec![("Name", text(&name)), ("Value", text(&value))])
        });
        proptest::collection::vec(pair, 0..4).prop_map(Value::Array)
    }

    fn instants() -> impl Strategy<Value = Value> {
        prop_oneof![
            (-1e9..3e9).prop_map(|at: f64| Value::Tag(1, Box::new(at.into()))),
            any::<i32>().prop_map(|at| Value::Tag(1, Box::new(at.into()))),
            Just(Value::Null),
            Just(text("2026-01-02T03:04:05Z")),
        ]
    }

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            6 => (-1e6..1e6).prop_map(|value: f64| Value::from(value)),
            3 => any::<i32>().prop_map(Value::from),
            1 => Just(Value::from(1e200)),
            1 => Just(Value::from(f64::NAN)),
            1 => Just(text("NaN")),
        ]
    }

    /// Members of a datum, usual and unusual ones, in any order.
    fn datum() -> impl Strategy<Value = Value> {
        let name = prop_oneof![6 => "[mn]", 1 => Just(" ".to_owned())];
        let members_of = (
            proptest::option::weighted(0.97, name),
            proptest::option::of(dimensions()),
            proptest::option::weighted(0.9, instants()),
            proptest::option::weighted(0.95, values()),
            proptest::option::of(proptest::sample::select(vec!["Bytes", "None", "bytes"])),
            proptest::option::of(proptest::sample::select(vec![1, 60, 30])),
            proptest::option::weighted(0.05, Just(Value::Array(vec![1.into()]))),
            any::<prop::sample::Index>(),
        );
        members_of.prop_map(|(name, dimensions, at, value, unit, resolution, values, turn)| {
            let mut all = vec![
                name.map(|name| ("MetricName", text(&name))),
                dimensions.map(|dimensions| ("Dimensions", dimensions)),
                at.map(|at| ("Timestamp", at)),
                value.map(|value| ("Value", value)),
                unit.map(|unit| ("Unit", text(unit))),
                resolution.map(|secs| ("StorageResolution", secs.into())),
                values.map(|values| ("Values", values)),
            ];
            let turn = turn.index(all.len());
            all.rotate_left(turn);
            members(all.into_iter().flatten().collect())
        })
    }

    fn encoded(request: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(request, &mut bytes).unwrap();
        bytes
    }

    fn by_the_tree(body: &[u8]) -> Option<MetricBatch> {
        let input: Input = Protocol::Cbor.read(body).ok()?.decode().ok()?;
        put_metric_data::read(input, NOW).ok()
    }

    fn skimmed(body: &[u8], spellings: &Spellings) -> Option<MetricBatch> {
        let Skimmed { mut batch, undated } = read(Protocol::Cbor, body, spellings)?;
        undated.into_iter().for_each(|index| batch.data[index].timestamp = NOW);
        Some(batch)
    }

    proptest! {
        #[test]
        fn what_is_read_without_a_tree_is_what_the_tree_reads(
            bodies in proptest::collection::vec(proptest::collection::vec(datum(), 0..6), 1..8),
        ) {
            let spellings = Spellings::default();
            for data in bodies {
                let data = Value::Array(data);
                let request = members(vec![("Namespace", text("N")), ("MetricData", data)]);
                let body = encoded(&request);
                if let Some(batch) = skimmed(&body, &spellings) {
                    prop_assert_eq!(Some(batch), by_the_tree(&body));
                }
            }
        }
    }

    #[test]
    fn a_usual_datum_is_read_without_a_tree_the_first_time_and_again() {
        let datum = |value: f64| {
            let pair = members(vec![("Name", text("a")), ("Value", text("x"))]);
            members(vec![
                ("MetricName", text("m")),
                ("Dimensions", Value::Array(vec![pair])),
                ("Timestamp", Value::Tag(1, Box::new(5.5.into()))),
                ("Value", value.into()),
            ])
        };
        let spellings = Spellings::default();
        for value in [1.0, 2.5] {
            let data = Value::Array(vec![datum(value), datum(-value)]);
            let request = members(vec![("Namespace", text("N")), ("MetricData", data)]);
            let body = encoded(&request);
            let batch = skimmed(&body, &spellings).expect("a usual body");
            assert_eq!(Some(&batch), by_the_tree(&body).as_ref());
            assert_eq!(batch.data[1].value, MetricValue::Value(-value));
        }
    }
}
