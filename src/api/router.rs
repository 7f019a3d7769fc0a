use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::routing::post;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use tokio::sync::Semaphore;

use super::address::{Address, Found};
use super::auth::{Caller, Signature, Signed, anonymous_account, check_local};
use super::body::{BodyError, inflate, read_body};
use super::call::{Call, CallFacts};
use super::error::{ApiError, common};
use super::service::{Output, Service};
use super::wire::{Manner, Protocol, Reply, error_reply};
use super::{Access, ApiState, services};
use crate::telemetry::{Region, Scope};

/// The AWS-compatible API: `POST /`, RPC v2 and REST paths, and everything no other door serves.
///
/// Routes are claimed by method, so that a console can have `GET /` on the same port.
pub fn router(state: ApiState) -> Router {
    let requests = Arc::new(Semaphore::new(state.settings.requests_max));
    let door = Arc::new(Door { state, services: services(), requests });
    Router::new().route("/", post(answer)).fallback(answer).with_state(door)
}

struct Door {
    state: ApiState,
    services: Vec<Service>,
    requests: Arc<Semaphore>,
}

async fn answer(State(door): State<Arc<Door>>, request: Request) -> Response {
    let request_id = uuid::Uuid::new_v4().to_string();
    let (parts, body) = request.into_parts();
    let (reply, protocol) = door.answer(&parts, body, &request_id).await;
    http_response(reply, protocol, &request_id)
}

impl Door {
    async fn answer(&self, parts: &Parts, body: Body, request_id: &str) -> (Reply, Protocol) {
        // BOUND: over `requests_max` a request is turned away before its body is read.
        let Ok(_permit) = self.requests.try_acquire() else {
            let address = Address::of(&self.services, parts, None);
            let manner = address.manner("", request_id);
            return (error_reply(manner, &busy()), manner.protocol);
        };
        let signature = Signature::of(&parts.uri, &parts.headers).map_err(ApiError::from);
        let scoped = signature.as_ref().ok().and_then(Option::as_ref).map(|s| s.service.as_str());
        let address = Address::of(&self.services, parts, scoped);
        let admitted = match signature {
            Ok(signature) => self.admit(parts, body, signature.as_ref()).await,
            Err(refused) => Err(refused),
        };
        match admitted {
            Ok((caller, body)) => self.call(address, parts, (caller, &body), request_id).await,
            Err(refused) => {
                let manner = address.manner("", request_id);
                (error_reply(manner, &refused), manner.protocol)
            }
        }
    }

    /// Who calls, and the body: everything that is settled before the operation is looked at.
    async fn admit(
        &self,
        parts: &Parts,
        body: Body,
        signature: Option<&Signature>,
    ) -> Result<(Caller, bytes::Bytes), ApiError> {
        let settings = &self.state.settings;
        if let Access::Anonymous = settings.access {
            check_local(&parts.uri, &parts.headers, &settings.hosts)
                .map_err(|refusal| common::ACCESS_DENIED.because(refusal.to_string()))?;
        }
        let region = signature.map(|signature| Region::new(&signature.region)).unwrap_or_default();
        if !settings.regions.is_empty() && !settings.regions.contains(&region) {
            let why = format!("Credential should be scoped to a valid region, not '{region}'.");
            return Err(common::INVALID_SIGNATURE.because(why));
        }
        if let (Access::Signed(_), None) = (&settings.access, signature) {
            return Err(common::MISSING_TOKEN.because("Missing Authentication Token"));
        }
        let body = read_body(body, &parts.headers, settings.body_bytes_max).await?;
        let caller = match (&settings.access, signature) {
            (Access::Signed(credentials), Some(signature)) => {
                let signed = Signed {
                    method: &parts.method,
                    uri: &parts.uri,
                    headers: &parts.headers,
                    body: &body,
                };
                signature.verify(signed, credentials, self.state.clock.now())?
            }
            (_, Some(signature)) => {
                let account = anonymous_account(&signature.access_key_id);
                let access_key_id = Some(signature.access_key_id.clone());
                Caller { scope: Scope { account, region }, access_key_id }
            }
            (_, None) => Caller::default(),
        };
        let body = inflate(body, &parts.headers, settings.inflated_bytes_max).await?;
        Ok((caller, body))
    }

    async fn call(
        &self,
        mut address: Address<'_>,
        parts: &Parts,
        (caller, body): (Caller, &[u8]),
        request_id: &str,
    ) -> (Reply, Protocol) {
        // The address borrows the table and the request, so it is made again for this call.
        let found = address.find(&self.services, parts, body);
        let found = match found {
            Ok(found) => found,
            Err(refused) => {
                let manner = address.manner("", request_id);
                return (error_reply(manner, &refused), manner.protocol);
            }
        };
        let manner = address.manner(found.operation.name, request_id);
        let answer = match self.check_scope(parts, found.service) {
            Ok(()) => self.run(found, parts, caller, request_id).await,
            Err(refused) => Err(refused),
        };
        (write(manner, answer), manner.protocol)
    }

    async fn run(
        &self,
        found: Found<'_>,
        parts: &Parts,
        caller: Caller,
        request_id: &str,
    ) -> Result<Box<dyn Output>, ApiError> {
        let Found { service, operation, input } = found;
        let text =
            |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let facts = CallFacts {
            event_source: service.event_source,
            operation: operation.name,
            effect: operation.effect,
            caller,
            request_id: request_id.to_owned(),
            at: self.state.clock.now(),
            source_address: peer.map(|ConnectInfo(address)| address.ip()),
            user_agent: text(header::USER_AGENT.as_str()).map(ToOwned::to_owned),
        };
        let call = Call::new(self.state.clone(), facts);
        match operation.start(call, input) {
            Ok(pending) => pending.await,
            Err(fault) => Err((service.refuse)(&fault)),
        }
    }

    /// With credentials configured, a signature is good for the service in its scope only.
    fn check_scope(&self, parts: &Parts, service: &Service) -> Result<(), ApiError> {
        let signature = Signature::of(&parts.uri, &parts.headers)?;
        match (&self.state.settings.access, signature) {
            (Access::Signed(_), Some(signature)) => {
                Ok(signature.check_service(service.signing_name)?)
            }
            _ => Ok(()),
        }
    }
}

fn write(manner: Manner<'_>, answer: Result<Box<dyn Output>, ApiError>) -> Reply {
    let refused = match answer {
        Ok(output) => match output.reply(manner) {
            Ok(reply) => return reply,
            Err(fault) => {
                tracing::error!(operation = manner.operation, %fault, "answer cannot be written");
                common::INTERNAL.because("the answer could not be written")
            }
        },
        Err(refused) => refused,
    };
    error_reply(manner, &refused)
}

fn busy() -> ApiError {
    common::UNAVAILABLE
        .because("too many requests are in work")
        .after(std::time::Duration::from_secs(1))
}

impl From<BodyError> for ApiError {
    fn from(fault: BodyError) -> Self {
        match fault {
            BodyError::TooLarge(_) => common::TOO_LARGE.because(fault.to_string()),
            BodyError::TooSlow => common::SERIALIZATION.because(fault.to_string()).with_status(408),
            BodyError::Encoding(_) => {
                common::SERIALIZATION.because(fault.to_string()).with_status(415)
            }
            BodyError::CutOff | BodyError::BadGzip => {
                common::SERIALIZATION.because(fault.to_string())
            }
        }
    }
}

fn http_response(reply: Reply, protocol: Protocol, request_id: &str) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(protocol.content_type()));
    if protocol == Protocol::Cbor {
        headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
    }
    let named = reply.headers.into_iter().chain([("x-amzn-requestid", request_id.to_owned())]);
    for (name, value) in named {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    response
}
