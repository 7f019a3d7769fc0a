//! Export tasks: a group's events as compressed lines in a bucket, in AWS's layout.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::fault::{
    INVALID_OPERATION, INVALID_PARAMETER, LIMIT_EXCEEDED, NOT_FOUND, bad_token, no_group,
};
use super::group;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::store::{
    BucketError, Buckets, Direction, LogSearch, ReadError, ResourceChanges, StreamSelection,
};
use crate::time::{TimeRange, Timestamp};

/// Tasks by id.
const KIND: &str = "log-export-task";
/// How long CreateExportTask waits, so that a small export is complete at the first look.
const SMALL: Duration = Duration::from_secs(1);
/// So many bytes of lines become one object.
const OBJECT_BYTES_MAX: usize = 32 * 1024 * 1024;
const PAGE: usize = 10_000;
const STREAMS: usize = 500;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    name: Option<String>,
    group: Arc<str>,
    stream_prefix: Option<String>,
    from: i64,
    to: i64,
    bucket: String,
    prefix: String,
    status: Status,
    message: String,
    created: Timestamp,
    completed: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    Cancelled,
    Completed,
    Failed,
    Pending,
    PendingCancel,
    Running,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateInput {
    task_name: Option<String>,
    log_group_name: Arc<str>,
    log_stream_name_prefix: Option<String>,
    from: i64,
    to: i64,
    destination: String,
    destination_prefix: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateOutput {
    task_id: String,
}

/// Source: CloudWatch Logs API Reference, CreateExportTask.
/// Differs: the bucket is a folder of the data folder; any that can be named is there.
pub(super) async fn create(call: Call, input: CreateInput) -> Answer<CreateOutput> {
    group::check_name(&input.log_group_name)?;
    Constraints::new()
        .range("from", Some(input.from), 0, i64::MAX)
        .range("to", Some(input.to), 0, i64::MAX)
        .length("destination", &input.destination, 1, 512)
        .done(INVALID_PARAMETER)?;
    let group = call.state().store.logs().group(call.scope(), &input.log_group_name);
    let group = group.ok_or_else(no_group)?;
    if input.from > input.to || Timestamp::from_millis(input.to) < group.created {
        return Err(INVALID_PARAMETER.because("The specified time range is not valid."));
    }
    if !Buckets::is_name(&input.destination) {
        return Err(INVALID_PARAMETER.because("The given bucket does not exist."));
    }
    if call.exports().count(call.scope()) > 0 {
        return Err(LIMIT_EXCEEDED.because("Resource limit exceeded."));
    }
    let row = Row {
        name: input.task_name,
        group: input.log_group_name,
        stream_prefix: input.log_stream_name_prefix,
        from: input.from,
        to: input.to,
        bucket: input.destination,
        prefix: input.destination_prefix.unwrap_or_else(|| "exportedlogs".to_owned()),
        status: Status::Running,
        message: "Started successfully".to_owned(),
        created: call.now(),
        completed: None,
    };
    let task_id = uuid::Uuid::new_v4().to_string();
    call.apply(ResourceChanges::new().put(KIND, &task_id, &row)?).await?;
    start(&call, task_id.clone(), row).await;
    Ok(CreateOutput { task_id })
}

async fn start(call: &Call, id: String, row: Row) {
    let tasks = &call.state().tasks;
    let stop = tasks.stop_token().child_token();
    call.exports().add(&id, call.scope(), &stop);
    let (ended, end) = tokio::sync::oneshot::channel();
    let running = call.clone();
    tasks.spawn(format!("export {id}"), |_stop| async move {
        export(running, id, row, stop).await;
        // Nobody waits for an export that is not small.
        ended.send(()).unwrap_or(());
    });
    drop(tokio::time::timeout(SMALL, end).await);
}

#[derive(Debug, Error)]
enum ExportFault {
    #[error("the events cannot be read")]
    Read(#[from] ReadError),
    #[error("the objects cannot be put")]
    Put(#[from] BucketError),
}

async fn export(call: Call, id: String, mut row: Row, stop: CancellationToken) {
    let ended = tokio::select! {
        ended = write(&call, &id, &row) => Some(ended),
        () = stop.cancelled() => None,
    };
    (row.status, row.message) = match ended {
        None => (Status::Cancelled, "Cancelled".to_owned()),
        Some(Ok(())) => (Status::Completed, "Completed successfully".to_owned()),
        Some(Err(error)) => {
            tracing::warn!(task = %id, %error, "export failed");
            (Status::Failed, error.to_string())
        }
    };
    row.completed = Some(call.state().clock.now());
    let kept = match ResourceChanges::new().put(KIND, &id, &row) {
        Ok(changes) => call.state().store.resources().apply(call.scope(), changes).await,
        Err(error) => Err(error),
    };
    if let Err(error) = kept {
        tracing::warn!(task = %id, %error, "end of an export not kept");
    }
    // ORDER: kept, then no longer running: who sees it end finds how.
    call.exports().remove(&id);
}

/// Source: CloudWatch Logs User Guide, "Exporting log data to Amazon S3".
async fn write(call: &Call, id: &str, row: &Row) -> Result<(), ExportFault> {
    let buckets = call.state().store.buckets();
    let check = join(&row.prefix, "aws-logs-write-test");
    buckets.put(&row.bucket, &check, Bytes::from_static(b"Permission Check Successful")).await?;
    let prefix = row.stream_prefix.as_deref().unwrap_or_default();
    let mut after: Option<String> = None;
    loop {
        let place = (call.scope(), &*row.group);
        let logs = call.state().store.logs();
        let streams = logs.streams(place, prefix, after.as_deref(), STREAMS);
        for stream in &streams {
            write_stream(call, (id, row), &stream.name).await?;
        }
        match streams.last() {
            Some(last) if streams.len() == STREAMS => after = Some(last.name.to_string()),
            _ => return Ok(()),
        }
    }
}

async fn write_stream(
    call: &Call,
    (id, row): (&str, &Row),
    stream: &str,
) -> Result<(), ExportFault> {
    let mask = group::mask(call, &row.group, None);
    let range = TimeRange::new(
        Timestamp::from_millis(row.from),
        Timestamp::from_millis(row.to).plus_millis(1),
    );
    let folder = join(&row.prefix, &format!("{id}/{}", stream.replace('/', "-")));
    let (mut lines, mut number, mut token) = (String::new(), 0_u32, None::<String>);
    loop {
        let search = LogSearch {
            group: &row.group,
            streams: StreamSelection::Named(&[stream]),
            range,
            direction: Direction::OldestFirst,
            token: token.as_deref(),
            limit: PAGE,
        };
        let logs = call.state().store.logs();
        let found = logs.filter_events(call.scope(), &search, &|_| true).await?;
        for event in found.events {
            let message = mask.apply(event.ingestion_time, &event.message);
            for part in [&event.timestamp.to_string(), " ", &message, "\n"] {
                lines.push_str(part);
            }
        }
        token = found.next_token;
        if lines.len() > OBJECT_BYTES_MAX || token.is_none() && !lines.is_empty() {
            let key = format!("{folder}/{number:06}.gz");
            let object = compressed(&std::mem::take(&mut lines));
            call.state().store.buckets().put(&row.bucket, &key, object).await?;
            number += 1;
        }
        if token.is_none() {
            return Ok(());
        }
    }
}

fn join(prefix: &str, rest: &str) -> String {
    match prefix.trim_matches('/') {
        "" => rest.to_owned(),
        prefix => format!("{prefix}/{rest}"),
    }
}

fn compressed(lines: &str) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let written = gzip.write_all(lines.as_bytes()).and_then(|()| gzip.finish());
    written.unwrap_or_default().into()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelInput {
    task_id: String,
}

/// Source: CloudWatch Logs API Reference, CancelExportTask.
pub(super) async fn cancel(call: Call, input: CancelInput) -> Answer<()> {
    if call.exports().stop(&input.task_id, call.scope()) {
        return Ok(());
    }
    match call.one::<Row>(KIND, &input.task_id).await? {
        None => Err(NOT_FOUND.because("The specified export task does not exist.")),
        Some(_) => Err(INVALID_OPERATION.because("The specified export task has already finished")),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DescribeInput {
    task_id: Option<String>,
    status_code: Option<Status>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeOutput {
    export_tasks: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    task_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_name: Option<String>,
    log_group_name: Arc<str>,
    from: i64,
    to: i64,
    destination: String,
    destination_prefix: String,
    status: DescribedStatus,
    execution_info: ExecutionInfo,
}

#[derive(Debug, Serialize)]
struct DescribedStatus {
    code: Status,
    message: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExecutionInfo {
    creation_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_time: Option<i64>,
}

/// Source: CloudWatch Logs API Reference, DescribeExportTasks; newest first.
pub(super) async fn describe(call: Call, input: DescribeInput) -> Answer<DescribeOutput> {
    Constraints::new().range("limit", input.limit, 1, 50).done(INVALID_PARAMETER)?;
    let mut found = call.all::<Row>(KIND, "").await?;
    for (id, row) in &mut found {
        if row.status == Status::Running && !call.exports().is_running(id) {
            (row.status, row.message) = (Status::Failed, "The server was stopped".to_owned());
        }
    }
    if let Some(id) = &input.task_id {
        found.retain(|(known, _)| known == id);
        if found.is_empty() {
            return Err(NOT_FOUND.because("The specified export task does not exist."));
        }
    }
    found.retain(|(_, row)| input.status_code.is_none_or(|status| status == row.status));
    let place =
        |(id, row): &(String, Row)| format!("{:020}{id}", i64::MAX - row.created.as_millis());
    found.sort_by_key(place);
    let asked = (input.next_token.as_deref(), page::size(input.limit, 50));
    let (found, next_token) =
        page::of("DescribeExportTasks", found, place, asked).map_err(|_| bad_token())?;
    let export_tasks = found.into_iter().map(described).collect();
    Ok(DescribeOutput { export_tasks, next_token })
}

fn described((task_id, row): (String, Row)) -> Described {
    Described {
        task_id,
        task_name: row.name,
        log_group_name: row.group,
        from: row.from,
        to: row.to,
        destination: row.bucket,
        destination_prefix: row.prefix,
        status: DescribedStatus { code: row.status, message: row.message },
        execution_info: ExecutionInfo {
            creation_time: row.created.as_millis(),
            completion_time: row.completed.map(Timestamp::as_millis),
        },
    }
}
