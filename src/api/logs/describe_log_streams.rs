use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER, bad_token};
use super::group;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::store::LogStream;
use crate::time::Timestamp;

const PAGE: usize = 50;
const SCAN: usize = 500;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Input {
    log_group_name: Option<Arc<str>>,
    log_group_identifier: Option<Arc<str>>,
    log_stream_name_prefix: Option<String>,
    order_by: OrderBy,
    descending: Option<bool>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum OrderBy {
    #[default]
    LogStreamName,
    LastEventTime,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    log_streams: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    log_stream_name: Arc<str>,
    creation_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_event_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_ingestion_time: Option<i64>,
    upload_sequence_token: &'static str,
    arn: String,
    stored_bytes: u64,
}

/// Where a stream stands in the order that was asked for.
type Place = (Option<Timestamp>, Arc<str>);

/// Source: CloudWatch Logs API Reference, DescribeLogStreams.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new().range("limit", input.limit, 1, 50).done(INVALID_PARAMETER)?;
    let group = group::either(&call, input.log_group_name, input.log_group_identifier)?;
    group::existing(&call, &group)?;
    if input.order_by == OrderBy::LastEventTime && input.log_stream_name_prefix.is_some() {
        return Err(
            INVALID_PARAMETER.because("Cannot order by LastEventTime with a logStreamNamePrefix.")
        );
    }
    let limit = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE);
    let after: Option<Place> = page::open("DescribeLogStreams", input.next_token.as_deref())
        .map_err(|_token| bad_token())?;
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    let mut streams = all(&call, &group, prefix);
    let place = |stream: &LogStream| -> Place {
        let last = stream.last_event.filter(|_| input.order_by == OrderBy::LastEventTime);
        (last, Arc::clone(&stream.name))
    };
    let descending = input.descending.unwrap_or(false);
    streams.sort_by(|one, other| {
        let order = place(one).cmp(&place(other));
        if descending { order.reverse() } else { order }
    });
    if let Some(after) = after {
        let seen = |stream: &LogStream| {
            if descending { place(stream) >= after } else { place(stream) <= after }
        };
        let skipped = streams.partition_point(seen);
        streams.drain(..skipped);
    }
    streams.truncate(limit + 1);
    let next_token =
        page::cut(&mut streams, limit).map(|last| page::seal("DescribeLogStreams", &place(last)));
    let log_streams = streams.iter().map(|stream| describe(&call, &group, stream)).collect();
    Ok(Output { log_streams, next_token })
}

fn all(call: &Call, group: &str, prefix: &str) -> Vec<LogStream> {
    let logs = call.state().store.logs();
    let mut streams: Vec<LogStream> = Vec::new();
    loop {
        let after = streams.last().map(|stream| Arc::clone(&stream.name));
        let page = logs.streams((call.scope(), group), prefix, after.as_deref(), SCAN);
        let last = page.len() < SCAN;
        streams.extend(page);
        if last {
            return streams;
        }
    }
}

fn describe(call: &Call, group: &str, stream: &LogStream) -> Described {
    let resource = format!("log-group:{group}:log-stream:{}", stream.name);
    Described {
        log_stream_name: Arc::clone(&stream.name),
        creation_time: stream.created.as_millis(),
        first_event_timestamp: stream.first_event.map(Timestamp::as_millis),
        last_event_timestamp: stream.last_event.map(Timestamp::as_millis),
        last_ingestion_time: stream.last_ingestion.map(Timestamp::as_millis),
        upload_sequence_token: super::put_log_events::SEQUENCE_TOKEN,
        arn: call.scope().arn("logs", resource),
        // Source: DescribeLogStreams: always zero since June 2019.
        stored_bytes: 0,
    }
}
