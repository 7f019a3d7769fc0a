use std::sync::Arc;

use super::summary;
use super::wire::{Fault, Reader, Writer, scaled, scaled_at, unscaled};
use crate::query::statistic::Summary;

/// What one bucket of a series holds: most hold exactly one sample.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) enum Point {
    Sample(f64),
    Summary(Box<Summary>),
}

impl Point {
    pub(in crate::store) fn to_summary(&self) -> Summary {
        match self {
            Self::Sample(value) => Summary::of_sample(*value),
            Self::Summary(summary) => summary.as_ref().clone(),
        }
    }

    pub(in crate::store) fn of(summary: Summary) -> Self {
        match summary.as_sample() {
            Some(value) => Self::Sample(value),
            None => Self::Summary(Box::new(summary)),
        }
    }
}

/// Buckets of one series, encoded: starts in seconds, strictly rising, each with its point.
///
/// Form: a byte of flags, the count, the starts (regular ones as start and step, others as deltas
/// of deltas), which points are summaries, the samples (scaled decimals as deltas, others as their
/// bits xored with the one before), the summaries.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) struct Chunk {
    pub(in crate::store) first_secs: i64,
    pub(in crate::store) last_secs: i64,
    pub(in crate::store) points: usize,
    pub(in crate::store) bytes: Arc<[u8]>,
}

const REGULAR: u8 = 1;
const ALL_SAMPLES: u8 = 2;
const SCALED: u8 = 4;
const FLAGS: u8 = REGULAR | ALL_SAMPLES | SCALED;

impl Chunk {
    /// Encodes `points`, which rise strictly; `None` when there is none.
    pub(in crate::store) fn encode(points: &[(i64, Point)]) -> Option<Self> {
        let samples: Vec<f64> = points
            .iter()
            .filter_map(|(_, point)| match point {
                Point::Sample(value) => Some(*value),
                Point::Summary(_) => None,
            })
            .collect();
        let starts = points.iter().map(|(start, _)| *start);
        let (mut writer, exponent) = begin(starts.clone(), samples.iter().copied());
        if samples.len() != points.len() {
            points.iter().for_each(|(_, point)| {
                writer.byte(u8::from(matches!(point, Point::Summary(_))));
            });
        }
        write_samples(&mut writer, samples.iter().copied(), exponent);
        for (_, point) in points {
            if let Point::Summary(summary) = point {
                summary::write(&mut writer, summary);
            }
        }
        Self::of_bytes(starts, writer)
    }

    /// Encodes `samples`, which rise strictly, to the same bytes as `encode`.
    pub(in crate::store) fn of_samples(samples: &[(i64, f64)]) -> Option<Self> {
        let starts = samples.iter().map(|(start, _)| *start);
        let values = samples.iter().map(|(_, value)| *value);
        let (mut writer, exponent) = begin(starts.clone(), values.clone());
        write_samples(&mut writer, values, exponent);
        Self::of_bytes(starts, writer)
    }

    fn of_bytes(mut starts: impl ExactSizeIterator<Item = i64>, writer: Writer) -> Option<Self> {
        let points = starts.len();
        let first_secs = starts.next()?;
        let last_secs = starts.last().unwrap_or(first_secs);
        Some(Self { first_secs, last_secs, points, bytes: writer.into_bytes().into() })
    }

    /// Appends what it holds to `samples`, unless it holds more than plain samples.
    pub(in crate::store) fn decode_samples(
        &self,
        samples: &mut Vec<(i64, f64)>,
    ) -> Result<bool, Fault> {
        let (mut reader, flags, count) = Self::head(&self.bytes)?;
        if flags & ALL_SAMPLES == 0 {
            return Ok(false);
        }
        let starts = read_starts(&mut reader, count, flags & REGULAR != 0)?;
        let values = read_samples(&mut reader, count, flags & SCALED != 0)?;
        samples.extend(starts.into_iter().zip(values));
        Ok(true)
    }

    fn head(bytes: &[u8]) -> Result<(Reader<'_>, u8, usize), Fault> {
        let mut reader = Reader::new(bytes);
        let flags = reader.byte()?;
        if flags & !FLAGS != 0 {
            return Err(Fault::Form(flags));
        }
        let count = usize::try_from(reader.unsigned()?).map_err(|_huge| Fault::Value)?;
        // A sample in a regular chunk takes at least a byte.
        if count > bytes.len() { Err(Fault::Truncated) } else { Ok((reader, flags, count)) }
    }

    /// Reads back what `encode` wrote.
    pub(in crate::store) fn decode(&self) -> Result<Vec<(i64, Point)>, Fault> {
        Self::decode_bytes(&self.bytes)
    }

    pub(in crate::store) fn decode_bytes(bytes: &[u8]) -> Result<Vec<(i64, Point)>, Fault> {
        let (mut reader, flags, count) = Self::head(bytes)?;
        let starts = read_starts(&mut reader, count, flags & REGULAR != 0)?;
        let is_summary: Vec<bool> = if flags & ALL_SAMPLES != 0 {
            vec![false; count]
        } else {
            reader.fixed(count)?.iter().map(|byte| *byte != 0).collect()
        };
        let samples = is_summary.iter().filter(|summary| !**summary).count();
        let mut samples = read_samples(&mut reader, samples, flags & SCALED != 0)?.into_iter();
        starts
            .into_iter()
            .zip(is_summary)
            .map(|(start, is_summary)| {
                let point = if is_summary {
                    Point::Summary(Box::new(summary::read(&mut reader)?))
                } else {
                    Point::Sample(samples.next().ok_or(Fault::Truncated)?)
                };
                Ok((start, point))
            })
            .collect()
    }
}

/// Writes flags, count and starts; answers by which power of ten the samples are integers.
fn begin(
    starts: impl ExactSizeIterator<Item = i64> + Clone,
    samples: impl ExactSizeIterator<Item = f64> + Clone,
) -> (Writer, Option<u8>) {
    let step = regular_step(starts.clone());
    let exponent = common_exponent(samples.clone());
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let mut writer = Writer::with_capacity(16 + 2 * starts.len());
    writer.byte(
        flag(step.is_some(), REGULAR)
            | flag(samples.len() == starts.len(), ALL_SAMPLES)
            | flag(exponent.is_some(), SCALED),
    );
    writer.length(starts.len());
    write_starts(&mut writer, starts, step);
    (writer, exponent)
}

fn regular_step(mut starts: impl Iterator<Item = i64>) -> Option<i64> {
    let first = starts.next()?;
    let Some(second) = starts.next() else { return Some(0) };
    let step = second.checked_sub(first)?;
    let mut last = second;
    for start in starts {
        if start.checked_sub(last)? != step {
            return None;
        }
        last = start;
    }
    Some(step)
}

fn write_starts(writer: &mut Writer, mut starts: impl Iterator<Item = i64>, step: Option<i64>) {
    let Some(first) = starts.next() else { return };
    writer.signed(first);
    if let Some(step) = step {
        return writer.signed(step);
    }
    let (mut last, mut last_delta) = (first, 0i64);
    for start in starts {
        // Wrapping on both sides gives back the same bits, also at the ends of time.
        let delta = start.wrapping_sub(last);
        writer.signed(delta.wrapping_sub(last_delta));
        (last, last_delta) = (start, delta);
    }
}

fn read_starts(reader: &mut Reader<'_>, count: usize, regular: bool) -> Result<Vec<i64>, Fault> {
    let mut starts = Vec::with_capacity(count);
    if count == 0 {
        return Err(Fault::Value);
    }
    let mut last = reader.signed()?;
    starts.push(last);
    let mut delta = if regular { reader.signed()? } else { 0 };
    for _ in 1..count {
        if !regular {
            delta = delta.wrapping_add(reader.signed()?);
        }
        last = last.wrapping_add(delta);
        starts.push(last);
    }
    Ok(starts)
}

/// A power of ten that makes integers of all samples.
fn common_exponent(samples: impl Iterator<Item = f64> + Clone) -> Option<u8> {
    let mut exponent = 0;
    for value in samples.clone() {
        if scaled_at(value, exponent).is_none() {
            exponent = exponent.max(scaled(value)?.1);
        }
    }
    // A value that fits at its own exponent can be too large at the common one.
    let fits = |value| scaled_at(value, exponent).is_some();
    (exponent == 0 || samples.into_iter().all(fits)).then_some(exponent)
}

fn write_samples(
    writer: &mut Writer,
    samples: impl ExactSizeIterator<Item = f64>,
    exponent: Option<u8>,
) {
    if samples.len() == 0 {
        return;
    }
    if let Some(exponent) = exponent {
        writer.byte(exponent);
        let mut last = 0i64;
        for mantissa in samples.filter_map(|value| scaled_at(value, exponent)) {
            writer.signed(mantissa.wrapping_sub(last));
            last = mantissa;
        }
        return;
    }
    let mut last = 0u64;
    for value in samples {
        // Neighbours share their high bits, so the reversed difference has few significant bytes.
        writer.unsigned((value.to_bits() ^ last).swap_bytes());
        last = value.to_bits();
    }
}

fn read_samples(reader: &mut Reader<'_>, count: usize, scaled: bool) -> Result<Vec<f64>, Fault> {
    let mut samples = Vec::with_capacity(count);
    if count == 0 {
        return Ok(samples);
    }
    if scaled {
        let exponent = reader.byte()?;
        let mut mantissa = 0i64;
        for _ in 0..count {
            mantissa = mantissa.wrapping_add(reader.signed()?);
            samples.push(unscaled(mantissa, exponent).ok_or(Fault::Value)?);
        }
        return Ok(samples);
    }
    let mut bits = 0u64;
    for _ in 0..count {
        bits ^= reader.unsigned()?.swap_bytes();
        samples.push(f64::from_bits(bits));
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::telemetry::MetricValue;

    fn point() -> impl Strategy<Value = Point> {
        let decimal = (-100_000i32..100_000).prop_map(|v| f64::from(v) / 10.0);
        let pairs = proptest::collection::vec((0.0..1e6f64, 0.5..9.0f64), 1..90);
        prop_oneof![
            6 => decimal.prop_map(Point::Sample),
            2 => any::<f64>().prop_filter("a number", |v| v.is_finite()).prop_map(Point::Sample),
            2 => pairs.prop_map(|pairs| {
                Point::of(Summary::of(&MetricValue::Distribution(pairs)).unwrap())
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_chunk_gives_back_what_it_was_given(
            mut points in proptest::collection::vec((any::<i64>(), point()), 1..60),
        ) {
            points.sort_by_key(|(start, _)| *start);
            points.dedup_by_key(|(start, _)| *start);
            let chunk = Chunk::encode(&points).unwrap();
            prop_assert_eq!(chunk.decode(), Ok(points));
        }

        #[test]
        fn plain_samples_take_the_same_bytes_either_way(
            mut samples in proptest::collection::vec((any::<i64>(), -999i32..999), 1..60),
            digits in 0i32..5,
        ) {
            samples.sort_by_key(|(start, _)| *start);
            samples.dedup_by_key(|(start, _)| *start);
            let samples: Vec<(i64, f64)> = samples
                .into_iter()
                .map(|(start, value)| (start, f64::from(value) / 10f64.powi(digits)))
                .collect();
            let points: Vec<_> =
                samples.iter().map(|(start, value)| (*start, Point::Sample(*value))).collect();
            let chunk = Chunk::of_samples(&samples);
            prop_assert_eq!(&chunk, &Chunk::encode(&points));
            let mut back = Vec::new();
            prop_assert_eq!(chunk.unwrap().decode_samples(&mut back), Ok(true));
            prop_assert_eq!(back, samples);
        }

        #[test]
        fn damaged_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _outcome = Chunk::decode_bytes(&bytes);
        }
    }

    #[test]
    fn regular_decimals_take_about_a_byte_each() {
        let points: Vec<(i64, Point)> = (0..1000)
            .map(|i| (i * 10, Point::Sample(100.0 + f64::from((i % 7) as i32) / 10.0)))
            .collect();
        let chunk = Chunk::encode(&points).unwrap();
        assert!(chunk.bytes.len() < 1_020, "{} bytes", chunk.bytes.len());
    }
}
