//! Statistics, metric math, Insights, filter patterns and trace filters: parse, plan, compute.

pub mod statistic;
