use super::wire::{Fault, Reader, Writer};
use crate::query::statistic::{Distribution, ExponentialHistogram, Summary};

const NONE: u8 = 0;
const EXACT: u8 = 1;
const HISTOGRAM: u8 = 2;

pub(super) fn write(writer: &mut Writer, summary: &Summary) {
    writer.float(summary.sample_count);
    writer.float(summary.sum);
    writer.float(summary.minimum);
    writer.float(summary.maximum);
    let Some(distribution) = &summary.distribution else { return writer.byte(NONE) };
    if let Some(pairs) = distribution.exact() {
        writer.byte(EXACT);
        writer.length(pairs.len());
        for (value, count) in pairs {
            writer.float(*value);
            writer.float(*count);
        }
    }
    if let Some(histogram) = distribution.histogram() {
        writer.byte(HISTOGRAM);
        writer.byte(histogram.scale().cast_unsigned());
        writer.float(histogram.zero_count());
        writer.length(histogram.buckets().len());
        let mut last = 0;
        for (index, count) in histogram.buckets() {
            writer.signed(i64::from(*index) - last);
            writer.float(*count);
            last = i64::from(*index);
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Summary, Fault> {
    Ok(Summary {
        sample_count: reader.float()?,
        sum: reader.float()?,
        minimum: reader.float()?,
        maximum: reader.float()?,
        distribution: read_distribution(reader)?,
    })
}

fn read_distribution(reader: &mut Reader<'_>) -> Result<Option<Distribution>, Fault> {
    match reader.byte()? {
        NONE => Ok(None),
        EXACT => {
            let length = reader.length()?;
            let pair = |_| Ok((reader.float()?, reader.float()?));
            let pairs: Vec<_> = (0..length).map(pair).collect::<Result<_, Fault>>()?;
            Distribution::of(pairs).map(Some).ok_or(Fault::Value)
        }
        HISTOGRAM => {
            let scale = reader.byte()?.cast_signed();
            let zero_count = reader.float()?;
            let length = reader.length()?;
            let mut buckets = Vec::with_capacity(length);
            let mut last = 0i64;
            for _ in 0..length {
                last = last.saturating_add(reader.signed()?);
                let index = i32::try_from(last).map_err(|_wide| Fault::Value)?;
                buckets.push((index, reader.float()?));
            }
            let histogram = ExponentialHistogram::from_parts(scale, zero_count, buckets);
            histogram.map(Distribution::of_histogram).map(Some).ok_or(Fault::Value)
        }
        form => Err(Fault::Form(form)),
    }
}
