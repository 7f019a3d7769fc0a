//! Audit records: every call in CloudTrail's shape, beside what it changed.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::AuditSelection;
use super::call::Call;
use super::error::ApiError;
use super::service::Effect;
use super::wire::{Node, lower_first};
use crate::monitor::TrailHandle;
use crate::store::Store;
use crate::task::TaskGroup;
use crate::telemetry::{AuditKind, AuditRecord, Scope, TelemetryBatch};
use crate::time::Timestamp;

/// Longest text of a request that is kept in a record.
const TEXT_CHARACTERS_MAX: usize = 1024;

/// Whether a call of this effect is recorded.
pub(super) fn is_selected(effect: Effect, selection: AuditSelection) -> bool {
    match effect {
        Effect::Writes => true,
        Effect::Reads => selection.management_reads,
        Effect::WritesData | Effect::ReadsData => selection.data_events,
    }
}

/// The parameters of a request as CloudTrail writes them; none for calls on data, whose payload is
/// nobody's business.
///
/// Source: CloudTrail User Guide, "CloudTrail record contents", `requestParameters`.
pub(super) fn parameters(effect: Effect, input: &Node<'_>) -> Value {
    match effect {
        Effect::Writes | Effect::Reads => value(input),
        Effect::WritesData | Effect::ReadsData => Value::Null,
    }
}

/// The record of a call, once it is known how it ends.
///
/// Source: CloudTrail User Guide, "CloudTrail record contents", version 1.11.
pub(super) fn record(call: &Call, refused: Option<&ApiError>) -> AuditRecord {
    let facts = call.facts();
    let scope = call.scope();
    let read_only = matches!(facts.effect, Effect::Reads | Effect::ReadsData);
    let kind = match facts.effect {
        Effect::Reads | Effect::Writes => AuditKind::Management,
        Effect::ReadsData | Effect::WritesData => AuditKind::Data,
    };
    let event_id = uuid::Uuid::new_v4().to_string();
    // When the call ended, so that records come in the order of their times.
    let ended = call.state().clock.now();
    let resources = call.resources();
    let account = scope.account.as_str();
    let arn = format!("arn:{}:iam::{account}:root", scope.region.partition());
    let mut record = json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "Root",
            "principalId": account,
            "arn": arn,
            "accountId": account,
            "accessKeyId": facts.caller.access_key_id,
        },
        "eventTime": Timestamp::from_secs(ended.as_secs()).to_rfc3339(),
        "eventSource": facts.event_source,
        "eventName": facts.operation,
        "awsRegion": scope.region.as_str(),
        "sourceIPAddress": facts.source_address.map_or("127.0.0.1".into(), |ip| ip.to_string()),
        "userAgent": facts.user_agent,
        "requestParameters": facts.parameters,
        "responseElements": null,
        "requestID": facts.request_id,
        "eventID": event_id,
        "readOnly": read_only,
        "eventType": "AwsApiCall",
        "managementEvent": kind == AuditKind::Management,
        "recipientAccountId": account,
        "eventCategory": if kind == AuditKind::Management { "Management" } else { "Data" },
    });
    if let (Some(refused), Some(members)) = (refused, record.as_object_mut()) {
        members.insert("errorCode".to_owned(), refused.fault.shape.into());
        members.insert("errorMessage".to_owned(), refused.message.clone().into());
    }
    AuditRecord {
        event_id: event_id.into(),
        event_time: ended,
        event_name: facts.operation.into(),
        event_source: facts.event_source.into(),
        username: Some("root".into()),
        access_key_id: facts.caller.access_key_id.as_deref().map(Into::into),
        read_only,
        kind,
        resources,
        record,
    }
}

/// How many records may wait for the disk.
const RECORDS_WAITING_MAX: usize = 1024;

/// Writes the records of calls that append nothing themselves: reads, and refused calls.
///
/// Such a caller does not wait for the disk; records are written in groups behind it.
#[derive(Clone, Debug)]
pub(super) struct AuditTrail {
    queue: mpsc::Sender<Entry>,
}

#[derive(Debug)]
enum Entry {
    Record(Box<(Scope, AuditRecord)>),
    /// Answered once everything before it is durable.
    Settle(oneshot::Sender<()>),
}

impl AuditTrail {
    /// Starts the task that writes.
    pub(super) fn start(store: Store, trails: TrailHandle, tasks: &TaskGroup) -> Self {
        let (queue, entries) = mpsc::channel(RECORDS_WAITING_MAX);
        tasks.spawn("audit trail", |stop| write_all((store, trails), entries, stop));
        Self { queue }
    }

    /// Adds a record.
    pub(super) async fn add(&self, scope: &Scope, record: AuditRecord) {
        // BOUND: with a full queue the caller waits, so records are slowed down, never dropped.
        let entry = Entry::Record(Box::new((scope.clone(), record)));
        if self.queue.send(entry).await.is_err() {
            tracing::warn!("audit record of a call during shutdown is lost");
        }
    }

    /// Waits until every record added before is durable.
    pub(super) async fn settle(&self) {
        let (answer, settled) = oneshot::channel();
        if self.queue.send(Entry::Settle(answer)).await.is_ok() {
            // The writer only drops the answer when it stops, and then nothing is written anyway.
            settled.await.unwrap_or_default();
        }
    }
}

async fn write_all(
    to: (Store, TrailHandle),
    mut entries: mpsc::Receiver<Entry>,
    stop: CancellationToken,
) {
    let mut group = Vec::new();
    loop {
        tokio::select! {
            biased;
            count = entries.recv_many(&mut group, RECORDS_WAITING_MAX) => {
                if count == 0 {
                    return;
                }
                write_group(&to, &mut group).await;
            }
            // After the last record: what was queued before the stop is still written.
            () = stop.cancelled() => return,
        }
    }
}

async fn write_group((store, trails): &(Store, TrailHandle), group: &mut Vec<Entry>) {
    let mut by_scope: BTreeMap<Scope, Vec<AuditRecord>> = BTreeMap::new();
    let mut waiting = Vec::new();
    for entry in group.drain(..) {
        match entry {
            Entry::Record(record) => {
                let (scope, record) = *record;
                by_scope.entry(scope).or_default().push(record);
            }
            Entry::Settle(answer) => waiting.push(answer),
        }
    }
    for (scope, audit) in by_scope {
        let count = audit.len();
        audit.iter().for_each(|record| trails.note(&scope, record));
        let events = audit.iter().filter_map(|record| trails.event(&scope, record)).collect();
        let batch = TelemetryBatch { audit, events, ..TelemetryBatch::new(scope) };
        if let Err(fault) = store.append(batch).await {
            tracing::error!(count, %fault, "audit records are lost");
        }
    }
    for answer in waiting {
        answer.send(()).unwrap_or_default();
    }
}

fn value(node: &Node<'_>) -> Value {
    match node {
        Node::Null => Value::Null,
        Node::Bool(value) => (*value).into(),
        Node::Integer(value) => (*value).into(),
        Node::Double(value) => (*value).into(),
        Node::Text(text) | Node::Untyped(text) => {
            text.chars().take(TEXT_CHARACTERS_MAX).collect::<String>().into()
        }
        Node::Bytes(bytes) => format!("({} bytes)", bytes.len()).into(),
        Node::List(items) => items.iter().map(value).collect(),
        Node::Map(members) => structure(members),
    }
}

/// A form's `member.N` is a list here too.
fn structure(members: &[(std::borrow::Cow<'_, str>, Node<'_>)]) -> Value {
    if let [(name, Node::Map(items))] = members
        && name == "member"
        && items.iter().all(|(name, _)| name.bytes().all(|b| b.is_ascii_digit()))
    {
        return items.iter().map(|(_, item)| value(item)).collect();
    }
    let mut object = Map::new();
    for (name, node) in members {
        if !matches!(&**name, "Action" | "Version") {
            object.insert(lower_first(name), value(node));
        }
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::wire::Protocol;

    #[test]
    fn parameters_read_the_same_from_a_form_and_from_json() {
        let form = Protocol::Query
            .read(b"Action=PutMetricAlarm&Version=1&AlarmName=a&AlarmActions.member.1=x")
            .unwrap();
        let json =
            Protocol::RestJson.read(br#"{"AlarmName": "a", "AlarmActions": ["x"]}"#).unwrap();
        let expected = json!({"alarmName": "a", "alarmActions": ["x"]});
        assert_eq!(parameters(Effect::Writes, &form), {
            let mut sorted = Map::new();
            sorted.insert("alarmActions".to_owned(), json!(["x"]));
            sorted.insert("alarmName".to_owned(), json!("a"));
            Value::Object(sorted)
        });
        assert_eq!(parameters(Effect::Writes, &json), expected);
        assert_eq!(parameters(Effect::WritesData, &json), Value::Null);
    }
}
