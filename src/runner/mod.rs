//! Runs one canary: steps, variables, secrets, attempts; probes, browsers and scripts.
//!
//! Main type: [`Runner`]. It makes `canary::event::RunEvent`s and one `canary::report::RunReport`,
//! and never an `Err`: what went wrong is in the report. It stores nothing, schedules nothing and
//! notifies nobody.
//!
//! ```text
//! run       one canary with one combination: attempts until one decides
//! └ attempt     its steps in order, with a scope and a session of its own
//!   └ step      tries of one action, then captures, assertions, what it emits
//!     └ perform     templates become values, values become a probe's request
//!       └ probe     one protocol: what came back, or how far it got
//! ```

mod attempt;
mod auth;
mod baselines;
pub mod browser;
mod events;
mod evidence;
mod exchange;
mod fault;
mod files;
mod judge;
mod perform;
mod plan;
pub mod policy;
pub mod probe;
mod redaction;
mod request;
mod reuse;
mod run;
mod scope;
pub mod script;
mod secrets;
mod settings;
mod step;

pub(crate) use auth::sigv4::{Signed as RequestToSign, SigningKey, sign};
pub use baselines::{BaselineError, BaselineFolder, StoredBaseline};
pub use files::CanaryFileError;
pub use plan::{PlannedStep, RunPlan};
pub use request::RunRequest;
pub use run::Runner;
pub use secrets::{HostScope, SecretStore, StoredSecret};
pub use settings::{
    Environment, NewPicture, PictureSettings, RunLimits, RunnerSettings, WorkerProgram,
};
