//! What needs the whole library: one binary, one file a topic.

mod cli;
mod demo;
mod golden;
mod program;
