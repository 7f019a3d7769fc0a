//! What happens while nobody looks: schedule, record, evaluate, deliver, retain.
//!
//! What is run comes from a [`library`] of canary files.

pub mod library;
