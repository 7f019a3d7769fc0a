//! What scripts build, read by the rules of files: one vocabulary for both.
//!
//! Main functions: [`action`], [`page_action`], [`predicate`], [`canary_of_script`]. They take JSON
//! values in place of nodes; the scripts themselves are run by `runner::script`.

pub use super::validate::{ScriptSecrets, action, canary_of_script, page_action, predicate};
