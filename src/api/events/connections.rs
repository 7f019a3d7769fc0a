//! Connections: the credentials that API destinations sign in with.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bus;
use super::fault::VALIDATION;
use super::listing::{Listed, Paging};
use super::rules::check_name;
use crate::api::call::{Answer, Call};
use crate::bus::{AuthParameters, AuthorizationType, Connection};
use crate::telemetry::Scope;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    name: Arc<str>,
    description: Option<String>,
    authorization_type: Option<AuthorizationType>,
    auth_parameters: Option<AuthParameters>,
}

/// What every change of a connection answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Changed {
    connection_arn: String,
    connection_state: &'static str,
    creation_time: f64,
    last_modified_time: f64,
    last_authorized_time: f64,
}

impl Changed {
    fn new(scope: &Scope, connection: &Connection) -> Self {
        Self {
            connection_arn: connection.arn(scope),
            connection_state: connection.state(),
            creation_time: connection.created.as_secs_f64(),
            last_modified_time: connection.modified.as_secs_f64(),
            last_authorized_time: connection.authorized.as_secs_f64(),
        }
    }
}

/// Source: EventBridge API Reference, CreateConnection.
pub(super) async fn create(call: Call, input: PutInput) -> Answer<Changed> {
    check_name("name", &input.name).done(VALIDATION)?;
    let required = |name: &str| {
        VALIDATION.because(format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: \
             Member must not be null"
        ))
    };
    let connection = Connection {
        name: input.name,
        id: uuid::Uuid::new_v4().to_string().into(),
        description: input.description,
        kind: input.authorization_type.ok_or_else(|| required("authorizationType"))?,
        parameters: input.auth_parameters.ok_or_else(|| required("authParameters"))?,
        deauthorized: false,
        created: call.now(),
        modified: call.now(),
        authorized: call.now(),
    };
    call.concerns("AWS::Events::Connection", &connection.name);
    bus::handle(&call).create_connection(call.scope(), &connection).await?;
    Ok(Changed::new(call.scope(), &connection))
}

/// Source: EventBridge API Reference, UpdateConnection.
pub(super) async fn update(call: Call, input: PutInput) -> Answer<Changed> {
    call.concerns("AWS::Events::Connection", &input.name);
    let now = call.now();
    let changed = bus::handle(&call).change_connection(call.scope(), &input.name, |held| {
        if input.description.is_some() {
            held.description = input.description;
        }
        if let Some(kind) = input.authorization_type {
            held.kind = kind;
        }
        if let Some(parameters) = input.auth_parameters {
            held.parameters = parameters;
            held.deauthorized = false;
            held.authorized = now;
        }
    });
    Ok(Changed::new(call.scope(), &changed.await?))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameInput {
    name: String,
}

/// Source: EventBridge API Reference, DeauthorizeConnection: its credentials are deleted.
pub(super) async fn deauthorize(call: Call, input: NameInput) -> Answer<Changed> {
    call.concerns("AWS::Events::Connection", &input.name);
    let changed = bus::handle(&call).change_connection(call.scope(), &input.name, |held| {
        held.deauthorized = true;
        held.parameters = std::mem::take(&mut held.parameters).redacted();
    });
    Ok(Changed::new(call.scope(), &changed.await?))
}

/// Source: EventBridge API Reference, DeleteConnection.
pub(super) async fn delete(call: Call, input: NameInput) -> Answer<Changed> {
    call.concerns("AWS::Events::Connection", &input.name);
    let gone = bus::handle(&call).delete_connection(call.scope(), &input.name).await?;
    Ok(Changed { connection_state: "DELETING", ..Changed::new(call.scope(), &gone) })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    name: Arc<str>,
    authorization_type: AuthorizationType,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_parameters: Option<AuthParameters>,
    #[serde(flatten)]
    changed: Changed,
}

/// Source: EventBridge API Reference, DescribeConnection: nothing secret is shown.
pub(super) async fn describe(call: Call, input: NameInput) -> Answer<Described> {
    let scope = call.scope();
    let found = bus::handle(&call).connection(scope, &input.name).await?;
    let secret = format_args!("secret:events!connection/{}/{}", found.name, found.id);
    Ok(Described {
        changed: Changed::new(scope, &found),
        secret_arn: Some(scope.arn("secretsmanager", secret)),
        name: found.name,
        authorization_type: found.kind,
        description: found.description,
        auth_parameters: Some(found.parameters.redacted()),
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    name_prefix: Option<String>,
    connection_state: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    connections: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Source: EventBridge API Reference, ListConnections; by name.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    let prefix = input.name_prefix.unwrap_or_default();
    let mut found = bus::handle(&call).connections(call.scope()).await?;
    found.retain(|held| {
        let in_state = input.connection_state.as_ref().is_none_or(|state| state == held.state());
        held.name.starts_with(&prefix) && in_state
    });
    let paging = Paging { limit: input.limit, token: input.next_token.as_deref() };
    let Listed { items, next_token } =
        paging.cut("ListConnections", found, |held| held.name.to_string())?;
    let show = |held: Connection| Described {
        changed: Changed::new(call.scope(), &held),
        secret_arn: None,
        name: held.name,
        authorization_type: held.kind,
        description: None,
        auth_parameters: None,
    };
    Ok(ListOutput { connections: items.into_iter().map(show).collect(), next_token })
}
