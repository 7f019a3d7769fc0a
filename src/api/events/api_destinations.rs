//! API destinations: where events go over HTTP.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bus;
use super::fault::VALIDATION;
use super::listing::{Listed, Paging};
use super::rules::check_name;
use crate::api::call::{Answer, Call};
use crate::bus::ApiDestination;
use crate::telemetry::Scope;

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum HttpMethod {
    Post,
    Get,
    Head,
    Options,
    Put,
    Patch,
    Delete,
}

impl HttpMethod {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    name: Arc<str>,
    description: Option<String>,
    connection_arn: String,
    invocation_endpoint: String,
    http_method: HttpMethod,
    invocation_rate_limit_per_second: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Changed {
    api_destination_arn: String,
    api_destination_state: &'static str,
    creation_time: f64,
    last_modified_time: f64,
}

impl Changed {
    fn new(scope: &Scope, held: &ApiDestination) -> Self {
        Self {
            api_destination_arn: held.arn(scope),
            api_destination_state: "ACTIVE",
            creation_time: held.created.as_secs_f64(),
            last_modified_time: held.modified.as_secs_f64(),
        }
    }
}

fn rate(limit: Option<i64>) -> Answer<Option<u32>> {
    let most = i64::from(u32::MAX);
    let constraints = crate::api::service::Constraints::new();
    constraints.range("invocationRateLimitPerSecond", limit, 1, most).done(VALIDATION)?;
    Ok(limit.and_then(|limit| u32::try_from(limit).ok()))
}

/// Source: EventBridge API Reference, CreateApiDestination.
pub(super) async fn create(call: Call, input: CreateInput) -> Answer<Changed> {
    check_name("name", &input.name)
        .length("invocationEndpoint", &input.invocation_endpoint, 1, 2048)
        .done(VALIDATION)?;
    let made = ApiDestination {
        rate_limit: rate(input.invocation_rate_limit_per_second)?,
        name: input.name,
        id: uuid::Uuid::new_v4().to_string().into(),
        description: input.description,
        connection_arn: input.connection_arn,
        endpoint: input.invocation_endpoint,
        method: input.http_method.as_str().to_owned(),
        created: call.now(),
        modified: call.now(),
    };
    call.concerns("AWS::Events::ApiDestination", &made.name);
    bus::handle(&call).create_destination(call.scope(), &made).await?;
    Ok(Changed::new(call.scope(), &made))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    name: String,
    description: Option<String>,
    connection_arn: Option<String>,
    invocation_endpoint: Option<String>,
    http_method: Option<HttpMethod>,
    invocation_rate_limit_per_second: Option<i64>,
}

/// Source: EventBridge API Reference, UpdateApiDestination: what is left out stays.
pub(super) async fn update(call: Call, input: UpdateInput) -> Answer<Changed> {
    let limit = rate(input.invocation_rate_limit_per_second)?;
    call.concerns("AWS::Events::ApiDestination", &input.name);
    let changed = bus::handle(&call).change_destination(call.scope(), &input.name, |held| {
        held.description = input.description.or_else(|| held.description.take());
        if let Some(arn) = input.connection_arn {
            held.connection_arn = arn;
        }
        if let Some(endpoint) = input.invocation_endpoint {
            held.endpoint = endpoint;
        }
        if let Some(method) = input.http_method {
            held.method = method.as_str().to_owned();
        }
        held.rate_limit = limit.or(held.rate_limit);
    });
    Ok(Changed::new(call.scope(), &changed.await?))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameInput {
    name: String,
}

/// Source: EventBridge API Reference, DeleteApiDestination.
pub(super) async fn delete(call: Call, input: NameInput) -> Answer<()> {
    call.concerns("AWS::Events::ApiDestination", &input.name);
    Ok(bus::handle(&call).delete_destination(call.scope(), &input.name).await?)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    name: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    connection_arn: String,
    invocation_endpoint: String,
    http_method: String,
    invocation_rate_limit_per_second: u32,
    #[serde(flatten)]
    changed: Changed,
}

impl Described {
    fn new(scope: &Scope, held: ApiDestination) -> Self {
        Self {
            changed: Changed::new(scope, &held),
            name: held.name,
            description: held.description,
            connection_arn: held.connection_arn,
            invocation_endpoint: held.endpoint,
            http_method: held.method,
            invocation_rate_limit_per_second: held.rate_limit.unwrap_or(ApiDestination::RATE_LIMIT),
        }
    }
}

/// Source: EventBridge API Reference, DescribeApiDestination.
pub(super) async fn describe(call: Call, input: NameInput) -> Answer<Described> {
    let found = bus::handle(&call).destination(call.scope(), &input.name).await?;
    Ok(Described::new(call.scope(), found))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    name_prefix: Option<String>,
    connection_arn: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    api_destinations: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: EventBridge API Reference, ListApiDestinations; by name.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    let prefix = input.name_prefix.unwrap_or_default();
    let mut found = bus::handle(&call).destinations(call.scope()).await?;
    found.retain(|held| {
        let by_arn = input.connection_arn.as_ref().is_none_or(|arn| *arn == held.connection_arn);
        held.name.starts_with(&prefix) && by_arn
    });
    let paging = Paging { limit: input.limit, token: input.next_token.as_deref() };
    let Listed { items, next_token } =
        paging.cut("ListApiDestinations", found, |held| held.name.to_string())?;
    let show = |held| Described { description: None, ..Described::new(call.scope(), held) };
    Ok(ListOutput { api_destinations: items.into_iter().map(show).collect(), next_token })
}
