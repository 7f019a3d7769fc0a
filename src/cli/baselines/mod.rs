//! `coalmine baselines`: a person looks at what a run saw, decides, and the decision is kept in
//! files that git carries. Runs nothing and asks no service.

mod command;
mod desk;
mod git;
mod judge;
mod prune;
mod review;
mod serve;
mod sheet;
mod source;
mod status;

pub(super) use command::{BaselinesCommand, execute};
