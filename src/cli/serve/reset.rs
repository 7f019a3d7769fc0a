//! `--allow-reset`: a door in front of the others that can have everything behind it made anew.

use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt;

/// A request to forget everything; answered once that is done, with whether it worked.
pub(super) type ResetRequest = oneshot::Sender<bool>;

/// BOUND: further requests to reset wait for those before them.
const RESETS_WAITING_MAX: usize = 16;

/// Passes requests to the router of the day.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    current: Arc<RwLock<Router>>,
    resets: mpsc::Sender<ResetRequest>,
}

impl Gate {
    /// A gate before `router`, and what is asked of its owner.
    pub(super) fn before(router: Router) -> (Self, mpsc::Receiver<ResetRequest>) {
        let (resets, asked) = mpsc::channel(RESETS_WAITING_MAX);
        (Self { current: Arc::new(RwLock::new(router)), resets }, asked)
    }

    /// What clients talk to.
    pub(super) fn router(&self) -> Router {
        Router::new().route("/_coalmine/reset", post(reset)).fallback(pass).with_state(self.clone())
    }

    /// From now on requests go to `router`.
    pub(super) fn open(&self, router: Router) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = router;
    }
}

async fn pass(State(gate): State<Gate>, request: Request) -> Response {
    let router = gate.current.read().unwrap_or_else(PoisonError::into_inner).clone();
    router.oneshot(request).await.into_response()
}

async fn reset(State(gate): State<Gate>, request: Request) -> (StatusCode, String) {
    // A page in a browser must not be able to do this; programs send none of these headers.
    if ["origin", "sec-fetch-site"].iter().any(|name| request.headers().contains_key(*name)) {
        return (StatusCode::FORBIDDEN, "a reset is not for pages in a browser\n".to_owned());
    }
    if let Some(query) = request.uri().query().filter(|query| !query.is_empty()) {
        let why = format!(
            "cannot reset by `{query}`: only everything can be forgotten; for a fresh account \
             sign with another 12-digit access key id\n"
        );
        return (StatusCode::NOT_IMPLEMENTED, why);
    }
    let (answer, done) = oneshot::channel();
    if gate.resets.send(answer).await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the server is stopping\n".to_owned());
    }
    match done.await {
        Ok(true) => (StatusCode::OK, "everything is forgotten\n".to_owned()),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "the reset failed; see the log\n".to_owned()),
    }
}

/// Empties a data folder that nobody has open; the folder itself stays.
pub(super) fn empty(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => std::fs::remove_dir_all(entry.path())?,
            false => std::fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}
