//! One notification to one channel.
