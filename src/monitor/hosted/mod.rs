//! Canaries that clients make through the API, of any account and region.
//!
//! Main type: [`HostedCanaries`]. It keeps their documents, runs those that are started, and holds
//! AWS's table of which call is allowed in which state. What a run does is `runner`'s business;
//! canaries of the folder are the scheduler's. A bundle that holds no canary of ours is kept and
//! described, and starting it is refused.

mod bundle;
mod canaries;
mod document;
mod running;

pub use bundle::{Bundle, BundleFault};
pub(super) use canaries::HostedParts;
pub use canaries::{DryRunOrder, HostedCanaries, HostedFault};
pub use document::{
    CanaryConfig, CanaryDryRunRow, CanaryRetry, CanaryRunConfig, CanaryTiming, DryRunRow,
    HostedCanaryRow, HostedState,
};
