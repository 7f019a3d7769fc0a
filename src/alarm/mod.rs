//! Alarm definitions and their evaluation.
