//! The shop that canaries are tried on: five pages, a JSON API, and switches that break it.
//!
//! Main function: [`serve`]; main types: [`DemoSettings`], [`Fault`]. Pages are the same to the
//! pixel on every request but for the element `.clock`, which never is. The shop keeps its carts in
//! memory and knows nothing of canaries; it is a target, also of our own tests.

mod fault;
mod goods;
mod json;
mod page;
mod server;
mod shop;
mod site;

pub use fault::{Fault, UnknownFault};
pub use server::{DemoSettings, PASSWORD, USER, serve};
