//! Rules and their targets: documents, checks, and the table that finds the rules of an event.
//!
//! Main types: [`Rule`], [`Target`], [`RuleBook`]. Nothing here delivers anything.

mod book;
mod document;
mod input;
mod schedule;
mod target;

pub(super) use book::RuleBook;
pub use document::{EventBus, PutRule, Rule, RuleState, Tag, read_pattern, rule_arn};
pub(super) use input::render;
pub(super) use schedule::{next as next_turn, parse as parse_schedule};
pub(super) use target::HttpParameters;
pub use target::{DeadLetterConfig, FailedTarget, InputMap, RetrySettings, Target};
