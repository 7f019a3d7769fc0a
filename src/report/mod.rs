//! Run events to terminal, files and annotations.
