//! Statistics, metric math, Insights, filter patterns and trace filters: parse, plan, compute.

pub mod filter_pattern;
pub mod insights;
pub mod log_metric;
pub mod masking;
pub mod metric_math;
pub mod metric_search;
pub mod metrics_insights;
pub mod statistic;
pub mod trace;
pub mod wildcard;
