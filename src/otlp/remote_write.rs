//! Prometheus remote write, 1.0 and 2.0.

use std::sync::Arc;

use http::{HeaderMap, header};
use prost::Message;

use super::body::BodyFault;
use super::metrics::{NativeHistogram, NativeSeries};
use crate::telemetry::{
    Dimension, Dimensions, MetricDatum, MetricValue, StandardUnit, StorageResolution,
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

/// Reads a request. Samples keep their label set as dimensions; the end of a series has no value.
pub(super) fn read(body: &[u8], version: Version) -> Result<Written, &'static str> {
    const NOT: &str = "the body is not a remote write request";
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
        let mut name: Option<Arc<str>> = None;
        let mut dimensions = Vec::new();
        for (label, value) in labels {
            match label {
                "__name__" => name = Some(value.into()),
                // A label without a value is the same as no label.
                _ if value.is_empty() => {}
                _ if value.len() > VALUE_BYTES_MAX => {
                    self.fault.get_or_insert("a label's value is longer than 1024 bytes");
                    return;
                }
                _ => dimensions.push(Dimension { name: label.into(), value: value.into() }),
            }
        }
        let Some(metric_name) = name.filter(|name| !name.is_empty() && name.len() <= 255) else {
            self.fault.get_or_insert("a series has no name, or one longer than 255 bytes");
            return;
        };
        if dimensions.len() > DIMENSIONS_MAX {
            self.fault.get_or_insert("a series has more than 30 labels");
            return;
        }
        let dimensions = Dimensions::from(dimensions);
        if !histograms.is_empty() {
            self.histograms.push(NativeSeries {
                metric_name: Arc::clone(&metric_name),
                dimensions: dimensions.clone(),
                histograms: histograms.to_vec(),
            });
        }
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
                metric_name: Arc::clone(&metric_name),
                dimensions: dimensions.clone(),
                timestamp: Timestamp::from_millis(sample.timestamp),
                value: MetricValue::Value(sample.value),
                unit: StandardUnit::None,
                storage_resolution: StorageResolution::Standard,
            });
        }
    }
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
        let written = read(&request.encode_to_vec(), Version::V1).unwrap();
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
        let written = read(&request(vec![1, 2]).encode_to_vec(), Version::V2).unwrap();
        assert_eq!(written.samples, 1);
        assert_eq!((written.fault, written.histograms.len()), (None, 1));
        for refs in [vec![1, 7], vec![1]] {
            assert!(read(&request(refs).encode_to_vec(), Version::V2).is_err());
        }
    }
}
