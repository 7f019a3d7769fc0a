//! `coalmine serve`: store, monitor and API in one process, started and stopped in order.

mod command;
mod credentials;
mod house;
mod http;
mod reset;

pub(super) use command::{ServeCommand, execute};
pub(super) use http::serve;
