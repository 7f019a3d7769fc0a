use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, header};
use tokio::sync::Semaphore;

use super::auth::{Caller, Signature, Signed, anonymous_account, check_local};
use super::body::read_body;
use super::error::ApiError;
use super::router::refusal;
use super::settings::{Access, ApiSettings};
use super::{ApiState, fault};
use crate::telemetry::{Region, Scope};
use crate::time::Clock;

/// Who may come in, and as whom.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) settings: Arc<ApiSettings>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Gate {
    /// What is settled before the body is read: the region that is meant.
    pub(super) fn region(
        &self,
        parts: &Parts,
        signature: Option<&Signature>,
    ) -> Result<Region, ApiError> {
        let settings = &self.settings;
        if let Access::Anonymous = settings.access {
            check_local(&parts.uri, &parts.headers, &settings.hosts)
                .map_err(|refusal| fault::ACCESS_DENIED.because(refusal.to_string()))?;
        }
        let region = signature.map(|signature| Region::new(&signature.region)).unwrap_or_default();
        if !settings.regions.is_empty() && !settings.regions.contains(&region) {
            let why = format!("Credential should be scoped to a valid region, not '{region}'.");
            return Err(fault::INVALID_SIGNATURE.because(why));
        }
        if let (Access::Signed(_), None) = (&settings.access, signature) {
            return Err(fault::MISSING_TOKEN.because("Missing Authentication Token"));
        }
        Ok(region)
    }

    /// Who calls.
    pub(super) fn caller(
        &self,
        parts: &Parts,
        body: &[u8],
        (signature, region): (Option<&Signature>, Region),
    ) -> Result<Caller, ApiError> {
        match (&self.settings.access, signature) {
            (Access::Signed(credentials), Some(signature)) => {
                let (method, uri, headers) = (&parts.method, &parts.uri, &parts.headers);
                let signed = Signed { method, uri, headers, body };
                Ok(signature.verify(signed, credentials, self.clock.now())?)
            }
            (_, Some(signature)) => {
                let account = anonymous_account(&signature.access_key_id);
                let access_key_id = Some(signature.access_key_id.clone());
                Ok(Caller { scope: Scope { account, region }, access_key_id })
            }
            (_, None) => Ok(Caller::default()),
        }
    }
}

/// Puts the same gate before the routes of another door: callers on this machine, or signatures for
/// the service that `signed_for` names at a path. The routes find a [`Scope`] with each request.
pub fn guarded(
    routes: Router,
    signed_for: &'static [(&'static str, &'static str)],
    state: &ApiState,
) -> Router {
    let gate = Gate { settings: Arc::clone(&state.settings), clock: Arc::clone(&state.clock) };
    let places = Arc::new(Semaphore::new(PLACES_MAX));
    routes.layer(from_fn_with_state(Guard { gate, signed_for, places }, pass))
}

/// BOUND: so many requests are in work beside those of the API; each may hold a body.
const PLACES_MAX: usize = 64;
const WAIT: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Guard {
    gate: Gate,
    signed_for: &'static [(&'static str, &'static str)],
    places: Arc<Semaphore>,
}

async fn pass(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let Ok(_place) = guard.places.try_acquire() else {
        return refusal(&fault::UNAVAILABLE.because("too many requests are in work").after(WAIT));
    };
    match guard.admit(request).await {
        Ok(request) => next.run(request).await,
        Err(refused) => refusal(&refused),
    }
}

impl Guard {
    async fn admit(&self, request: Request) -> Result<Request, ApiError> {
        let (mut parts, mut body) = request.into_parts();
        let signature = Signature::of(&parts.uri, &parts.headers)?;
        let signature = signature.as_ref();
        let region = self.gate.region(&parts, signature)?;
        let settings = &self.gate.settings;
        let caller = match (&settings.access, signature) {
            (Access::Signed(_), Some(signature)) => {
                let path = parts.uri.path();
                let service = self.signed_for.iter().find(|(own, _)| *own == path);
                let (_, service) = service.ok_or_else(|| {
                    fault::ACCESS_DENIED.because("no signature is good for gRPC; send HTTP")
                })?;
                signature.check_service(service)?;
                let bytes = read_body(body, &parts.headers, settings.body_bytes_max).await?;
                let caller = self.gate.caller(&parts, &bytes, (Some(signature), region))?;
                body = Body::from(bytes);
                caller
            }
            _ => self.gate.caller(&parts, &[], (signature, region))?,
        };
        parts.extensions.insert(caller.scope);
        Ok(Request::from_parts(parts, body))
    }
}

/// COMPAT: some X-Ray SDKs send JSON to the daemon without saying so.
pub(super) async fn as_json(mut request: Request, next: Next) -> Response {
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().entry(header::CONTENT_TYPE).or_insert(json);
    next.run(request).await.into_response()
}
