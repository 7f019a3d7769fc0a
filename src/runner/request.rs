use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::canary::definition::{Canary, Combination};
use crate::time::Timestamp;

/// One run to be made.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// What is run.
    pub canary: Arc<Canary>,
    /// One of the canary's combinations; empty for a canary without a matrix.
    pub parameters: Combination,
    /// Which repetition of the same run it is, where it is repeated; shown beside the parameters.
    pub repetition: Option<NonZeroU32>,
    /// When it was due; now, unless a schedule says otherwise.
    pub scheduled: Option<Timestamp>,
    /// Variables given by the caller; they replace those of the file.
    pub variables: BTreeMap<Arc<str>, Value>,
    /// Ends the run early; teardown steps still get a moment.
    pub cancel: CancellationToken,
}

impl RunRequest {
    /// One request for each combination of `canary`, in the order of the file.
    pub fn expand(canary: &Arc<Canary>) -> Vec<Self> {
        let empty = [Combination::new()];
        let combinations = match canary.combinations.as_slice() {
            [] => empty.as_slice(),
            some => some,
        };
        let request = |parameters: &Combination| Self {
            canary: Arc::clone(canary),
            parameters: parameters.clone(),
            repetition: None,
            scheduled: None,
            variables: BTreeMap::new(),
            cancel: CancellationToken::new(),
        };
        combinations.iter().map(request).collect()
    }
}
