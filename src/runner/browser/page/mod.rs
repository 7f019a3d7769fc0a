//! One run's page: found, acted on, looked at.
//!
//! Main type: [`BrowserSession`]. Values are rendered before they come here; judging what was seen
//! is the business of `canary::assertion`.

mod act;
mod fault;
mod har;
mod keys;
mod observe;
mod ready;
mod record;
mod selector;
mod session;
mod tabs;
mod vitals;

pub use act::{ActionLimit, FieldText};
pub use fault::PageFault;
pub use har::har;
pub use observe::Observable;
pub use record::{ConsoleMessage, PageExchange, PageResponse};
pub use selector::{SelectBy, Selector};
pub use session::BrowserSession;
