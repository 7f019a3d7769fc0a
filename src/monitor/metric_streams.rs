//! Metric streams: what metrics did in each minute, as files for a delivery stream.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, ResourceMetrics, ScopeMetrics, Summary, SummaryDataPoint,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::kind;
use super::logs::OUTGOING_BUCKET;
use crate::alarm::Tag;
use crate::store::{AppendError, Bucket, BucketError, MetricFilter, ReadError, Store};
use crate::telemetry::{MetricId, Scope};
use crate::time::{Clock, Period, TimeRange, Timestamp};

const EVERY: Duration = Duration::from_secs(20);
/// A minute is sent so long after its end, so that what comes a little late is in it.
const SETTLED_AFTER: Duration = Duration::from_secs(30);
/// A stream that was down for longer goes on here.
const BEHIND_MAX: Duration = Duration::from_secs(3600);

/// A metric stream, by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MetricStreamRow {
    /// The metrics it sends; all where it is empty.
    pub include: Vec<MetricStreamFilter>,
    /// The metrics it does not send.
    pub exclude: Vec<MetricStreamFilter>,
    /// The delivery stream it sends to.
    pub firehose_arn: String,
    /// Taken on trust.
    pub role_arn: String,
    /// In which form.
    pub output_format: StreamFormat,
    /// Kept as they were given.
    pub statistics: Vec<Value>,
    /// Kept as it was given.
    pub linked_accounts: bool,
    /// Whether it sends.
    pub running: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

/// Metrics of a namespace.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetricStreamFilter {
    /// The namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Those of these names; all where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metric_names: Vec<String>,
}

/// The form of what a metric stream sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamFormat {
    /// A JSON object a line.
    #[serde(rename = "json")]
    Json,
    /// OTLP 0.7, which is not made here.
    #[serde(rename = "opentelemetry0.7")]
    OpenTelemetry07,
    /// OTLP 1.0: export requests in protobuf, each after its length.
    #[serde(rename = "opentelemetry1.0")]
    OpenTelemetry10,
}

impl MetricStreamFilter {
    fn fits(&self, metric: &MetricId) -> bool {
        self.namespace.as_deref().is_none_or(|namespace| namespace == &*metric.namespace)
            && (self.metric_names.is_empty()
                || self.metric_names.iter().any(|name| **name == *metric.metric_name))
    }
}

impl MetricStreamRow {
    fn sends(&self, metric: &MetricId) -> bool {
        let fits = |filter: &MetricStreamFilter| filter.fits(metric);
        (self.include.is_empty() || self.include.iter().any(fits)) && !self.exclude.iter().any(fits)
    }
}

/// Sends what metric streams are for: each minute that is over, as one compressed file in the
/// bucket of what is meant for services elsewhere.
///
/// Source: CloudWatch User Guide, "CloudWatch metric stream output in JSON format" and "in
/// OpenTelemetry 1.0.0 format". Differs: data that come later than half a minute after their minute
/// are not sent; AWS waits up to two hours.
#[derive(Debug)]
pub(super) struct MetricStreams {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
}

#[derive(Debug, Error)]
enum StreamFault {
    #[error("the metrics cannot be read")]
    Read(#[from] ReadError),
    #[error("the file was not put")]
    Put(#[from] BucketError),
    #[error("how far the stream has come cannot be kept")]
    Keep(#[from] AppendError),
}

struct Datum {
    metric: MetricId,
    bucket: Bucket,
}

impl MetricStreams {
    /// Sends until it is stopped; what is due then is sent by a later life.
    pub(super) async fn run(self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "metric streams do not go on");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn round(&self) -> Result<(), StreamFault> {
        let resources = self.store.resources();
        let rows = resources.everywhere::<MetricStreamRow>(kind::METRIC_STREAM).await?;
        for (scope, name, row) in rows.into_iter().filter(|(_, _, row)| row.running) {
            self.send(&scope, &name, &row).await?;
        }
        Ok(())
    }

    /// Sends the minutes that are over.
    async fn send(
        &self,
        scope: &Scope,
        name: &str,
        row: &MetricStreamRow,
    ) -> Result<(), StreamFault> {
        let resources = self.store.resources();
        let minute = Period::MINUTE;
        let until = self.clock.now().minus(SETTLED_AFTER).floor(minute);
        let sent = resources.get::<Timestamp>(scope, kind::METRIC_STREAM_SENT, name).await?;
        let from = sent.unwrap_or(row.created).floor(minute);
        let mut from = from.max(until.minus(BEHIND_MAX));
        while from < until {
            let next = from.plus(Duration::from_secs(60));
            let data = self.data(scope, row, TimeRange::new(from, next)).await?;
            if !data.is_empty() {
                let (body, ending) = match row.output_format {
                    StreamFormat::Json => (lines(scope, name, &data).into_bytes(), "json"),
                    _ => (requests(scope, name, &data), "otlp"),
                };
                let stream = row.firehose_arn.rsplit('/').next().unwrap_or(name);
                let at = from.to_rfc3339();
                let hour = at.chars().take("2026-01-02T03".len()).collect::<String>();
                let hour = hour.replace(['-', 'T'], "/");
                let (account, region) = (&scope.account, &scope.region);
                let second = from.as_secs();
                // ORDER: named by its minute, so that a file put before a crash is left as it is.
                let key = format!(
                    "firehose/{stream}/{hour}/{account}-{region}-{name}-{second}.{ending}.gz"
                );
                self.store.buckets().put(OUTGOING_BUCKET, &key, compressed(&body)).await?;
            }
            from = next;
            resources.put(scope, kind::METRIC_STREAM_SENT, name, &from).await?;
        }
        Ok(())
    }

    async fn data(
        &self,
        scope: &Scope,
        row: &MetricStreamRow,
        range: TimeRange,
    ) -> Result<Vec<Datum>, StreamFault> {
        let filter = MetricFilter { active_since: Some(range.start), ..MetricFilter::default() };
        let metrics = self.store.metrics().list(scope, &filter, None, usize::MAX);
        let mut data = Vec::new();
        for metric in metrics.into_iter().filter(|metric| row.sends(metric)) {
            let form = (Period::MINUTE, None);
            let buckets = self.store.metrics().read(scope, &metric, range, form).await?;
            data.extend(buckets.into_iter().map(|bucket| Datum { metric: metric.clone(), bucket }));
        }
        Ok(data)
    }
}

fn lines(scope: &Scope, name: &str, data: &[Datum]) -> String {
    let mut lines = String::new();
    for Datum { metric, bucket } in data {
        let dimension =
            |d: &crate::telemetry::Dimension| (d.name.to_string(), Value::from(d.value.as_ref()));
        let dimensions = metric.dimensions.iter().map(dimension).collect::<Map<_, _>>();
        let summary = &bucket.summary;
        let line = json!({
            "metric_stream_name": name,
            "account_id": scope.account,
            "region": scope.region,
            "namespace": metric.namespace,
            "metric_name": metric.metric_name,
            "dimensions": dimensions,
            "timestamp": bucket.start.as_millis(),
            "value": {
                "max": summary.maximum,
                "min": summary.minimum,
                "sum": summary.sum,
                "count": summary.sample_count,
            },
            "unit": bucket.unit.as_str(),
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    lines
}

fn requests(scope: &Scope, name: &str, data: &[Datum]) -> Vec<u8> {
    let arn = scope.arn("cloudwatch", format_args!("metric-stream/{name}"));
    let attributes = vec![
        attribute("cloud.provider", text("aws")),
        attribute("cloud.account.id", text(scope.account.as_str())),
        attribute("cloud.region", text(scope.region.as_str())),
        attribute("aws.exporter.arn", text(&arn)),
    ];
    let request = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource { attributes, ..Default::default() }),
            scope_metrics: vec![ScopeMetrics {
                metrics: data.iter().map(otlp_metric).collect(),
                ..Default::default()
            }],
            ..Default::default()
        }],
    };
    request.encode_length_delimited_to_vec()
}

fn otlp_metric(Datum { metric, bucket }: &Datum) -> Metric {
    let dimension = |d: &crate::telemetry::Dimension| attribute(&d.name, text(&d.value));
    let values = metric.dimensions.iter().map(dimension).collect();
    let dimensions = AnyValue { value: Some(Any::KvlistValue(KeyValueList { values })) };
    let nanos =
        |at: Timestamp| u64::try_from(at.as_millis()).unwrap_or(0).saturating_mul(1_000_000);
    let summary = &bucket.summary;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of samples; a cast saturates"
    )]
    let count = summary.sample_count.round() as u64;
    let at = |quantile, value| ValueAtQuantile { quantile, value };
    let point = SummaryDataPoint {
        attributes: vec![
            attribute("Namespace", text(&metric.namespace)),
            attribute("MetricName", text(&metric.metric_name)),
            attribute("Dimensions", dimensions),
        ],
        start_time_unix_nano: nanos(bucket.start),
        time_unix_nano: nanos(bucket.start.plus(Duration::from_secs(60))),
        count,
        sum: summary.sum,
        quantile_values: vec![at(0.0, summary.minimum), at(1.0, summary.maximum)],
        ..Default::default()
    };
    Metric {
        name: format!("amazonaws.com/{}/{}", metric.namespace, metric.metric_name),
        unit: format!("{{{}}}", bucket.unit.as_str()),
        data: Some(Data::Summary(Summary { data_points: vec![point] })),
        ..Default::default()
    }
}

fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..Default::default() }
}

fn text(value: &str) -> AnyValue {
    AnyValue { value: Some(Any::StringValue(value.to_owned())) }
}

fn compressed(bytes: &[u8]) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let written = gzip.write_all(bytes).and_then(|()| gzip.finish());
    written.unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::query::statistic::Summary as Samples;
    use crate::store::StoreSettings;
    use crate::task::TaskGroup;
    use crate::telemetry::{Dimensions, MetricBatch, MetricDatum, StandardUnit, TelemetryBatch};
    use crate::time::ManualClock;

    fn datum() -> Datum {
        Datum {
            metric: MetricId {
                namespace: "Shop".into(),
                metric_name: "Orders".into(),
                dimensions: Dimensions::of([("Route", "/")]),
            },
            bucket: Bucket {
                start: Timestamp::from_secs(60),
                unit: StandardUnit::Count,
                summary: Samples::of_repeated(2.0, 3.0),
            },
        }
    }

    #[test]
    fn a_line_is_what_the_guide_says() {
        let line = lines(&Scope::default(), "s", &[datum()]);
        let expected = concat!(
            r#"{"metric_stream_name":"s","account_id":"123456789012","region":"us-east-1","#,
            r#""namespace":"Shop","metric_name":"Orders","dimensions":{"Route":"/"},"#,
            r#""timestamp":60000,"value":{"max":2.0,"min":2.0,"sum":6.0,"count":3.0},"#,
            r#""unit":"Count"}"#,
            "\n",
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn a_request_stands_after_its_length() {
        let bytes = requests(&Scope::default(), "s", &[datum()]);
        let request = ExportMetricsServiceRequest::decode_length_delimited(&*bytes).unwrap();
        let metric = &request.resource_metrics[0].scope_metrics[0].metrics[0];
        assert_eq!(metric.name, "amazonaws.com/Shop/Orders");
        let Some(Data::Summary(summary)) = &metric.data else { panic!("{metric:?}") };
        assert_eq!((summary.data_points[0].count, summary.data_points[0].sum), (3, 6.0));
    }

    #[test]
    fn filters_choose_by_namespace_and_name() {
        let filter = |namespace: Option<&str>, names: &[&str]| MetricStreamFilter {
            namespace: namespace.map(Into::into),
            metric_names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let metric = datum().metric;
        for (fits, filter) in [
            (true, filter(None, &[])),
            (true, filter(Some("Shop"), &["Orders"])),
            (false, filter(Some("Shop"), &["Other"])),
            (false, filter(Some("Other"), &[])),
        ] {
            assert_eq!(filter.fits(&metric), fits, "{filter:?}");
        }
    }

    async fn put(store: &Store, at: Timestamp, names: &[&str]) {
        let datum = |name: &&str| {
            let value = (4.0, StandardUnit::Count);
            MetricDatum::sample(*name, Dimensions::none(), at, value)
        };
        let data = names.iter().map(datum).collect();
        let mut batch = TelemetryBatch::new(Scope::default());
        batch.metrics.push(MetricBatch { namespace: "Shop".into(), data });
        store.append(batch).await.unwrap();
    }

    #[tokio::test]
    async fn each_minute_that_is_over_is_one_file_and_is_sent_once() {
        let folder = tempfile::tempdir().unwrap();
        let began = Timestamp::from_secs(1_795_000_020).floor(Period::MINUTE);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::frozen(began.plus_millis(155_000)));
        let tasks = TaskGroup::new();
        let settings = StoreSettings::new(folder.path());
        let store = Store::open(settings, Arc::clone(&clock), &tasks).await.unwrap();
        put(&store, began.plus_millis(1_000), &["Orders", "Other"]).await;
        put(&store, began.plus_millis(61_000), &["Orders"]).await;
        // This minute is not over yet.
        put(&store, began.plus_millis(121_000), &["Orders"]).await;
        let row = MetricStreamRow {
            include: vec![MetricStreamFilter {
                namespace: Some("Shop".into()),
                metric_names: vec!["Orders".into()],
            }],
            exclude: Vec::new(),
            firehose_arn: "arn:aws:firehose:us-east-1:1:deliverystream/out".into(),
            role_arn: "r".into(),
            output_format: StreamFormat::Json,
            statistics: Vec::new(),
            linked_accounts: false,
            running: true,
            created: began,
            updated: began,
            tags: Vec::new(),
        };
        let scope = Scope::default();
        store.resources().put(&scope, kind::METRIC_STREAM, "s", &row).await.unwrap();
        let streams = MetricStreams { store: store.clone(), clock };
        streams.round().await.unwrap();
        streams.round().await.unwrap();
        let pattern = folder.path().join("buckets/outgoing/firehose/out");
        let mut files = files(&pattern);
        files.sort();
        assert_eq!(files.len(), 2, "{files:?}");
        let mut text = String::new();
        let file = std::fs::File::open(&files[1]).unwrap();
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
        let line: Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!((&line["metric_name"], &line["value"]["sum"]), (&json!("Orders"), &json!(4.0)));
        assert_eq!(line["timestamp"], began.as_millis() + 60_000);
        store.close().await.unwrap();
    }

    fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let nested = |path: std::path::PathBuf| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        };
        entries.flat_map(nested).collect()
    }
}
