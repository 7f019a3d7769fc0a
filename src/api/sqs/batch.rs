//! Messages in batches: each entry is taken or refused on its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{BATCH_ID, BATCH_TOO_LONG, EMPTY_BATCH, NOT_DISTINCT, TOO_MANY};
use super::messages::Body;
use super::shown::{queue_of, queues, within};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::wire::Flat;

const ENTRIES_MAX: usize = 10;
const BYTES_MAX: usize = 1_048_576;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output<T> {
    successful: Flat<Vec<T>>,
    failed: Flat<Vec<Failed>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    id: String,
    sender_fault: bool,
    code: &'static str,
    message: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Done {
    id: String,
}

/// Sorts the answers of entries by how they went.
fn output<T>(
    name: &'static str,
    answers: impl IntoIterator<Item = (String, Result<T, ApiError>)>,
) -> Output<T> {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, answer) in answers {
        match answer {
            Ok(done) => successful.push(done),
            Err(refused) => failed.push(Failed {
                id,
                sender_fault: refused.fault.status < 500,
                code: refused.fault.query_code,
                message: refused.message,
            }),
        }
    }
    Output {
        successful: Flat::new(name, successful),
        failed: Flat::new("$flat:BatchResultErrorEntry", failed),
    }
}

/// Source: SQS API Reference, SendMessageBatch, its errors.
fn check_ids<'a>(ids: impl ExactSizeIterator<Item = &'a String>) -> Answer<()> {
    let count = ids.len();
    if count == 0 {
        let why = "There should be at least one entry in the request.";
        return Err(EMPTY_BATCH.because(why));
    }
    if count > ENTRIES_MAX {
        let why = format!("Maximum number of entries per request are 10. You have sent {count}.");
        return Err(TOO_MANY.because(why));
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    let mut seen = BTreeSet::new();
    for id in ids {
        if id.is_empty() || id.len() > 80 || !id.bytes().all(allowed) {
            let why = "A batch entry id can only contain alphanumeric characters, hyphens and \
                       underscores. It can be at most 80 letters long.";
            return Err(BATCH_ID.because(why));
        }
        if !seen.insert(id) {
            return Err(NOT_DISTINCT.because(format!("Id {id} repeated.")));
        }
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendInput {
    queue_url: String,
    #[serde(alias = "SendMessageBatchRequestEntry")]
    entries: Vec<Body>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SentEntry {
    id: String,
    message_id: Arc<str>,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_message_body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

/// Source: SQS API Reference, SendMessageBatch.
pub(super) async fn send(call: Call, input: SendInput) -> Answer<Output<SentEntry>> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    queues(&call).describe(&scope, &name)?;
    check_ids(input.entries.iter().map(|entry| &entry.id))?;
    let bytes = input.entries.iter().map(Body::len).sum::<usize>();
    if bytes > BYTES_MAX {
        let why = format!(
            "Batch requests cannot be longer than {BYTES_MAX} bytes. You have sent {bytes} bytes."
        );
        return Err(BATCH_TOO_LONG.because(why));
    }
    let (mut answers, mut ids, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    for entry in input.entries {
        let id = entry.id.clone();
        match entry.message() {
            Ok(message) => {
                ids.push(id);
                messages.push(message);
            }
            Err(refused) => answers.push((id, Err(refused))),
        }
    }
    let sent = queues(&call).send(&scope, &name, messages).await?;
    for (id, sent) in ids.into_iter().zip(sent) {
        let shown = sent.map_err(ApiError::from).map(|sent| SentEntry {
            id: id.clone(),
            message_id: sent.id,
            md5_of_message_body: sent.body_digest,
            md5_of_message_attributes: sent.attributes_digest,
            sequence_number: sent.sequence.map(|sequence| sequence.to_string()),
        });
        answers.push((id, shown));
    }
    Ok(output("$flat:SendMessageBatchResultEntry", answers))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteInput {
    queue_url: String,
    #[serde(alias = "DeleteMessageBatchRequestEntry")]
    entries: Vec<ReceiptEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiptEntry {
    id: String,
    receipt_handle: String,
    visibility_timeout: Option<i64>,
}

/// Source: SQS API Reference, DeleteMessageBatch.
pub(super) async fn delete(call: Call, input: DeleteInput) -> Answer<Output<Done>> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    queues(&call).describe(&scope, &name)?;
    check_ids(input.entries.iter().map(|entry| &entry.id))?;
    let (ids, receipts): (Vec<_>, Vec<_>) =
        input.entries.into_iter().map(|entry| (entry.id, entry.receipt_handle)).unzip();
    let deleted = queues(&call).delete_messages(&scope, &name, &receipts).await?;
    let answers = ids.into_iter().zip(deleted).map(|(id, deleted)| {
        let done = Done { id: id.clone() };
        (id, deleted.map(|()| done).map_err(ApiError::from))
    });
    Ok(output("$flat:DeleteMessageBatchResultEntry", answers))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeInput {
    queue_url: String,
    #[serde(alias = "ChangeMessageVisibilityBatchRequestEntry")]
    entries: Vec<ReceiptEntry>,
}

/// Source: SQS API Reference, ChangeMessageVisibilityBatch.
pub(super) async fn change(call: Call, input: ChangeInput) -> Answer<Output<Done>> {
    let (scope, name) = queue_of(&call, &input.queue_url)?;
    queues(&call).describe(&scope, &name)?;
    check_ids(input.entries.iter().map(|entry| &entry.id))?;
    let answers = input.entries.into_iter().map(|entry| {
        let change = || -> Answer<Done> {
            let asked = entry.visibility_timeout.or(Some(0));
            let seconds = within("VisibilityTimeout", asked, (0, 43_200))?.unwrap_or(0);
            let queue = (&scope, &*name);
            queues(&call).change_visibility(queue, &entry.receipt_handle, seconds)?;
            Ok(Done { id: entry.id.clone() })
        };
        let changed = change();
        (entry.id, changed)
    });
    Ok(output("$flat:ChangeMessageVisibilityBatchResultEntry", answers.collect::<Vec<_>>()))
}
