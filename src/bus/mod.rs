//! Routes events to targets.
