//! Browsers: started and ended without a trace, shared by runs that do not see each other, driven
//! through WebDriver.
//!
//! Main type: [`BrowserPool`], which gives a [`BrowserSession`] to each run. Pictures are taken
//! here and compared in `visual`; what is seen is judged in `canary::assertion`.

mod egress;
mod error;
mod page;
mod picture;
mod pool;
mod process;
mod protocol;
mod settings;

pub use error::BrowserError;
pub use page::{
    ActionLimit, BrowserSession, ConsoleMessage, FieldText, Observable, PageExchange, PageFault,
    PageResponse, SelectBy, Selector, har,
};
pub use picture::{Shot, ShotExtent, ShotRequest};
pub use pool::{BrowserPool, PageSettings, PoolStatus};
pub use process::{DriverError, GUARD_SUBCOMMAND, MARKER_VARIABLE, guard_main, marked_processes};
pub use protocol::{BidiError, WebDriverError, WebDriverFault};
pub use settings::{BrowserSettings, SandboxPolicy};
