//! Metrics of OpenTelemetry and Prometheus to CloudWatch's metric data.
//!
//! Main function: [`Mapping::map`]. What was counted since a process began becomes what was counted
//! since the last point, which needs the last points: [`LastPoints`] holds them, and takes new ones
//! only once the data are durable, so that a retry comes to the same result.

mod around;
mod last_points;
mod mapping;
mod native;
mod point;
mod spread;

#[cfg(test)]
mod tests;

pub(super) use last_points::LastPoints;
pub(super) use mapping::{Mapped, Mapping};
pub(super) use native::{NativeHistogram, NativeSeries};
