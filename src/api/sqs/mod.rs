//! SQS: queues and messages, in JSON 1.0 and as forms.

mod batch;
mod fault;
mod messages;
mod queues;
mod shown;

use super::service::{Dialects, Effect, Service, operation, refuse_as_validator};
use super::wire::JsonVersion;

/// The service's table.
pub(super) fn service() -> Service {
    Service {
        title: "SQS",
        signing_name: "sqs",
        event_source: "sqs.amazonaws.com",
        dialects: Dialects {
            json: Some(("AmazonSQS", JsonVersion::V1_0)),
            query: Some(("2012-11-05", "http://queue.amazonaws.com/doc/2012-11-05/")),
            query_compatible: true,
        },
        error_namespace: "com.amazonaws.sqs#",
        refuse: |error| refuse_as_validator(fault::MISSING_PARAMETER, error),
        operations: vec![
            operation("ChangeMessageVisibility", Effect::WritesData, messages::change),
            operation("ChangeMessageVisibilityBatch", Effect::WritesData, batch::change),
            operation("CreateQueue", Effect::Writes, queues::create),
            operation("DeleteMessage", Effect::WritesData, messages::delete),
            operation("DeleteMessageBatch", Effect::WritesData, batch::delete),
            operation("DeleteQueue", Effect::Writes, queues::delete),
            operation("GetQueueAttributes", Effect::Reads, queues::attributes),
            operation("GetQueueUrl", Effect::Reads, queues::url),
            operation("ListDeadLetterSourceQueues", Effect::Reads, queues::list_sources),
            operation("ListQueueTags", Effect::Reads, queues::list_tags),
            operation("ListQueues", Effect::Reads, queues::list),
            operation("PurgeQueue", Effect::Writes, queues::purge),
            operation("ReceiveMessage", Effect::ReadsData, messages::receive),
            operation("SendMessage", Effect::WritesData, messages::send),
            operation("SendMessageBatch", Effect::WritesData, batch::send),
            operation("SetQueueAttributes", Effect::Writes, queues::set_attributes),
            operation("TagQueue", Effect::Writes, queues::tag),
            operation("UntagQueue", Effect::Writes, queues::untag),
        ],
    }
}
