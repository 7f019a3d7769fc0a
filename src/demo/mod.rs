//! The shop that canaries are tried on.
