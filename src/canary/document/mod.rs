//! YAML to a tree in which every node knows its place.
//!
//! Main type: [`Node`]. This is the only module that calls the YAML crate. It knows no key of a
//! canary file: what the tree means is `validate`'s business.

mod foreign;
mod node;
mod parse;

pub(super) use foreign::value;
pub(super) use node::{Entry, Node, NodeValue};
pub(super) use parse::parse;
