use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::types::{Float64Type, UInt32Type};

use super::columns::{Column, Columns, LastText, blobs, numbers, scopes, texts, times};
use super::parts::{Key, Span};
use super::table::Table;
use crate::query::statistic::Summary;
use crate::store::catalog::{dimensions_of, dimensions_text};
use crate::store::codec::{Chunk, Fault};
use crate::telemetry::{MetricId, Scope, StandardUnit};
use crate::time::Timestamp;

/// One chunk of one series: its buckets encoded, and their totals in plain columns beside it.
#[derive(Clone, Debug)]
pub(in crate::store) struct MetricRow {
    pub(in crate::store) scope: Scope,
    pub(in crate::store) metric: MetricId,
    pub(in crate::store) unit: StandardUnit,
    pub(in crate::store) resolution_secs: u32,
    pub(in crate::store) chunk: Chunk,
    totals: [f64; 4],
}

impl MetricRow {
    /// The row of a chunk.
    pub(in crate::store) fn new(
        scope: Scope,
        metric: MetricId,
        (unit, resolution_secs): (StandardUnit, u32),
        chunk: Chunk,
    ) -> Result<Self, Fault> {
        let mut samples = Vec::with_capacity(chunk.points);
        let totals = if chunk.decode_samples(&mut samples)? {
            totals_of_samples(&samples)
        } else {
            totals_of_points(&chunk)?
        };
        Ok(Self { scope, metric, unit, resolution_secs, chunk, totals })
    }
}

fn totals_of_samples(samples: &[(i64, f64)]) -> [f64; 4] {
    let mut totals = [0.0, 0.0, f64::INFINITY, f64::NEG_INFINITY];
    let [count, sum, minimum, maximum] = &mut totals;
    for (_, value) in samples {
        *count += 1.0;
        *sum += value;
        *minimum = minimum.min(*value);
        *maximum = maximum.max(*value);
    }
    totals
}

fn totals_of_points(chunk: &Chunk) -> Result<[f64; 4], Fault> {
    let mut total: Option<Summary> = None;
    for (_, point) in chunk.decode()? {
        let mut summary = point.to_summary();
        // Only the totals are wanted here; spreads would be merged for nothing.
        summary.distribution = None;
        match &mut total {
            Some(total) => total.merge(&summary),
            None => total = Some(summary),
        }
    }
    let total = total.ok_or(Fault::Value)?;
    Ok([total.sample_count, total.sum, total.minimum, total.maximum])
}

pub(in crate::store) fn metric_key(scope: &Scope, metric: &MetricId) -> Key {
    let key = Key::of_scope(scope).text(&metric.namespace).text(&metric.metric_name);
    key.text(&dimensions_text(&metric.dimensions))
}

#[derive(Debug)]
pub(in crate::store) struct MetricTable;

impl Table for MetricTable {
    type Row = MetricRow;
    const NAME: &'static str = "metrics";
    const ROWS_MAX: usize = 256;
    const UNIQUE_COLUMNS: &'static [&'static str] =
        &["chunk", "sample_count", "sum", "minimum", "maximum"];

    fn span(row: &MetricRow) -> Span {
        Span {
            key: metric_key(&row.scope, &row.metric),
            first: Timestamp::from_secs(row.chunk.first_secs),
            last: Timestamp::from_secs(row.chunk.last_secs),
        }
    }

    fn bytes(row: &MetricRow) -> usize {
        // What a point takes as an instant and a float.
        row.chunk.points * 16
    }

    fn columns(rows: &[MetricRow]) -> Vec<Column> {
        let total = |name, at: usize| {
            numbers::<Float64Type>(
                name,
                rows.iter().map(move |row| row.totals.get(at).copied().unwrap_or_default()),
            )
        };
        let dimensions: Vec<String> =
            rows.iter().map(|row| dimensions_text(&row.metric.dimensions)).collect();
        let mut columns: Vec<Column> = scopes(rows.iter().map(|row| &row.scope)).into();
        columns.extend([
            texts("namespace", rows.iter().map(|row| &*row.metric.namespace)),
            texts("metric_name", rows.iter().map(|row| &*row.metric.metric_name)),
            texts("dimensions", dimensions.iter().map(String::as_str)),
            texts("unit", rows.iter().map(|row| row.unit.as_str())),
            numbers::<UInt32Type>("resolution", rows.iter().map(|row| row.resolution_secs)),
            times("first", rows.iter().map(|row| Timestamp::from_secs(row.chunk.first_secs))),
            times("last", rows.iter().map(|row| Timestamp::from_secs(row.chunk.last_secs))),
            numbers::<UInt32Type>(
                "points",
                rows.iter().map(|row| u32::try_from(row.chunk.points).unwrap_or(u32::MAX)),
            ),
            total("sample_count", 0),
            total("sum", 1),
            total("minimum", 2),
            total("maximum", 3),
            blobs("chunk", rows.iter().map(|row| &*row.chunk.bytes)),
        ]);
        columns
    }

    fn rows(batch: &RecordBatch) -> Result<Vec<MetricRow>, Fault> {
        let columns = Columns(batch);
        let mut scope = columns.scope()?;
        let (namespace, name) = (columns.text("namespace")?, columns.text("metric_name")?);
        let (dimensions, unit) = (columns.text("dimensions")?, columns.text("unit")?);
        let resolution = columns.number::<UInt32Type>("resolution")?;
        let points = columns.number::<UInt32Type>("points")?;
        let (first, last) = (columns.time("first")?, columns.time("last")?);
        let total = |name| columns.number::<Float64Type>(name);
        let (count, sum) = (total("sample_count")?, total("sum")?);
        let (minimum, maximum) = (total("minimum")?, total("maximum")?);
        let chunk = columns.blob("chunk")?;
        let (mut namespaces, mut names) = (LastText::default(), LastText::default());
        let row = |row| {
            Ok(MetricRow {
                scope: scope(row)?,
                metric: MetricId {
                    namespace: namespaces.share(namespace(row)),
                    metric_name: names.share(name(row)),
                    dimensions: dimensions_of(dimensions(row)).ok_or(Fault::Value)?,
                },
                unit: unit(row).parse().map_err(|_unknown| Fault::Value)?,
                resolution_secs: resolution(row),
                chunk: Chunk {
                    first_secs: first(row).as_secs(),
                    last_secs: last(row).as_secs(),
                    points: usize::try_from(points(row)).map_err(|_huge| Fault::Value)?,
                    bytes: Arc::from(chunk(row)),
                },
                totals: [count(row), sum(row), minimum(row), maximum(row)],
            })
        };
        (0..batch.num_rows()).map(row).collect()
    }
}
