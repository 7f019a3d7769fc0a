//! Trails: audit records as compressed files in a bucket, and digests that prove them unchanged.
//!
//! Main types: [`Trail`], what is delivered where; [`TrailHandle`], by which doors ask and change
//! trails. The records themselves are made by the doors, and kept whether a trail takes them or
//! not.

mod change;
mod deliver;
mod document;
mod files;
mod handle;
mod insights;
mod key;
mod rates;
mod selector;

pub(super) use deliver::TrailDeliverer;
pub use document::{Trail, TrailSettings, TrailState};
pub use handle::{TrailError, TrailHandle};
pub use insights::InsightType;
pub(super) use insights::InsightWatch;
pub use key::TrailKey;
pub use selector::{
    AdvancedSelector, DataResource, EventSelector, FieldSelector, ReadWriteType, Selectors,
};
