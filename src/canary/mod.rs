//! Canary files: syntax with spans, validation, definitions, assertions, schedules, run events
//! and reports.
