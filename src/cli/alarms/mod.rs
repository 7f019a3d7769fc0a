//! `coalmine alarms`: what alarms there are, what became of them, and what they would have done.

mod backtest;
mod command;
mod draw;
mod listing;

pub(super) use command::{AlarmsCommand, execute};
