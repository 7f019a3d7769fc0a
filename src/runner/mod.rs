//! One run of one canary.
