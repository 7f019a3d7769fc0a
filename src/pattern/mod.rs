//! Event patterns: parse, compile, match; input transformers.
