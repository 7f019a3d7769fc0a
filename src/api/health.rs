use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::store::Store;

/// What `/healthz` tells.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    status: &'static str,
    read_only: bool,
}

/// Alive, and whether the store takes writes. A full disk is no reason to be restarted, so the
/// status is 200 either way.
pub(super) async fn answer(State(store): State<Store>) -> Json<Health> {
    let read_only = store.counters().read_only != 0;
    Json(Health { status: if read_only { "read-only" } else { "ok" }, read_only })
}
