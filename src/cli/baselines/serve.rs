use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{DefaultBodyLimit, Form, Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::header::{
    ACCEPT, CACHE_CONTROL, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, json};
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, Judgement, Verb};
use super::sheet::{Means, Sheet, sheets};
use super::status::status;
use crate::cli::ExitStatus;
use crate::cli::context::Context;
use crate::cli::demo::listen;
use crate::cli::fatal::Fatal;
use crate::cli::ready::Ready;
use crate::cli::serve::serve as serve_http;
use crate::cli::signal::{Ended, StopSignals};
use crate::visual::Decision;

/// BOUND: a decision is a name, a verb and a reason.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// The review page, served to this machine alone.
///
/// Whoever can post to it can approve pictures, so three things must be right: the address in the
/// `Host` header (a page elsewhere whose name resolves to us is refused), the origin of a post, and
/// a token that only the printed address has.
struct ReviewRoom {
    desk: Mutex<Desk>,
    title: String,
    token: String,
    address: SocketAddr,
    decision: Box<dyn Fn(&str) -> Decision + Send + Sync>,
}

/// Serves the page until interrupted.
pub(super) fn execute(
    context: &Context,
    desk: Desk,
    (address, title, by): (SocketAddr, String, String),
) -> Result<ExitStatus, Fatal> {
    context.block_on(open(context, desk, (address, title, by)))?
}

async fn open(
    context: &Context,
    desk: Desk,
    (address, title, by): (SocketAddr, String, String),
) -> Result<ExitStatus, Fatal> {
    let mut signals = StopSignals::take()?;
    let (listener, address) = listen(address).await?;
    // 244 bits of the system's own randomness.
    let token = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].map(|id| id.simple().to_string());
    let token = token.concat();
    let ready = Ready { what: "the review", address, extra: Map::new() };
    let page = format!("{}/{token}/", ready.url());
    if context.screen.is_terminal() {
        context.screen.line(&format!("the review is at {page}\nstop with Ctrl-C when done"));
    } else {
        let extra = Map::from_iter([("page".to_owned(), json!(page))]);
        Ready { extra, ..ready }.announce(&context.screen);
    }
    let clock = Arc::clone(&context.clock);
    let decision = Box::new(move |why: &str| {
        let at = clock.now().to_rfc3339();
        Decision { by: by.clone(), why: why.to_owned(), at, run: None }
    });
    let room = Arc::new(ReviewRoom { desk: Mutex::new(desk), title, token, address, decision });
    let stop = CancellationToken::new();
    let work = serve_http(listener, router(Arc::clone(&room)), stop.clone());
    match signals.guard(&stop, work).await {
        Ended::Abandoned => Ok(ExitStatus::Interrupted),
        // Ctrl-C is how a person says that the review is over: what is left decides.
        Ended::Alone(()) | Ended::Asked(..) => Ok(status(&room.desk())),
    }
}

fn router(room: Arc<ReviewRoom>) -> Router {
    Router::new()
        .route("/{token}/", get(show))
        .route("/{token}/decide", post(decide))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&room), guard))
        .with_state(room)
}

impl ReviewRoom {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_us(&self, host: &str) -> bool {
        host == self.address.to_string() || host == format!("localhost:{}", self.address.port())
    }

    /// Whether a request names us as its host, and comes from our own page or the address bar.
    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let text =
            |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("not text"));
        let origin = |origin: &str| origin.strip_prefix("http://").is_some_and(|at| self.is_us(at));
        let site = text(HeaderName::from_static("sec-fetch-site"));
        text(HOST).is_some_and(|host| self.is_us(host))
            && text(ORIGIN).is_none_or(origin)
            && site.is_none_or(|site| matches!(site, "same-origin" | "none"))
    }
}

async fn guard(State(room): State<Arc<ReviewRoom>>, request: Request, next: Next) -> Response {
    let token = request.uri().path().split('/').nth(1).unwrap_or_default();
    // Equal time for every wrong token: hashes are compared, in constant time, not texts.
    let knows = blake3::hash(token.as_bytes()) == blake3::hash(room.token.as_bytes());
    let mut response = match (room.lets_in(request.headers()), knows) {
        (false, _) => {
            let told = "this page is for the browser of this machine only\n";
            (StatusCode::FORBIDDEN, told).into_response()
        }
        (true, false) => (StatusCode::NOT_FOUND, "there is no such page\n").into_response(),
        (true, true) => next.run(request).await,
    };
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn show(State(room): State<Arc<ReviewRoom>>, Path(_token): Path<String>) -> Response {
    let page = tokio::task::spawn_blocking(move || {
        let sheets = sheets(&mut room.desk(), &Means::Form(&room.token));
        Sheet::page(&room.title, &sheets)
    });
    match page.await {
        Ok(page) => Html(page).into_response(),
        Err(panic) => (StatusCode::INTERNAL_SERVER_ERROR, panic.to_string()).into_response(),
    }
}

/// What a person decided, as the page's form sends it.
#[derive(Debug, Deserialize)]
struct Decided {
    name: String,
    verb: String,
    #[serde(default)]
    why: String,
    token: String,
}

/// Takes a decision: JSON for the page's script, a redirect for a form without scripts.
async fn decide(
    State(room): State<Arc<ReviewRoom>>,
    headers: HeaderMap,
    Form(decided): Form<Decided>,
) -> Response {
    if decided.token != room.token {
        return (StatusCode::FORBIDDEN, "the form is not from this page\n").into_response();
    }
    let speaks_json = headers.get(ACCEPT).is_some_and(|accept| accept == "application/json");
    let work = tokio::task::spawn_blocking(move || carry_out(&room, &decided)).await;
    let outcome = work.unwrap_or_else(|panic| Err(panic.to_string()));
    match (outcome, speaks_json) {
        (Ok((names, told)), true) => {
            Json(json!({ "decided": names, "told": told })).into_response()
        }
        (Ok(_), false) => (StatusCode::SEE_OTHER, [("location", "./")]).into_response(),
        (Err(told), true) => (StatusCode::CONFLICT, Json(json!({ "told": told }))).into_response(),
        (Err(told), false) => (StatusCode::CONFLICT, format!("{told}\n")).into_response(),
    }
}

/// The names that a decision was carried out for, and what happened; or why it was not.
fn carry_out(room: &ReviewRoom, decided: &Decided) -> Result<(Vec<String>, String), String> {
    let (verb, word) = match decided.verb.as_str() {
        "approve" | "approve-group" => (Verb::Approve, "approved"),
        "noise" => (Verb::Tolerate, "passes as noise from now on"),
        "reject" => (Verb::Reject, "rejected"),
        other => return Err(format!("`{other}` is no decision")),
    };
    let why = decided.why.trim();
    if verb == Verb::Reject && why.is_empty() {
        return Err("say why: whoever sees the picture next is told".to_owned());
    }
    let mut desk = room.desk();
    let position = desk.shots().iter().position(|shot| shot.name.to_string() == decided.name);
    let at = position.ok_or_else(|| format!("there is no picture {}", decided.name))?;
    let change = match decided.verb.as_str() {
        "approve-group" => desk.group(at).map(|(change, _)| change.to_owned()),
        _ => None,
    };
    let shots = desk.shots().iter().enumerate();
    let meant = shots.filter(|(other, shot)| {
        let same = change.is_some() && shot.found.record.change_id == change;
        *other == at || (same && shot.state.is_undecided())
    });
    let meant: Vec<(usize, String)> = meant.map(|(at, shot)| (at, shot.name.to_string())).collect();
    let judgement = Judgement { verb, decision: (room.decision)(why), even_stale: false };
    let mut names = Vec::new();
    for (at, name) in meant {
        desk.decide(at, &judgement).map_err(|refusal| {
            let cause = std::error::Error::source(&refusal);
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{name}: {refusal}{cause}")
        })?;
        names.push(name);
    }
    Ok((names, format!("{word} by {}", judgement.decision.by)))
}
