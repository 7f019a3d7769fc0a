//! What needs the whole library: one binary, one file a topic.

mod demo;
