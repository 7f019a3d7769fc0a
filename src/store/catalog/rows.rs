use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, Row, Transaction, params};

use super::StreamTimes;
use crate::store::codec::SeriesNumber;
use crate::store::directory::{Directory, Group, Stream};
use crate::store::lsn::Lsn;
use crate::store::series::{KnownSeries, SeriesEntry};
use crate::telemetry::{AccountId, BatchId, Dimensions, MetricId, Region, Scope};
use crate::time::Timestamp;

pub(super) fn id_to_sql(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

fn id_from_sql(id: i64) -> u64 {
    u64::try_from(id).unwrap_or(0)
}

/// The scope in columns `at` and `at + 1`; an account that is none is an empty default scope's.
pub(super) fn scope(row: &Row<'_>, at: usize) -> rusqlite::Result<Scope> {
    let account: String = row.get(at)?;
    let region: String = row.get(at + 1)?;
    let account = AccountId::new(&account).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, error.into())
    })?;
    Ok(Scope { account, region: Region::new(&region) })
}

fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(Timestamp::from_millis))
}

fn text(row: &Row<'_>, at: usize) -> rusqlite::Result<Arc<str>> {
    row.get_ref(at)?.as_str().map(Arc::from).map_err(Into::into)
}

pub(super) fn load_directory(
    connection: &Connection,
    directory: &mut Directory,
) -> rusqlite::Result<()> {
    let mut streams: HashMap<u64, Vec<(Arc<str>, Stream)>> = HashMap::new();
    let sql = "select log_group, name, id, created, first_event, last_event, last_ingestion
               from log_stream";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let stream = Stream {
            id: id_from_sql(row.get(2)?),
            created: Timestamp::from_millis(row.get(3)?),
            first_event: time(row, 4)?,
            last_event: time(row, 5)?,
            last_ingestion: time(row, 6)?,
        };
        streams.entry(id_from_sql(row.get(0)?)).or_default().push((text(row, 1)?, stream));
    }
    let sql = "select account, region, name, id, created, retention_days, horizon from log_group";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut group = Group {
            id: id_from_sql(row.get(3)?),
            created: Timestamp::from_millis(row.get(4)?),
            retention_days: row.get(5)?,
            horizon: Timestamp::from_millis(row.get(6)?),
            streams: std::collections::BTreeMap::new(),
            stream_names: HashMap::new(),
        };
        for (name, stream) in streams.remove(&group.id).unwrap_or_default() {
            group.add_stream(&name, stream);
        }
        directory.load_group(scope(row, 0)?, text(row, 2)?, group);
    }
    Ok(())
}

pub(super) fn save_stream_times(
    transaction: &Transaction<'_>,
    streams: &[StreamTimes],
) -> rusqlite::Result<()> {
    let sql = "update log_stream set first_event = ?2, last_event = ?3, last_ingestion = ?4
               where id = ?1";
    let mut statement = transaction.prepare_cached(sql)?;
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    for stream in streams {
        let (first, last) = (millis(stream.first_event), millis(stream.last_event));
        let row = params![id_to_sql(stream.id), first, last, millis(stream.last_ingestion)];
        statement.execute(row)?;
    }
    Ok(())
}

/// Dimensions as one JSON array, in their own order: equal sets are equal texts.
pub(in crate::store) fn dimensions_text(dimensions: &Dimensions) -> String {
    let pairs: Vec<[&str; 2]> = dimensions.iter().map(|d| [&*d.name, &*d.value]).collect();
    serde_json::json!(pairs).to_string()
}

pub(in crate::store) fn dimensions_of(text: &str) -> Option<Dimensions> {
    let pairs: Vec<(String, String)> = serde_json::from_str(text).ok()?;
    Some(Dimensions::of(pairs))
}

pub(super) fn load_series(connection: &Connection) -> rusqlite::Result<Vec<KnownSeries>> {
    let sql = "select account, region, namespace, metric_name, dimensions, last_data,
               last_received, number from metric";
    let number = |row: &Row<'_>| row.get(7).map(SeriesNumber).map(Some);
    load_known(connection, sql, number)
}

pub(super) fn load_unnumbered_series(
    connection: &Connection,
) -> rusqlite::Result<Vec<KnownSeries>> {
    let sql = "select account, region, namespace, metric_name, dimensions, last_data,
               last_received from series";
    load_known(connection, sql, |_| Ok(None))
}

fn load_known(
    connection: &Connection,
    sql: &str,
    number: impl Fn(&Row<'_>) -> rusqlite::Result<Option<SeriesNumber>>,
) -> rusqlite::Result<Vec<KnownSeries>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        let dimensions = dimensions_of(row.get_ref(4)?.as_str()?).unwrap_or_default();
        let (namespace, metric_name) = (text(row, 2)?, text(row, 3)?);
        let at = |column| row.get(column).map(Timestamp::from_millis);
        Ok(KnownSeries {
            number: number(row)?,
            scope: scope(row, 0)?,
            metric: MetricId { namespace, metric_name, dimensions },
            last_data: at(5)?,
            last_received: at(6)?,
        })
    })?;
    rows.collect()
}

/// Keeps the names that numbers stand for, before anything of them was heard.
pub(super) fn name_series(
    transaction: &Transaction<'_>,
    series: &[(SeriesNumber, Scope, MetricId)],
) -> rusqlite::Result<()> {
    let sql = "insert or ignore into metric
               (number, account, region, namespace, metric_name, dimensions, last_data,
                last_received) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
    let mut statement = transaction.prepare_cached(sql)?;
    for (SeriesNumber(number), scope, metric) in series {
        statement.execute(params![
            number,
            scope.account.as_str(),
            scope.region.as_str(),
            &*metric.namespace,
            &*metric.metric_name,
            dimensions_text(&metric.dimensions),
            Timestamp::MIN.as_millis(),
        ])?;
    }
    Ok(())
}

pub(super) fn save_series(
    transaction: &Transaction<'_>,
    series: &[Arc<SeriesEntry>],
) -> rusqlite::Result<()> {
    let sql = "update metric set last_data = ?2, last_received = ?3 where number = ?1";
    let mut statement = transaction.prepare_cached(sql)?;
    for entry in series {
        let times = (entry.last_data().as_millis(), entry.last_received().as_millis());
        statement.execute(params![entry.number.0, times.0, times.1])?;
    }
    Ok(())
}

pub(super) fn load_batches(
    connection: &Connection,
) -> rusqlite::Result<Vec<(Scope, BatchId, Lsn)>> {
    let mut statement = connection.prepare("select account, region, id, lsn from batch")?;
    let rows = statement.query_map([], |row| {
        Ok((scope(row, 0)?, BatchId(row.get(2)?), Lsn::from_sql(row.get(3)?)))
    })?;
    rows.collect()
}

pub(super) fn save_batches(
    transaction: &Transaction<'_>,
    batches: &[(Scope, BatchId, Lsn, Timestamp)],
    forget_before: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "insert or ignore into batch (account, region, id, lsn, received)
               values (?1, ?2, ?3, ?4, ?5)";
    let mut statement = transaction.prepare_cached(sql)?;
    for (scope, BatchId(id), lsn, received) in batches {
        let (account, region) = (scope.account.as_str(), scope.region.as_str());
        let row = params![account, region, id, lsn.to_sql(), received.as_millis()];
        statement.execute(row)?;
    }
    let sql = "delete from batch where received < ?1";
    transaction.prepare_cached(sql)?.execute([forget_before.as_millis()])?;
    Ok(())
}
