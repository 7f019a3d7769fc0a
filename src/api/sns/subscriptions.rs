//! Subscriptions: made, confirmed, described, changed, listed, ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::{PARAMETER, handle, topic_of};
use super::topics::open;
use crate::api::call::{Answer, Call};
use crate::api::page::{self, TokenInput};
use crate::bus::topic::Subscription;

const PAGE: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SubscribeInput {
    topic_arn: String,
    protocol: String,
    endpoint: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    return_subscription_arn: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ArnOutput {
    subscription_arn: String,
}

/// Source: SNS API Reference, Subscribe.
pub(super) async fn subscribe(call: Call, input: SubscribeInput) -> Answer<ArnOutput> {
    let topic = topic_of(&call, &input.topic_arn)?;
    call.concerns("AWS::SNS::Topic", topic);
    let Some(endpoint) = input.endpoint else {
        return Err(PARAMETER.because("Invalid parameter: Endpoint"));
    };
    let to = (input.protocol.as_str(), endpoint.as_str());
    let made = handle(&call).subscribe(call.scope(), topic, to, &input.attributes).await?;
    let is_shown = made.token.is_none() || input.return_subscription_arn == Some(true);
    let subscription_arn =
        if is_shown { made.arn.to_string() } else { "pending confirmation".to_owned() };
    Ok(ArnOutput { subscription_arn })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConfirmInput {
    topic_arn: String,
    token: String,
}

/// Source: SNS API Reference, ConfirmSubscription.
pub(super) async fn confirm(call: Call, input: ConfirmInput) -> Answer<ArnOutput> {
    // The link in the message is followed without a signature, so the ARN alone says whose it is.
    let scope = crate::bus::topic_scope(&input.topic_arn);
    let scope = scope.unwrap_or_else(|| call.scope().clone());
    let topic = input.topic_arn.rsplit(':').next().unwrap_or_default();
    let arn = handle(&call).confirm(&scope, topic, &input.token).await?;
    Ok(ArnOutput { subscription_arn: arn.to_string() })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ArnInput {
    subscription_arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributesOutput {
    attributes: BTreeMap<String, String>,
}

/// Source: SNS API Reference, GetSubscriptionAttributes.
pub(super) async fn attributes(call: Call, input: ArnInput) -> Answer<AttributesOutput> {
    let found = handle(&call).subscription(call.scope(), &input.subscription_arn)?;
    let mut attributes = BTreeMap::from([
        ("SubscriptionArn".to_owned(), found.arn.to_string()),
        ("TopicArn".to_owned(), call.scope().arn("sns", &found.topic)),
        ("Owner".to_owned(), call.scope().account.to_string()),
        ("Protocol".to_owned(), found.protocol.as_str().to_owned()),
        ("Endpoint".to_owned(), found.endpoint.to_string()),
        ("RawMessageDelivery".to_owned(), "false".to_owned()),
        ("PendingConfirmation".to_owned(), found.token.is_some().to_string()),
        ("ConfirmationWasAuthenticated".to_owned(), "true".to_owned()),
        (
            "SubscriptionPrincipal".to_owned(),
            format!("arn:{}:iam::{}:root", call.scope().region.partition(), call.scope().account),
        ),
    ]);
    if found.attributes.contains_key("FilterPolicy") {
        attributes.insert("FilterPolicyScope".to_owned(), "MessageAttributes".to_owned());
    }
    attributes.extend(found.attributes);
    Ok(AttributesOutput { attributes })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetInput {
    subscription_arn: String,
    attribute_name: String,
    #[serde(default)]
    attribute_value: String,
}

/// Source: SNS API Reference, SetSubscriptionAttributes.
pub(super) async fn set_attribute(call: Call, input: SetInput) -> Answer<()> {
    let attribute = (&*input.attribute_name, &*input.attribute_value);
    let topics = handle(&call);
    let set = topics.set_subscription_attribute(call.scope(), &input.subscription_arn, attribute);
    Ok(set.await?)
}

/// Source: SNS API Reference, Unsubscribe: one that is not there has ended silently.
pub(super) async fn unsubscribe(call: Call, input: ArnInput) -> Answer<()> {
    let arn = input.subscription_arn;
    if !arn.starts_with("arn:") {
        let why = "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements";
        return Err(PARAMETER.because(why));
    }
    let scope = crate::bus::topic_scope(&arn).unwrap_or_else(|| call.scope().clone());
    Ok(handle(&call).unsubscribe(&scope, &arn).await?)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListByTopicInput {
    topic_arn: String,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    subscriptions: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    subscription_arn: String,
    owner: String,
    protocol: &'static str,
    endpoint: Arc<str>,
    topic_arn: String,
}

/// Source: SNS API Reference, ListSubscriptions.
pub(super) async fn list(call: Call, input: TokenInput) -> Answer<ListOutput> {
    let all = handle(&call).subscriptions(call.scope());
    page_of(&call, "ListSubscriptions", input.next_token.as_deref(), all)
}

/// Source: SNS API Reference, ListSubscriptionsByTopic.
pub(super) async fn list_by_topic(call: Call, input: ListByTopicInput) -> Answer<ListOutput> {
    let topic = topic_of(&call, &input.topic_arn)?;
    let (_, own) = handle(&call).topic(call.scope(), topic)?;
    page_of(&call, "ListSubscriptionsByTopic", input.next_token.as_deref(), own)
}

fn page_of(
    call: &Call,
    operation: &str,
    token: Option<&str>,
    mut found: Vec<Subscription>,
) -> Answer<ListOutput> {
    let after = open(operation, token)?;
    found.retain(|held| after.as_ref().is_none_or(|after| *held.arn > **after));
    found.truncate(PAGE + 1);
    let next_token = page::cut(&mut found, PAGE).map(|last| page::seal(operation, &*last.arn));
    let shown = |held: Subscription| Shown {
        subscription_arn: match held.token {
            Some(_) => "PendingConfirmation".to_owned(),
            None => held.arn.to_string(),
        },
        owner: call.scope().account.to_string(),
        protocol: held.protocol.as_str(),
        endpoint: held.endpoint,
        topic_arn: call.scope().arn("sns", &held.topic),
    };
    Ok(ListOutput { subscriptions: found.into_iter().map(shown).collect(), next_token })
}
