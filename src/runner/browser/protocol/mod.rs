//! What is said to a driver: classic WebDriver through fantoccini, BiDi over a WebSocket.
//!
//! Main types: [`WebDriver`] and [`Bidi`]. They carry commands and answers under deadlines and know
//! nothing of pages, locators or pools.

mod bidi;
mod connector;
mod webdriver;

pub use bidi::BidiError;
pub(super) use bidi::{Bidi, BidiEvent};
pub(super) use webdriver::{Command, ElementId, WebDriver};
pub use webdriver::{WebDriverError, WebDriverFault};
