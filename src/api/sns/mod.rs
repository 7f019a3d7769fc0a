//! SNS: topics, subscriptions and messages, as forms.

mod fault;
mod messages;
mod subscriptions;
mod topics;

use super::service::{Dialects, Effect, Service, operation, refuse_as_validator};

/// The service's table.
pub(super) fn service() -> Service {
    Service {
        title: "SNS",
        signing_name: "sns",
        event_source: "sns.amazonaws.com",
        dialects: Dialects {
            query: Some(("2010-03-31", "http://sns.amazonaws.com/doc/2010-03-31/")),
            ..Dialects::default()
        },
        error_namespace: "",
        refuse: |error| refuse_as_validator(fault::VALIDATION, error),
        operations: vec![
            operation("ConfirmSubscription", Effect::Writes, subscriptions::confirm),
            operation("CreateTopic", Effect::Writes, topics::create),
            operation("DeleteTopic", Effect::Writes, topics::delete),
            operation("GetSubscriptionAttributes", Effect::Reads, subscriptions::attributes),
            operation("GetTopicAttributes", Effect::Reads, topics::attributes),
            operation("ListSubscriptions", Effect::Reads, subscriptions::list),
            operation("ListSubscriptionsByTopic", Effect::Reads, subscriptions::list_by_topic),
            operation("ListTagsForResource", Effect::Reads, topics::list_tags),
            operation("ListTopics", Effect::Reads, topics::list),
            operation("Publish", Effect::WritesData, messages::publish),
            operation("PublishBatch", Effect::WritesData, messages::publish_batch),
            operation("SetSubscriptionAttributes", Effect::Writes, subscriptions::set_attribute),
            operation("SetTopicAttributes", Effect::Writes, topics::set_attribute),
            operation("Subscribe", Effect::Writes, subscriptions::subscribe),
            operation("TagResource", Effect::Writes, topics::tag),
            operation("Unsubscribe", Effect::Writes, subscriptions::unsubscribe),
            operation("UntagResource", Effect::Writes, topics::untag),
        ],
    }
}
