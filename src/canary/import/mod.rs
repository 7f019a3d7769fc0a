//! Recordings and descriptions made by other programs, turned into canaries that a person keeps.
//!
//! Main types: [`Draft`], a canary before it is a file; [`ImportError`], why there is none. One
//! source a file: [`har`], [`openapi`], [`curl`], [`postman`], [`recorder`]. Each gives a draft
//! with names that say something, the base URL as a variable, secrets declared and never written
//! down, and assertions on what was recorded. Nothing is read or sent here; whoever writes the
//! file loads it again, so that a draft with a fault is never handed over.

mod assemble;
pub mod curl;
pub mod draft;
pub mod har;
pub mod openapi;
pub mod postman;
mod recorded;
pub mod recorder;
mod recorder_locator;
mod scheme;
mod shell;
mod yaml;

use thiserror::Error;

pub use draft::{Draft, DraftStep};

/// What a person may choose about an import.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The canary's name; made from the source unless given.
    pub name: Option<String>,
    /// The base URL, instead of what the source says.
    pub base_url: Option<String>,
    /// What of a source is left out unless asked for.
    pub extent: ImportExtent,
}

/// How much of a source is taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImportExtent {
    /// One site, and of a description only what changes nothing.
    #[default]
    Careful,
    /// Every host of a recording, every method of a description.
    Everything,
}

/// Why a source gives no canary.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ImportError {
    /// It is not what it should be.
    #[error("this is no {what}: {reason}")]
    NotA {
        /// `HAR file`.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// It is of a version or kind that is not read.
    #[error("{what} is not supported")]
    Unsupported {
        /// What.
        what: String,
    },
    /// Nothing of it can be asked.
    #[error("nothing is left to ask: {reason}")]
    Nothing {
        /// What was left out, or is missing.
        reason: String,
    },
}
