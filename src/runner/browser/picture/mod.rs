//! Pictures of a page that come out the same every time, with what is needed to compare them.
//!
//! Main type: [`Shot`]. Comparing is the business of `visual`, keeping baselines that of others.

mod capture;
mod shot;
mod tiles;

pub use shot::{Shot, ShotExtent, ShotRequest};
