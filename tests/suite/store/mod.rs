//! The store from outside: what is appended is read back, from memory, from segments and after a
//! restart; what is refused is refused by name.

mod audit_events_traces;
mod crash;
mod duckdb;
mod format;
mod insights;
mod logs;
mod metrics;
mod model;
mod resources;
mod support;
mod upkeep;
