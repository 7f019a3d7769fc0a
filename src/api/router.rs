use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::StreamExt;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use tokio::sync::Semaphore;

use super::address::{Address, Found};
use super::audit::{self, AuditTrail};
use super::auth::{Caller, Signature};
use super::body::{BodyError, inflate, read_body};
use super::call::{Beside, Call, CallFacts};
use super::error::ApiError;
use super::fault;
use super::gate::{Gate, as_json};
use super::logs::RunningQueries;
use super::service::{Output, Service};
use super::wire::{ByteStream, Manner, Protocol, Reply, error_reply};
use super::{Access, ApiSettings, ApiState, health, self_metrics, services};

/// The AWS-compatible API: `POST /`, RPC v2 and REST paths, and everything no other door serves.
///
/// Routes are claimed by method, so that a console can have `GET /` on the same port.
pub fn router(state: ApiState) -> Router {
    let store = state.store.clone();
    Router::new()
        .route("/", post(answer))
        .route("/healthz", get(health::answer).with_state(store.clone()))
        .route("/metrics", get(self_metrics::answer).with_state(store))
        .fallback(answer)
        .with_state(Arc::new(Door::new(state)))
}

/// What the X-Ray daemon answers over TCP: the two calls about sampling.
///
/// The real daemon signs for its callers, so that they sign nothing; it is for callers on this
/// machine.
/// Source: X-Ray Developer Guide, "Using sampling rules with the X-Ray API".
pub fn sampling_router(state: ApiState) -> Router {
    let settings = ApiSettings { access: Access::Anonymous, ..ApiSettings::clone(&state.settings) };
    let door = Door::new(ApiState { settings: Arc::new(settings), ..state });
    Router::new()
        .route("/GetSamplingRules", post(answer))
        .route("/SamplingTargets", post(answer))
        .layer(from_fn(as_json))
        .with_state(Arc::new(door))
}

struct Door {
    state: ApiState,
    gate: Gate,
    beside: Beside,
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
    fn new(state: ApiState) -> Self {
        let requests = Arc::new(Semaphore::new(state.settings.requests_max));
        let trail =
            AuditTrail::start(state.store.clone(), state.monitor.trails().clone(), &state.tasks);
        let [queries, exports, tails] = [(); 3].map(|()| RunningQueries::default());
        let beside = Beside { trail, queries, exports, tails };
        let gate = Gate { settings: Arc::clone(&state.settings), clock: Arc::clone(&state.clock) };
        Self { state, gate, beside, services: services(), requests }
    }

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
            Ok(admitted) => self.call(address, parts, &admitted, request_id).await,
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
    ) -> Result<Admitted, ApiError> {
        let settings = &self.state.settings;
        let region = self.gate.region(parts, signature)?;
        let body = read_body(body, &parts.headers, settings.body_bytes_max).await?;
        let caller = self.gate.caller(parts, &body, (signature, region))?;
        let sent_bytes = body.len();
        let body = inflate(body, &parts.headers, settings.inflated_bytes_max).await?;
        Ok(Admitted { caller, body, sent_bytes })
    }

    async fn call(
        &self,
        mut address: Address<'_>,
        parts: &Parts,
        admitted: &Admitted,
        request_id: &str,
    ) -> (Reply, Protocol) {
        let found = address.find(&self.services, parts, &admitted.body);
        let found = match found {
            Ok(found) => found,
            Err(refused) => {
                let manner = address.manner("", request_id);
                return (error_reply(manner, &refused), manner.protocol);
            }
        };
        let manner = address.manner(found.operation.name, request_id);
        let status = found.operation.status;
        let answer = match self.check(parts, &found, admitted.sent_bytes) {
            Ok(()) => self.run(found, parts, admitted.caller.clone(), request_id).await,
            Err(refused) => Err(refused),
        };
        (write(manner, answer, status), manner.protocol)
    }

    async fn run(
        &self,
        found: Found<'_>,
        parts: &Parts,
        caller: Caller,
        request_id: &str,
    ) -> Result<Box<dyn Output>, ApiError> {
        let Found { service, operation, input, ready } = found;
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
            host: text(header::HOST.as_str()).map(ToOwned::to_owned),
            user_agent: text(header::USER_AGENT.as_str()).map(ToOwned::to_owned),
            parameters: audit::parameters(operation.effect, &input),
        };
        let call = Call::new(self.state.clone(), self.beside.clone(), facts);
        let started = match ready {
            Some(ready) => Ok(ready(call.clone())),
            None => operation.start(call.clone(), input),
        };
        let answer = match started {
            Ok(pending) => pending.await,
            Err(fault) => Err((service.refuse)(&fault)),
        };
        call.finish(answer.as_ref().err()).await;
        answer
    }

    /// With credentials configured, a signature is good for the service in its scope only.
    fn check(&self, parts: &Parts, found: &Found<'_>, sent_bytes: usize) -> Result<(), ApiError> {
        if let Some(most) = found.operation.sent_bytes_max.filter(|most| sent_bytes > *most) {
            return Err(BodyError::TooLarge(most).into());
        }
        let signature = Signature::of(&parts.uri, &parts.headers)?;
        match (&self.state.settings.access, signature) {
            (Access::Signed(_), Some(signature)) => {
                Ok(signature.check_service(found.service.signing_name)?)
            }
            _ => Ok(()),
        }
    }
}

/// A request that may come in.
struct Admitted {
    caller: Caller,
    /// Decompressed.
    body: bytes::Bytes,
    /// How long the body was as sent.
    sent_bytes: usize,
}

fn write(manner: Manner<'_>, answer: Result<Box<dyn Output>, ApiError>, status: u16) -> Reply {
    const NO_CONTENT: u16 = 204;
    let refused = match answer {
        Ok(output) => match output.reply(manner) {
            Ok(reply) if status == NO_CONTENT => {
                return Reply { status, body: bytes::Bytes::new(), ..reply };
            }
            Ok(reply) if status != 200 => return Reply { status, ..reply },
            Ok(reply) => return reply,
            Err(fault) => {
                tracing::error!(operation = manner.operation, %fault, "answer cannot be written");
                fault::INTERNAL.because("the answer could not be written")
            }
        },
        Err(refused) => refused,
    };
    error_reply(manner, &refused)
}

fn busy() -> ApiError {
    fault::UNAVAILABLE
        .because("too many requests are in work")
        .after(std::time::Duration::from_secs(1))
}

impl From<BodyError> for ApiError {
    fn from(fault: BodyError) -> Self {
        match fault {
            BodyError::TooLarge(_) => fault::TOO_LARGE.because(fault.to_string()),
            BodyError::TooSlow => fault::SERIALIZATION.because(fault.to_string()).with_status(408),
            BodyError::Encoding { .. } => {
                fault::SERIALIZATION.because(fault.to_string()).with_status(415)
            }
            BodyError::CutOff | BodyError::BadGzip => {
                fault::SERIALIZATION.because(fault.to_string())
            }
        }
    }
}

/// A refusal before it is known what was asked for.
pub(super) fn refusal(refused: &ApiError) -> Response {
    let request_id = uuid::Uuid::new_v4().to_string();
    let manner = Manner {
        protocol: Protocol::RestJson,
        operation: "",
        xml_namespace: "",
        error_namespace: "",
        query_compatible: false,
        request_id: &request_id,
    };
    http_response(error_reply(manner, refused), manner.protocol, &request_id)
}

fn http_response(reply: Reply, protocol: Protocol, request_id: &str) -> Response {
    let body = match reply.stream {
        None => Body::from(reply.body),
        Some(ByteStream(frames)) => Body::from_stream(frames.map(Ok::<_, Infallible>)),
    };
    let mut response = Response::new(body);
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
