//! Prometheus remote write, 1.0 and 2.0.

use std::sync::Arc;

use http::{HeaderMap, header};
use prost::Message;

use super::body::BodyFault;
use super::metrics::{NativeHistogram, NativeSeries};
use crate::telemetry::{
    Dimension, Dimensions, MetricDatum, MetricValue, SpelledMetric, Spellings, StandardUnit,
    StorageResolution,
};
use crate::time::Timestamp;

/// The namespace of samples.
pub(super) const NAMESPACE: &str = "Prometheus";
/// Source: CloudWatch API Reference, `MetricDatum`.
const DIMENSIONS_MAX: usize = 30;
const VALUE_BYTES_MAX: usize = 1024;
/// Source: Prometheus, `value.StaleNaN`: the series has ended.
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// Which of the two messages a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// `prometheus.WriteRequest`.
    V1,
    /// `io.prometheus.write.v2.Request`.
    V2,
}

/// What a request holds.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Samples as data.
    pub(super) data: Vec<MetricDatum>,
    /// How many there are.
    pub(super) samples: usize,
    /// Native histograms by series.
    pub(super) histograms: Vec<NativeSeries>,
    /// Why others were not taken.
    pub(super) fault: Option<&'static str>,
}

impl Version {
    /// Reads the content type.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, BodyFault> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let mut parts = kind.unwrap_or_default().split(';').map(str::trim);
        if parts.next() != Some("application/x-protobuf") {
            return Err((415, "the content type is not application/x-protobuf"));
        }
        match parts.find_map(|part| part.strip_prefix("proto=")) {
            None | Some("prometheus.WriteRequest") => Ok(Self::V1),
            Some("io.prometheus.write.v2.Request") => Ok(Self::V2),
            Some(_) => Err((415, "the protobuf message of the content type is not known")),
        }
    }
}

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<NativeHistogram>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct RequestV2 {
    #[prost(string, repeated, tag = "4")]
    symbols: Vec<String>,
    #[prost(message, repeated, tag = "5")]
    timeseries: Vec<TimeSeriesV2>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeriesV2 {
    #[prost(uint32, repeated, tag = "1")]
    labels_refs: Vec<u32>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    histograms: Vec<NativeHistogram>,
}

/// Reads a request of the first version whose series were all sent before, or are as they should
/// be: a series is looked up by the bytes of its labels. `None` for every other body.
fn skim(body: &[u8], spellings: &Spellings) -> Option<Written> {
    let mut written = Written::default();
    let (look, mut fresh, mut spelling) = (spellings.look(), Vec::new(), Vec::new());
    let mut samples: Vec<Sample> = Vec::new();
    let mut request = Fields(body);
    while let Some((tag, series)) = request.next()? {
        if tag != SERIES {
            continue;
        }
        spelling.clear();
        samples.clear();
        let mut fields = Fields(series);
        while let Some((tag, field)) = fields.next()? {
            match tag {
                LABELS => {
                    spelling.extend_from_slice(&u32::try_from(field.len()).ok()?.to_le_bytes());
                    spelling.extend_from_slice(field);
                }
                SAMPLES => samples.push(Sample::decode(field).ok()?),
                HISTOGRAMS => return None,
                _ => {}
            }
        }
        if let Some(metric) = look.find(&spelling) {
            written.samples(&metric.metric_name, &metric.dimensions, &samples);
            continue;
        }
        let series = TimeSeries::decode(series).ok()?;
        let labels = series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str()));
        let (metric_name, dimensions) = metric(labels).ok()?;
        written.samples(&metric_name, &dimensions, &samples);
        let (unit, storage_resolution) = (StandardUnit::None, StorageResolution::Standard);
        let metric = SpelledMetric { metric_name, dimensions, unit, storage_resolution };
        fresh.push((spelling.clone(), metric));
    }
    drop(look);
    spellings.keep(fresh);
    Some(written)
}

/// Keys of fields that hold messages: number and wire type.
const SERIES: u64 = 1 << 3 | 2;
const LABELS: u64 = 1 << 3 | 2;
const SAMPLES: u64 = 2 << 3 | 2;
const HISTOGRAMS: u64 = 4 << 3 | 2;

/// The fields of a message that all hold messages, texts or bytes.
struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    /// The next field; the outer `None` for a body that the whole reader must look at.
    #[expect(clippy::option_option, reason = "the end is not a fault")]
    fn next(&mut self) -> Option<Option<(u64, &'b [u8])>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let key = self.varint()?;
        if key & 7 != 2 || key >> 3 == 0 {
            return None;
        }
        let length = usize::try_from(self.varint()?).ok()?;
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(Some((key, field)))
    }

    fn varint(&mut self) -> Option<u64> {
        // Four bytes hold every key and length that a body can have.
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

/// Reads a request. Samples keep their label set as dimensions; the end of a series has no value.
pub(super) fn read(
    body: &[u8],
    version: Version,
    spellings: &Spellings,
) -> Result<Written, &'static str> {
    const NOT: &str = "the body is not a remote write request";
    if version == Version::V1
        && let Some(written) = skim(body, spellings)
    {
        return Ok(written);
    }
    let mut written = Written::default();
    match version {
        Version::V1 => {
            let request = WriteRequest::decode(body).map_err(|_fault| NOT)?;
            for series in &request.timeseries {
                let labels = series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str()));
                written.series(labels, &series.samples, &series.histograms);
            }
        }
        Version::V2 => {
            let request = RequestV2::decode(body).map_err(|_fault| NOT)?;
            for series in &request.timeseries {
                let symbol = |at: &u32| {
                    let at = usize::try_from(*at).ok()?;
                    request.symbols.get(at).map(String::as_str)
                };
                let pair = |pair: &[u32]| match pair {
                    [name, value] => symbol(name).zip(symbol(value)),
                    _ => None,
                };
                let labels: Option<Vec<_>> = series.labels_refs.chunks(2).map(pair).collect();
                let labels = labels.ok_or("a label refers to no symbol")?;
                written.series(labels.into_iter(), &series.samples, &series.histograms);
            }
        }
    }
    Ok(written)
}

impl Written {
    fn series<'l>(
        &mut self,
        labels: impl Iterator<Item = (&'l str, &'l str)>,
        samples: &[Sample],
        histograms: &[NativeHistogram],
    ) {
        match metric(labels) {
            Ok((metric_name, dimensions)) => {
                self.samples(&metric_name, &dimensions, samples);
                if !histograms.is_empty() {
                    let histograms = histograms.to_vec();
                    self.histograms.push(NativeSeries { metric_name, dimensions, histograms });
                }
            }
            Err(fault) => {
                self.fault.get_or_insert(fault);
            }
        }
    }

    fn samples(&mut self, metric_name: &Arc<str>, dimensions: &Dimensions, samples: &[Sample]) {
        for sample in samples {
            if !sample.value.is_finite() {
                let is_end = sample.value.to_bits() == STALE;
                if !is_end && !sample.value.is_nan() {
                    self.fault.get_or_insert("a sample is infinite");
                }
                continue;
            }
            self.samples += 1;
            self.data.push(MetricDatum {
                metric_name: Arc::clone(metric_name),
                dimensions: dimensions.clone(),
                timestamp: Timestamp::from_millis(sample.timestamp),
                value: MetricValue::Value(sample.value),
                unit: StandardUnit::None,
                storage_resolution: StorageResolution::Standard,
            });
        }
    }
}

/// The metric that labels name.
fn metric<'l>(
    labels: impl Iterator<Item = (&'l str, &'l str)>,
) -> Result<(Arc<str>, Dimensions), &'static str> {
    let mut name: Option<Arc<str>> = None;
    let mut dimensions = Vec::new();
    for (label, value) in labels {
        match label {
            "__name__" => name = Some(value.into()),
            // A label without a value is the same as no label.
            _ if value.is_empty() => {}
            _ if value.len() > VALUE_BYTES_MAX => {
                return Err("a label's value is longer than 1024 bytes");
            }
            _ => dimensions.push(Dimension { name: label.into(), value: value.into() }),
        }
    }
    let metric_name = name
        .filter(|name| !name.is_empty() && name.len() <= 255)
        .ok_or("a series has no name, or one longer than 255 bytes")?;
    if dimensions.len() > DIMENSIONS_MAX {
        return Err("a series has more than 30 labels");
    }
    Ok((metric_name, dimensions.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label((name, value): (&str, &str)) -> Label {
        Label { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn samples_become_data_and_the_end_of_a_series_none() {
        let labels = [("__name__", "up"), ("job", "shop"), ("empty", "")].map(label).to_vec();
        let sample = |value, timestamp| Sample { value, timestamp };
        let samples = vec![sample(1.0, 1000), sample(f64::from_bits(STALE), 2000)];
        let request =
            WriteRequest { timeseries: vec![TimeSeries { labels, samples, histograms: vec![] }] };
        let written = read(&request.encode_to_vec(), Version::V1, &Spellings::default()).unwrap();
        assert_eq!((written.samples, written.fault), (1, None));
        let datum = &written.data[0];
        assert_eq!(&*datum.metric_name, "up");
        assert_eq!(datum.dimensions, Dimensions::of([("job", "shop")]));
        assert_eq!(datum.timestamp, Timestamp::from_millis(1000));
    }

    #[test]
    fn the_second_version_reads_its_symbols_and_refuses_a_wrong_one() {
        let symbols = ["", "__name__", "up"].map(str::to_owned).to_vec();
        let request = |refs: Vec<u32>| RequestV2 {
            symbols: symbols.clone(),
            timeseries: vec![TimeSeriesV2 {
                labels_refs: refs,
                samples: vec![Sample { value: 2.0, timestamp: 1 }],
                histograms: vec![NativeHistogram::default()],
            }],
        };
        let written =
            read(&request(vec![1, 2]).encode_to_vec(), Version::V2, &Spellings::default()).unwrap();
        assert_eq!(written.samples, 1);
        assert_eq!((written.fault, written.histograms.len()), (None, 1));
        for refs in [vec![1, 7], vec![1]] {
            assert!(
                read(&request(refs).encode_to_vec(), Version::V2, &Spellings::default()).is_err()
            );
        }
    }

    #[test]
    fn what_is_skimmed_is_what_the_whole_reader_reads() {
        let series = |value: &str, samples: Vec<Sample>| TimeSeries {
            labels: [("__name__", "up"), ("job", value)].map(label).to_vec(),
            samples,
            histograms: vec![],
        };
        let sample = |value, timestamp| Sample { value, timestamp };
        let long = "x".repeat(1025);
        let spellings = Spellings::default();
        for timeseries in [
            vec![],
            vec![series("a", vec![sample(1.5, 1000)]), series("b", vec![sample(-2.0, -5)])],
            // Seen before, with other samples.
            vec![series("a", vec![sample(3.0, 2000), sample(f64::from_bits(STALE), 3000)])],
            vec![series("b", vec![sample(f64::INFINITY, 1)]), series("a", vec![])],
            vec![series(&long, vec![sample(1.0, 1)]), series("a", vec![sample(1.0, 1)])],
            vec![TimeSeries { labels: vec![], ..series("", vec![sample(1.0, 1)]) }],
            vec![TimeSeries {
                histograms: vec![NativeHistogram::default()],
                ..series("a", vec![])
            }],
        ] {
            let body = WriteRequest { timeseries }.encode_to_vec();
            let request = WriteRequest::decode(&*body).unwrap();
            let mut whole = Written::default();
            for series in &request.timeseries {
                let labels = series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str()));
                whole.series(labels, &series.samples, &series.histograms);
            }
            let read = read(&body, Version::V1, &spellings).unwrap();
            assert_eq!(
                (read.data, read.samples, read.fault),
                (whole.data, whole.samples, whole.fault)
            );
            for cut in 0..body.len() {
                let cut = &body[..cut];
                let is_whole = WriteRequest::decode(cut).is_ok();
                assert!(skim(cut, &spellings).is_none() || is_whole, "cut at {}", cut.len());
            }
        }
    }
}
