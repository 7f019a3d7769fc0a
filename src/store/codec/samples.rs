use super::record::unit_number;
use super::wire::{Fault, Reader, Writer, scaled_from, unscaled};
use crate::telemetry::{MetricDatum, MetricValue, StandardUnit, StatisticSet, StorageResolution};
use crate::time::Timestamp;

/// A metric's number in our files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct SeriesNumber(pub(in crate::store) u32);

/// One datum of a metric that is known by its number.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) struct Sample {
    pub(in crate::store) series: SeriesNumber,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) unit: StandardUnit,
    pub(in crate::store) resolution: StorageResolution,
    pub(in crate::store) value: MetricValue,
}

impl Sample {
    pub(in crate::store) fn of((series, datum): (SeriesNumber, MetricDatum)) -> Self {
        Self {
            series,
            at: datum.timestamp,
            unit: datum.unit,
            resolution: datum.storage_resolution,
            value: datum.value,
        }
    }

    /// What is the same for most samples of a record: unit, resolution and kind of value.
    fn form(&self) -> u16 {
        let kind = match &self.value {
            MetricValue::Value(_) => VALUE,
            MetricValue::StatisticSet(_) => SET,
            MetricValue::Distribution(_) => DISTRIBUTION,
        };
        let high = if self.resolution == StorageResolution::High { HIGH } else { 0 };
        u16::from(unit_number(self.unit)) << 8 | u16::from(kind | high)
    }
}

const HIGH: u8 = 1;
const VALUE: u8 = 0;
const SET: u8 = 2;
const DISTRIBUTION: u8 = 4;

/// Writes samples by column: numbers and instants as differences, runs of forms, values.
pub(super) fn write(writer: &mut Writer, samples: &[Sample]) {
    writer.length(samples.len());
    let mut last = 0;
    for sample in samples {
        let number = i64::from(sample.series.0);
        writer.signed(number - last);
        last = number;
    }
    let mut last = 0i64;
    for sample in samples {
        let at = sample.at.as_millis();
        writer.signed(at.wrapping_sub(last));
        last = at;
    }
    for run in samples.chunk_by(|a, b| a.form() == b.form()) {
        let Some(first) = run.first() else { continue };
        writer.length(run.len());
        writer.unsigned(first.form().into());
    }
    let mut floats = Floats::default();
    for sample in samples {
        match &sample.value {
            MetricValue::Value(value) => floats.write(writer, *value),
            MetricValue::StatisticSet(set) => {
                for part in [set.sample_count, set.sum, set.minimum, set.maximum] {
                    floats.write(writer, part);
                }
            }
            MetricValue::Distribution(pairs) => {
                writer.length(pairs.len());
                for (value, count) in pairs {
                    floats.write(writer, *value);
                    floats.write(writer, *count);
                }
            }
        }
    }
}

/// Reads what `write` wrote.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<Sample>, Fault> {
    let count = reader.length()?;
    let mut samples = Vec::with_capacity(count);
    let mut last = 0i64;
    for _ in 0..count {
        last = last.checked_add(reader.signed()?).ok_or(Fault::Value)?;
        let series = SeriesNumber(u32::try_from(last).map_err(|_wide| Fault::Value)?);
        samples.push(Sample {
            series,
            at: Timestamp::EPOCH,
            unit: StandardUnit::None,
            resolution: StorageResolution::Standard,
            value: MetricValue::Value(0.0),
        });
    }
    let mut last = 0i64;
    for sample in &mut samples {
        last = last.wrapping_add(reader.signed()?);
        sample.at = Timestamp::from_millis(last);
    }
    let mut kinds = Vec::new();
    let mut rest = samples.as_mut_slice();
    while !rest.is_empty() {
        let length = usize::try_from(reader.unsigned()?).map_err(|_huge| Fault::Value)?;
        let form = u16::try_from(reader.unsigned()?).map_err(|_wide| Fault::Value)?;
        let (run, later) = rest.split_at_mut_checked(length).ok_or(Fault::Value)?;
        let [unit, kind] = form.to_be_bytes();
        let unit = *StandardUnit::ALL.get(usize::from(unit)).ok_or(Fault::Form(unit))?;
        let is_high = kind & HIGH != 0;
        for sample in run {
            sample.unit = unit;
            if is_high {
                sample.resolution = StorageResolution::High;
            }
        }
        if length == 0 {
            return Err(Fault::Value);
        }
        kinds.push((length, kind & !HIGH));
        rest = later;
    }
    let mut samples_left = samples.iter_mut();
    for (length, kind) in kinds {
        for sample in samples_left.by_ref().take(length) {
            sample.value = read_value(reader, kind)?;
        }
    }
    Ok(samples)
}

fn read_value(reader: &mut Reader<'_>, kind: u8) -> Result<MetricValue, Fault> {
    match kind {
        VALUE => Ok(MetricValue::Value(reader.float()?)),
        SET => Ok(MetricValue::StatisticSet(StatisticSet {
            sample_count: reader.float()?,
            sum: reader.float()?,
            minimum: reader.float()?,
            maximum: reader.float()?,
        })),
        DISTRIBUTION => {
            let length = reader.length()?;
            let pairs = (0..length).map(|_| Ok((reader.float()?, reader.float()?)));
            pairs.collect::<Result<_, _>>().map(MetricValue::Distribution)
        }
        form => Err(Fault::Form(form)),
    }
}

/// Writes floats that `Reader::float` reads, trying first the digits that the last one had.
#[derive(Default)]
struct Floats {
    exponent: u8,
}

impl Floats {
    fn write(&mut self, writer: &mut Writer, value: f64) {
        match scaled_from(value, self.exponent) {
            Some((mantissa, exponent)) => {
                self.exponent = exponent;
                writer.scaled(mantissa, exponent);
            }
            None => writer.float(value),
        }
        debug_assert!(unscaled(0, self.exponent).is_some(), "an exponent that can be read");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = MetricValue> {
        let decimal = (-1_000_000i64..1_000_000, 0i32..4);
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let decimal = decimal.prop_map(|(v, digits)| v as f64 / 10f64.powi(digits));
        let any = any::<f64>().prop_filter("a number", |value| !value.is_nan());
        let float = prop_oneof![4 => decimal, 1 => any];
        let pairs = proptest::collection::vec((float.clone(), float.clone()), 0..5);
        let set = [float.clone(), float.clone(), float.clone(), float.clone()];
        prop_oneof![
            8 => float.prop_map(MetricValue::Value),
            1 => set.prop_map(|[sample_count, sum, minimum, maximum]| {
                MetricValue::StatisticSet(StatisticSet { sample_count, sum, minimum, maximum })
            }),
            1 => pairs.prop_map(MetricValue::Distribution),
        ]
    }

    fn sample() -> impl Strategy<Value = Sample> {
        let unit = proptest::sample::select(StandardUnit::ALL);
        (any::<u32>(), any::<i64>(), unit, any::<bool>(), value()).prop_map(
            |(series, at, unit, high, value)| Sample {
                series: SeriesNumber(series),
                at: Timestamp::from_millis(at),
                unit,
                resolution: if high {
                    StorageResolution::High
                } else {
                    StorageResolution::Standard
                },
                value,
            },
        )
    }

    fn written(samples: &[Sample]) -> Vec<u8> {
        let mut writer = Writer::new();
        write(&mut writer, samples);
        writer.into_bytes()
    }

    proptest! {
        #[test]
        fn samples_come_back_bit_by_bit(samples in proptest::collection::vec(sample(), 0..60)) {
            let bytes = written(&samples);
            let mut reader = Reader::new(&bytes);
            let back = read(&mut reader).unwrap();
            prop_assert!(reader.is_at_end());
            // As texts, so that -0.0 is not 0.0.
            prop_assert_eq!(format!("{back:?}"), format!("{samples:?}"));
        }

        #[test]
        fn damaged_samples_never_panic(
            samples in proptest::collection::vec(sample(), 1..9), at in any::<usize>(),
            flip in 1u8..=255,
        ) {
            let mut bytes = written(&samples);
            let at = at % bytes.len();
            bytes[at] ^= flip;
            let _outcome = read(&mut Reader::new(&bytes));
        }
    }

    #[test]
    fn one_sample_of_each_of_many_series_takes_few_bytes() {
        let sample = |n: u32| Sample {
            series: SeriesNumber(n),
            at: Timestamp::from_millis(1_767_323_045_000),
            unit: StandardUnit::None,
            resolution: StorageResolution::High,
            value: MetricValue::Value(f64::from(n % 50) / 10.0),
        };
        let bytes = written(&(1..=1000).map(sample).collect::<Vec<_>>());
        assert!(bytes.len() < 4_100, "{} bytes", bytes.len());
    }
}
