//! Canary files and what comes of running them, as data.
//!
//! Main types: [`Canary`](definition::Canary), what a file defines; [`RunEvent`](event::RunEvent),
//! what happens during a run; [`RunReport`](report::RunReport), what is left of it. Everything here
//! is pure: files are read by `cli` and `monitor`, runs are made by `runner`, shown by `report`.

pub mod action;
pub mod assertion;
#[cfg(test)]
mod assertion_fixture;
pub mod broken;
pub mod capture;
pub mod definition;
mod document;
pub mod event;
pub mod import;
pub mod json_schema;
pub mod load;
pub mod observation;
pub mod page;
pub mod quantity;
mod regex_limits;
pub mod report;
pub mod schedule;
pub mod schema;
pub mod script;
pub mod secret;
pub mod selection;
pub mod telemetry;
pub mod template;
mod validate;
pub mod xpath;

pub use load::load;

#[cfg(test)]
mod load_tests;
