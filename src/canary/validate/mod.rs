//! A document to a [`Canary`](super::definition::Canary): every fault at once, each at its place.
//!
//! Main function: [`canary`]. Short forms are expanded here, templates, paths, regexes and
//! schemas are compiled here, names are checked against what is defined before them. The tables in
//! `shapes` say which keys there are; `canary::schema` is made from the same tables.

mod browser;
mod capture;
mod expect;
mod fields;
mod http;
mod import;
mod locator;
mod names;
mod page_expect;
mod page_shapes;
mod parameters;
mod predicate;
mod probe;
mod reader;
mod root;
mod screenshot;
mod script;
mod shape;
mod shapes;
mod step;

pub(super) use root::canary;
pub use script::{ScriptSecrets, action, canary_of_script, page_action, predicate};
pub(super) use shape::{Key, Kind, Shape};
pub(super) use shapes::{CANARY, FRAGMENT, PREDICATE};
