//! CloudWatch's statistics over the samples of one bucket.
//!
//! Main types: [`Summary`], what is kept of a bucket and can be added to another, and
//! [`Statistic`], which reads one number from it. Which samples fall into a bucket is the store's
//! business; arithmetic between series is metric math's.

mod compute;
mod definition;
mod distribution;
mod histogram;
mod summary;

pub use definition::{Bounds, Statistic, StatisticError};
pub use distribution::Distribution;
pub use histogram::ExponentialHistogram;
pub use summary::Summary;
