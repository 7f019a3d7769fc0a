use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::Value;

use super::{Carried, Carrier, http};
use crate::bus::connection::{
    ApiDestination, AuthorizationType, Connection, HttpParameterSet, OauthAuth, Parameter,
    name_in_arn,
};
use crate::bus::deliver::Delivery;
use crate::bus::kind;
use crate::bus::rule::{HttpParameters, Target};
use crate::telemetry::Scope;
use crate::time::{Clock, Deadline, Monotonic};

/// Source: EventBridge User Guide, "API destinations": 5 seconds to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How much of a token's answer is read.
const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// Tokens, and when each destination may be called next.
#[derive(Debug, Default)]
pub(in crate::bus) struct Destinations {
    tokens: Mutex<HashMap<Arc<str>, Token>>,
    next: Mutex<HashMap<Arc<str>, Monotonic>>,
}

#[derive(Clone, Debug)]
struct Token {
    value: String,
    until: Monotonic,
}

impl Destinations {
    /// How long to wait so that a destination is not called more often than it may be.
    fn wait(&self, destination: &ApiDestination, clock: &dyn Clock) -> Duration {
        let limit = destination.rate_limit.unwrap_or(ApiDestination::RATE_LIMIT).max(1);
        let gap = Duration::from_secs(1) / limit;
        let now = clock.monotonic();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = next.get(&destination.id).copied().map_or(now, |slot| slot.max(now));
        next.insert(Arc::clone(&destination.id), slot.plus(gap));
        slot.since(now)
    }

    fn token(&self, connection: &Connection, now: Monotonic) -> Option<String> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let token = tokens.get(&connection.id).filter(|token| token.until > now)?;
        Some(token.value.clone())
    }

    fn keep(&self, connection: &Connection, token: Option<Token>) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        match token {
            Some(token) => drop(tokens.insert(Arc::clone(&connection.id), token)),
            None => drop(tokens.remove(&connection.id)),
        }
    }
}

/// Calls an API destination.
///
/// Source: EventBridge User Guide, "API destinations as targets"; its default headers.
pub(super) async fn call(
    carrier: &Carrier,
    scope: &Scope,
    target: &Target,
    delivery: &Delivery,
) -> Carried {
    let (destination, connection) = match find(carrier, scope, target).await {
        Ok(found) => found,
        Err(carried) => return carried,
    };
    tokio::time::sleep(carrier.destinations.wait(&destination, carrier.clock.as_ref())).await;
    // A token that the receiver does not take any more is asked for once again.
    let mut is_last = connection.kind != AuthorizationType::OauthClientCredentials;
    loop {
        let request = match request(carrier, (&destination, &connection), target, delivery).await {
            Ok(request) => request,
            Err(carried) => return carried,
        };
        let (status, after) = match http::send(carrier, request, TIMEOUT).await {
            Ok(answered) => answered,
            Err(carried) => return carried,
        };
        let is_refused =
            matches!(status, StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        if is_last || !is_refused {
            return http::judge(status, after);
        }
        carrier.destinations.keep(&connection, None);
        is_last = true;
    }
}

async fn find(
    carrier: &Carrier,
    scope: &Scope,
    target: &Target,
) -> Result<(ApiDestination, Connection), Carried> {
    let gone = || Carried::never("NO_RESOURCE", format!("{} does not exist", target.arn));
    let failed =
        |error: crate::store::ReadError| Carried::later("INTERNAL_ERROR", error.to_string());
    let resources = carrier.store.resources();
    let name = name_in_arn(scope, &target.arn, "api-destination").ok_or_else(gone)?;
    let destination = resources.get::<ApiDestination>(scope, kind::API_DESTINATION, name).await;
    let destination = destination.map_err(failed)?.ok_or_else(gone)?;
    let name = name_in_arn(scope, &destination.connection_arn, "connection").ok_or_else(gone)?;
    let connection = resources.get::<Connection>(scope, kind::CONNECTION, name).await;
    let connection = connection.map_err(failed)?.ok_or_else(gone)?;
    if connection.deauthorized {
        let why = format!("the connection {} is not authorized", connection.name);
        return Err(Carried::never("NO_PERMISSIONS", why));
    }
    Ok((destination, connection))
}

async fn request(
    carrier: &Carrier,
    (destination, connection): (&ApiDestination, &Connection),
    target: &Target,
    delivery: &Delivery,
) -> Result<RequestBuilder, Carried> {
    let own = target.http_parameters.clone().unwrap_or_default();
    let event = delivery.event.as_ref().unwrap_or(&delivery.payload);
    let event: Value = serde_json::from_str(event).unwrap_or(Value::Null);
    let extra = connection.parameters.invocation_http_parameters.clone().unwrap_or_default();
    let url = fill(&destination.endpoint, &own, &event);
    let method = Method::from_bytes(destination.method.as_bytes()).unwrap_or(Method::POST);
    let mut request = carrier
        .notifier
        .http()
        .request(method, url)
        .header(header::USER_AGENT, "Amazon/EventBridge/ApiDestinations")
        .header(header::RANGE, "bytes=0-1048575");
    let mut headers: Vec<(String, String)> =
        vec![("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
    let mut query: Vec<(String, String)> = Vec::new();
    for (name, value) in own.header_parameters.iter().flatten() {
        set(&mut headers, &name.to_ascii_lowercase(), dynamic(value, &event));
    }
    for (name, value) in own.query_string_parameters.iter().flatten() {
        set(&mut query, name, dynamic(value, &event));
    }
    // The connection's parameters win over the target's.
    for parameter in extra.header_parameters.iter().flatten() {
        set(&mut headers, &parameter.key.to_ascii_lowercase(), value_of(parameter));
    }
    for parameter in extra.query_string_parameters.iter().flatten() {
        set(&mut query, &parameter.key, value_of(parameter));
    }
    let parameters = &connection.parameters;
    match connection.kind {
        AuthorizationType::Basic => {
            if let Some(basic) = &parameters.basic_auth_parameters {
                request = request.basic_auth(&basic.username, basic.password.as_ref());
            }
        }
        AuthorizationType::ApiKey => {
            if let Some(key) = &parameters.api_key_auth_parameters {
                let value = key.api_key_value.clone().unwrap_or_default();
                set(&mut headers, &key.api_key_name.to_ascii_lowercase(), value);
            }
        }
        AuthorizationType::OauthClientCredentials => {
            request = request.bearer_auth(token(carrier, connection).await?);
        }
    }
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let body = with_members(&delivery.payload, &extra);
    Ok(request.query(&query).body(body))
}

fn value_of(parameter: &Parameter) -> String {
    parameter.value.clone().unwrap_or_default()
}

fn set(pairs: &mut Vec<(String, String)>, name: &str, value: String) {
    pairs.retain(|(held, _)| held != name);
    pairs.push((name.to_owned(), value));
}

/// A value that may be a path into the event.
fn dynamic(value: &str, event: &Value) -> String {
    let Some(path) = value.strip_prefix("$.") else { return value.to_owned() };
    let pointer = format!("/{}", path.replace('.', "/"));
    match event.pointer(&pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// The endpoint with each `*` replaced by a path parameter, in order.
fn fill(endpoint: &str, own: &HttpParameters, event: &Value) -> String {
    let mut values = own.path_parameter_values.iter().flatten();
    let mut url = String::new();
    for (at, part) in endpoint.split('*').enumerate() {
        if at > 0 {
            let value = values.next().map(|value| dynamic(value, event)).unwrap_or_default();
            url.extend(utf8_percent_encode(&value, NON_ALPHANUMERIC));
        }
        url.push_str(part);
    }
    url
}

/// The body with the connection's members, where it is an object.
fn with_members(payload: &str, extra: &HttpParameterSet) -> String {
    let Some(parameters) = extra.body_parameters.as_ref().filter(|p| !p.is_empty()) else {
        return payload.to_owned();
    };
    match serde_json::from_str::<Value>(payload) {
        Ok(Value::Object(mut members)) => {
            for parameter in parameters {
                members.insert(parameter.key.clone(), value_of(parameter).into());
            }
            Value::Object(members).to_string()
        }
        _ => payload.to_owned(),
    }
}

/// The token of a connection, asked for when there is none that still holds.
///
/// Source: RFC 6749, section 4.4.
async fn token(carrier: &Carrier, connection: &Connection) -> Result<String, Carried> {
    let now = carrier.clock.monotonic();
    if let Some(token) = carrier.destinations.token(connection, now) {
        return Ok(token);
    }
    let Some(oauth) = &connection.parameters.oauth_parameters else {
        return Err(Carried::never("NO_PERMISSIONS", "the connection has no OAuth parameters"));
    };
    let deadline = Deadline::after(carrier.clock.as_ref(), TIMEOUT);
    let asked = deadline.bound(async {
        let mut answer = token_request(carrier, oauth).send().await?;
        let mut read = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            read.extend_from_slice(&chunk);
            // BOUND: a token is short; an answer that never ends is not one.
            if read.len() > TOKEN_BYTES_MAX {
                break;
            }
        }
        Ok::<_, reqwest::Error>((answer.status(), read))
    });
    let (status, read) = match asked.await {
        Ok(Ok(answered)) => answered,
        Ok(Err(error)) => return Err(Carried::later("SDK_CLIENT_ERROR", error.to_string())),
        Err(_passed) => return Err(Carried::later("TIMEOUT", "no token in time")),
    };
    let answer: Value = serde_json::from_slice(&read).unwrap_or(Value::Null);
    let Some(value) = answer.get("access_token").and_then(Value::as_str) else {
        let why =
            format!("the authorization endpoint answered {} without a token", status.as_u16());
        return Err(Carried::later("NO_PERMISSIONS", why));
    };
    let seconds = answer.get("expires_in").and_then(Value::as_u64).unwrap_or(300);
    let until = now.plus(Duration::from_secs(seconds.saturating_sub(5)));
    carrier.destinations.keep(connection, Some(Token { value: value.to_owned(), until }));
    Ok(value.to_owned())
}

fn token_request(carrier: &Carrier, oauth: &OauthAuth) -> RequestBuilder {
    let method = Method::from_bytes(oauth.http_method.as_bytes()).unwrap_or(Method::POST);
    let extra = oauth.http_parameters.clone().unwrap_or_default();
    let client = &oauth.client_parameters;
    let mut form = vec![
        ("grant_type".to_owned(), "client_credentials".to_owned()),
        ("client_id".to_owned(), client.client_id.clone()),
        ("client_secret".to_owned(), client.client_secret.clone().unwrap_or_default()),
    ];
    for parameter in extra.body_parameters.iter().flatten() {
        set(&mut form, &parameter.key, value_of(parameter));
    }
    let mut query: Vec<(String, String)> = Vec::new();
    for parameter in extra.query_string_parameters.iter().flatten() {
        set(&mut query, &parameter.key, value_of(parameter));
    }
    let is_get = method == Method::GET;
    let mut request = carrier.notifier.http().request(method, &oauth.authorization_endpoint);
    for parameter in extra.header_parameters.iter().flatten() {
        request = request.header(&parameter.key, value_of(parameter));
    }
    if is_get { request.query(&form).query(&query) } else { request.query(&query).form(&form) }
}
