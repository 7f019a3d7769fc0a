//! The configuration file: `coalmine.toml`.
//!
//! Main type: [`ConfigFile`], every setting of the file with the place it stands at. What is at the
//! top concerns every command, what is in a section named after a command concerns that command:
//!
//! ```toml
//! color = "never"
//! [serve]
//! listen = "127.0.0.1:4586"
//! ```
//!
//! Keys are the long names of flags. Which flags there are, and which values they take, is known to
//! `cli`, which also holds the order of precedence: flag, environment, file, default. The section
//! `notify` is different: it holds one table a notification channel, read by [`channels`].

mod bus;
mod file;
mod notify;

pub use bus::{Functions, functions};
pub use file::{ConfigFile, Setting};
pub use notify::{Channels, channels};
