//! Connections and API destinations: where events go over HTTP, and with which credentials.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::handle::BusHandle;
use super::kind;
use super::refusal::{BusError, RefusalKind};
use crate::store::{AppendError, Page, ResourceChanges};
use crate::telemetry::Scope;
use crate::time::Timestamp;

/// How a connection signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthorizationType {
    /// User and password.
    Basic,
    /// A token that the client's credentials are exchanged for.
    OauthClientCredentials,
    /// A header with a key.
    ApiKey,
}

/// A header, query or body parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Parameter {
    /// Its name.
    #[serde(default)]
    pub key: String,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether its value is never shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_value_secret: Option<bool>,
}

/// Parameters that every request gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HttpParameterSet {
    /// Headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_parameters: Option<Vec<Parameter>>,
    /// Query parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_string_parameters: Option<Vec<Parameter>>,
    /// Members of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_parameters: Option<Vec<Parameter>>,
}

/// User and password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BasicAuth {
    /// The user.
    pub username: String,
    /// The password, in what is kept only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// A header with a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ApiKeyAuth {
    /// The header.
    pub api_key_name: String,
    /// The key, in what is kept only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_value: Option<String>,
}

/// The client of an authorization server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OauthClient {
    /// Its id.
    #[serde(rename = "ClientID")]
    pub client_id: String,
    /// Its secret, in what is kept only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
}

/// Where a token is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OauthAuth {
    /// Who asks.
    pub client_parameters: OauthClient,
    /// Where.
    pub authorization_endpoint: String,
    /// How: GET, POST or PUT.
    pub http_method: String,
    /// With what else.
    #[serde(default, rename = "OAuthHttpParameters", skip_serializing_if = "Option::is_none")]
    pub http_parameters: Option<HttpParameterSet>,
}

/// The credentials of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AuthParameters {
    /// For `BASIC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_auth_parameters: Option<BasicAuth>,
    /// For `OAUTH_CLIENT_CREDENTIALS`.
    #[serde(default, rename = "OAuthParameters", skip_serializing_if = "Option::is_none")]
    pub oauth_parameters: Option<OauthAuth>,
    /// For `API_KEY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_auth_parameters: Option<ApiKeyAuth>,
    /// What every request gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation_http_parameters: Option<HttpParameterSet>,
}

impl AuthParameters {
    /// As it may be shown: without anything secret.
    #[must_use]
    pub fn redacted(mut self) -> Self {
        if let Some(basic) = &mut self.basic_auth_parameters {
            basic.password = None;
        }
        if let Some(key) = &mut self.api_key_auth_parameters {
            key.api_key_value = None;
        }
        if let Some(oauth) = &mut self.oauth_parameters {
            oauth.client_parameters.client_secret = None;
            oauth.http_parameters.as_mut().map(HttpParameterSet::redact);
        }
        self.invocation_http_parameters.as_mut().map(HttpParameterSet::redact);
        self
    }

    /// Whether there is what `kind` needs.
    fn fits(&self, kind: AuthorizationType) -> bool {
        match kind {
            AuthorizationType::Basic => {
                self.basic_auth_parameters.as_ref().is_some_and(|basic| basic.password.is_some())
            }
            AuthorizationType::ApiKey => {
                self.api_key_auth_parameters.as_ref().is_some_and(|key| key.api_key_value.is_some())
            }
            AuthorizationType::OauthClientCredentials => self
                .oauth_parameters
                .as_ref()
                .is_some_and(|oauth| oauth.client_parameters.client_secret.is_some()),
        }
    }
}

impl HttpParameterSet {
    fn redact(&mut self) {
        let sets = [
            &mut self.header_parameters,
            &mut self.query_string_parameters,
            &mut self.body_parameters,
        ];
        for parameter in sets.into_iter().flatten().flatten() {
            if parameter.is_value_secret == Some(true) {
                parameter.value = None;
            }
        }
    }
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its name.
    pub name: Arc<str>,
    /// Tells it from an earlier one of the same name.
    pub id: Arc<str>,
    /// What it is for.
    pub description: Option<String>,
    /// How it signs in.
    pub kind: AuthorizationType,
    /// With what; kept in the data folder as it was given.
    pub parameters: AuthParameters,
    /// Whether its credentials were taken away.
    pub deauthorized: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
    /// When it last got credentials.
    pub authorized: Timestamp,
}

impl Connection {
    /// Its ARN.
    pub fn arn(&self, scope: &Scope) -> String {
        scope.arn("events", format_args!("connection/{}/{}", self.name, self.id))
    }

    /// Its state, in AWS's word.
    pub const fn state(&self) -> &'static str {
        if self.deauthorized { "DEAUTHORIZED" } else { "AUTHORIZED" }
    }
}

/// An API destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiDestination {
    /// Its name.
    pub name: Arc<str>,
    /// Tells it from an earlier one of the same name.
    pub id: Arc<str>,
    /// What it is for.
    pub description: Option<String>,
    /// The connection that it signs in by.
    pub connection_arn: String,
    /// Where requests go; each `*` stands for a path parameter.
    pub endpoint: String,
    /// How they are sent.
    pub method: String,
    /// How many a second at most.
    pub rate_limit: Option<u32>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

impl ApiDestination {
    /// How many requests a second unless it says otherwise.
    pub const RATE_LIMIT: u32 = 300;

    /// Its ARN.
    pub fn arn(&self, scope: &Scope) -> String {
        scope.arn("events", format_args!("api-destination/{}/{}", self.name, self.id))
    }
}

/// The name in the ARN of a connection or API destination.
pub(super) fn name_in_arn<'a>(scope: &Scope, arn: &'a str, kind: &str) -> Option<&'a str> {
    let (owner, resource) = super::handle::in_arn(arn, "events")?;
    let name = resource.strip_prefix(kind)?.strip_prefix('/')?.split('/').next()?;
    (owner == *scope).then_some(name)
}

impl BusHandle {
    /// A connection.
    ///
    /// Errors: `NotFound`.
    pub async fn connection(&self, scope: &Scope, name: &str) -> Result<Connection, BusError> {
        let found = self.store.resources().get(scope, kind::CONNECTION, name).await?;
        found.ok_or_else(|| {
            RefusalKind::NotFound.because(format!("Connection '{name}' does not exist."))
        })
    }

    /// The connections of a scope, by name.
    ///
    /// Errors: the store's.
    pub async fn connections(&self, scope: &Scope) -> Result<Vec<Connection>, BusError> {
        let found = self.store.resources().list(scope, kind::CONNECTION, &Page::ALL).await?;
        Ok(found.into_iter().map(|(_, connection)| connection).collect())
    }

    /// Makes a connection.
    ///
    /// Errors: `AlreadyExists`, `Invalid` without the credentials of its kind.
    pub async fn create_connection(
        &self,
        scope: &Scope,
        connection: &Connection,
    ) -> Result<(), BusError> {
        check_parameters(connection)?;
        let name = &connection.name;
        let changes = ResourceChanges::new().put_new(kind::CONNECTION, name, connection)?;
        match self.store.resources().apply(scope, changes).await {
            Ok(_) => Ok(()),
            Err(AppendError::Conflict { .. }) => {
                let why = format!("Connection {name} already exists.");
                Err(RefusalKind::AlreadyExists.because(why))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Changes a connection.
    ///
    /// Errors: `NotFound`, `Invalid`.
    pub async fn change_connection(
        &self,
        scope: &Scope,
        name: &str,
        change: impl FnOnce(&mut Connection),
    ) -> Result<Connection, BusError> {
        let _turn = self.turn.acquire().await;
        let mut connection = self.connection(scope, name).await?;
        change(&mut connection);
        check_parameters(&connection)?;
        connection.modified = self.clock.now();
        self.store.resources().put(scope, kind::CONNECTION, name, &connection).await?;
        Ok(connection)
    }

    /// Deletes a connection.
    ///
    /// Errors: `NotFound`.
    pub async fn delete_connection(
        &self,
        scope: &Scope,
        name: &str,
    ) -> Result<Connection, BusError> {
        let _turn = self.turn.acquire().await;
        let connection = self.connection(scope, name).await?;
        self.store.resources().delete(scope, kind::CONNECTION, name).await?;
        Ok(connection)
    }

    /// An API destination.
    ///
    /// Errors: `NotFound`.
    pub async fn destination(&self, scope: &Scope, name: &str) -> Result<ApiDestination, BusError> {
        let found = self.store.resources().get(scope, kind::API_DESTINATION, name).await?;
        found.ok_or_else(|| {
            let why = format!("An api-destination '{name}' does not exist.");
            RefusalKind::NotFound.because(why)
        })
    }

    /// The API destinations of a scope, by name.
    ///
    /// Errors: the store's.
    pub async fn destinations(&self, scope: &Scope) -> Result<Vec<ApiDestination>, BusError> {
        let found = self.store.resources().list(scope, kind::API_DESTINATION, &Page::ALL).await?;
        Ok(found.into_iter().map(|(_, destination)| destination).collect())
    }

    /// Makes an API destination.
    ///
    /// Errors: `AlreadyExists`, `NotFound` for the connection, `Invalid`.
    pub async fn create_destination(
        &self,
        scope: &Scope,
        destination: &ApiDestination,
    ) -> Result<(), BusError> {
        self.check_destination(scope, destination).await?;
        let name = &destination.name;
        let changes = ResourceChanges::new().put_new(kind::API_DESTINATION, name, destination)?;
        match self.store.resources().apply(scope, changes).await {
            Ok(_) => Ok(()),
            Err(AppendError::Conflict { .. }) => {
                let why = format!("An api-destination '{name}' already exists.");
                Err(RefusalKind::AlreadyExists.because(why))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Changes an API destination.
    ///
    /// Errors: `NotFound`, `Invalid`.
    pub async fn change_destination(
        &self,
        scope: &Scope,
        name: &str,
        change: impl FnOnce(&mut ApiDestination),
    ) -> Result<ApiDestination, BusError> {
        let _turn = self.turn.acquire().await;
        let mut destination = self.destination(scope, name).await?;
        change(&mut destination);
        self.check_destination(scope, &destination).await?;
        destination.modified = self.clock.now();
        self.store.resources().put(scope, kind::API_DESTINATION, name, &destination).await?;
        Ok(destination)
    }

    /// Deletes an API destination.
    ///
    /// Errors: `NotFound`.
    pub async fn delete_destination(&self, scope: &Scope, name: &str) -> Result<(), BusError> {
        let _turn = self.turn.acquire().await;
        self.destination(scope, name).await?;
        self.store.resources().delete(scope, kind::API_DESTINATION, name).await?;
        Ok(())
    }

    /// Differs: plain HTTP is taken too, for receivers on this machine.
    async fn check_destination(
        &self,
        scope: &Scope,
        destination: &ApiDestination,
    ) -> Result<(), BusError> {
        let arn = &destination.connection_arn;
        let Some(name) = name_in_arn(scope, arn, "connection") else {
            let why = format!("Connection '{arn}' does not exist.");
            return Err(RefusalKind::NotFound.because(why));
        };
        self.connection(scope, name).await?;
        let url = destination.endpoint.replace('*', "x").parse::<url::Url>();
        if !url.is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
            let why = "Parameter InvocationEndpoint is not valid. Reason: must be an HTTPS URL.";
            return Err(RefusalKind::Invalid.because(why));
        }
        Ok(())
    }
}

fn check_parameters(connection: &Connection) -> Result<(), BusError> {
    if connection.deauthorized || connection.parameters.fits(connection.kind) {
        return Ok(());
    }
    let why = "Parameter AuthParameters is not valid. Reason: it must have the parameters of the \
               AuthorizationType.";
    Err(RefusalKind::Invalid.because(why))
}
