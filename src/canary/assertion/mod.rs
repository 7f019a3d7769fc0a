//! One vocabulary of assertions over every observable, shared by YAML, Lua and all probes.
//!
//! Main types: [`Assertion`], what must hold; [`Answers`], an observation that assertions and
//! captures look things up in; [`Seen`], what was found there; main function: [`judge`]. A wrong
//! answer is a result, never an error. Nothing here waits or looks at a clock: page assertions are
//! tried again by the browser, with the same [`Predicate::check`].

mod answers;
mod certificate;
mod check;
mod compare;
mod describe;
mod difference;
mod judge;
mod rendering;
mod seen;
mod vocabulary;

pub use answers::Answers;
pub use check::Mismatch;
pub use judge::{AssertionOutcome, judge};
pub use seen::{Node, Seen};
pub use vocabulary::{Assertion, CertificateField, Predicate, Quantity, Subject, ValueType};

#[cfg(test)]
mod tests;
