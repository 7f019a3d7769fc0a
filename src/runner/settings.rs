use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::probe::NetworkSettings;
use super::secrets::SecretStore;
use crate::canary::template::LookupError;

/// What an operator may change about runs.
#[derive(Clone, Debug, Default)]
pub struct RunnerSettings {
    /// What may be reached, and limits of every exchange. Holds the trust level.
    pub network: NetworkSettings,
    /// What `env.NAME` sees.
    pub environment: Environment,
    /// Where secrets come from.
    pub secrets: SecretStore,
    /// Where approved pictures lie, and what becomes of others.
    pub pictures: PictureSettings,
    /// Limits of a run.
    pub limits: RunLimits,
    /// Where scripts run that are not trusted.
    pub script_worker: WorkerProgram,
}

/// The program that becomes a worker for scripts when it is asked to: this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerProgram(pub PathBuf);

impl Default for WorkerProgram {
    fn default() -> Self {
        Self("/proc/self/exe".into())
    }
}

/// What an operator may change about pictures.
#[derive(Clone, Debug)]
pub struct PictureSettings {
    /// The folder of approved pictures.
    pub baselines: PathBuf,
    /// What becomes of a picture that is new or differs.
    pub new: NewPicture,
}

/// What becomes of a picture that has no baseline, or does not pass against it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewPicture {
    /// The step fails.
    #[default]
    Refuse,
    /// It becomes the baseline: the operator has said that pages look right now.
    Approve,
}

impl Default for PictureSettings {
    fn default() -> Self {
        Self { baselines: "baselines".into(), new: NewPicture::default() }
    }
}

/// Limits of a run that no canary file can raise.
#[derive(Clone, Debug)]
pub struct RunLimits {
    /// Longest attempt.
    pub timeout_max: Duration,
    /// Attempts of one run.
    pub attempts_max: u32,
    /// Of an attempt's time, so much at most is set aside for teardown steps.
    pub teardown_max: Duration,
    /// Log lines of one run.
    pub log_lines_max: usize,
    /// Bytes of one file that a request sends.
    pub file_bytes_max: u64,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            timeout_max: Duration::from_secs(15 * 60),
            attempts_max: 10,
            teardown_max: Duration::from_secs(10),
            log_lines_max: 10_000,
            file_bytes_max: 16 * 1024 * 1024,
        }
    }
}

/// The environment variables that canaries may see. It is read once, by `cli`.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    values: Arc<BTreeMap<String, String>>,
    /// In `pr` trust only these; a pull request must not read the machine's own credentials.
    listed: Arc<BTreeSet<String>>,
}

impl Environment {
    /// All of `values`; in `pr` trust only those named in `listed`.
    pub fn new(values: BTreeMap<String, String>, listed: BTreeSet<String>) -> Self {
        Self { values: Arc::new(values), listed: Arc::new(listed) }
    }

    /// The value of one variable, for a run that may see all of them.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value of one variable, for the canary of a pull request.
    pub(super) fn get_listed(&self, name: &str) -> Result<&str, LookupError> {
        let value = self.get(name).ok_or(LookupError::Undefined)?;
        if self.listed.contains(name) {
            return Ok(value);
        }
        Err(LookupError::Denied { reason: "`pr` trust shows only those of --allow-env".into() })
    }
}
