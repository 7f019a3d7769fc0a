//! Canary files and what comes of running them, as data.
//!
//! Main types: [`Canary`](definition::Canary), what a file defines; [`RunEvent`](event::RunEvent),
//! what happens during a run; [`RunReport`](report::RunReport), what is left of it. Everything here
//! is pure: files are read by `cli` and `monitor`, runs are made by `runner`, shown by `report`.

pub mod action;
pub mod assertion;
pub mod definition;
pub mod event;
pub mod json_schema;
pub mod observation;
pub mod page;
pub mod quantity;
pub mod report;
pub mod secret;
pub mod template;
