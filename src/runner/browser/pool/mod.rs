//! Warm browsers, and places in them for runs.
//!
//! Main type: [`BrowserPool`]. It starts browsers, shares, watches, recycles and ends them. What a
//! run does with its place is the business of `page`.

mod arguments;
mod browser;
mod lease;
mod warm;

pub use arguments::PageSettings;
pub(super) use lease::Lease;
pub use warm::{BrowserPool, PoolStatus};
