//! Coalmine: synthetic monitoring, a canary runner and an embedded CloudWatch-compatible store.
//!
//! The layers, lowest first; a module imports only from layers below (`tests/tidy.rs` checks it,
//! `ARCHITECTURE.md` argues it).

// ground: no domain rule
pub mod diagnostic;
pub mod task;
pub mod telemetry;
pub mod time;

// rules: pure, synchronous, no disk, net, environment or clock
pub mod alarm;
pub mod canary;
pub mod pattern;
pub mod query;
pub mod visual;

// engines: effects; they do not know each other
pub mod notify;
pub mod runner;
pub mod store;

// loop: where engines meet
pub mod bus;
pub mod monitor;

// doors: protocols and pages; they hold no state
pub mod api;
pub mod console;
pub mod demo;
pub mod otlp;
pub mod report;

// main
pub mod cli;
pub mod config;
