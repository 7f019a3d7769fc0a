use serde_json::json;

use crate::canary::definition::Canary;
use crate::canary::report::RunReport;
use crate::cli::ExitStatus;
use crate::cli::fatal::Fatal;
use crate::cli::source::{Service, Source};
use crate::monitor::BroughtRun;

/// Takes what runs leave to a data folder or to a server.
#[derive(Debug)]
pub(super) struct Keeper {
    source: Source,
}

/// A server or a folder that is busy is asked so often, each time a little later.
const TRIES: u32 = 5;
const FIRST_WAIT: std::time::Duration = std::time::Duration::from_millis(200);

impl Keeper {
    pub(super) const fn new(source: Source) -> Self {
        Self { source }
    }

    /// Brings one run; it counts once however often it has to be brought.
    pub(super) async fn keep(&self, report: &RunReport, canary: &Canary) -> Result<(), Fatal> {
        let (run, left_out) = BroughtRun::of(report, canary);
        if left_out > 0 {
            tracing::warn!(canary = %report.canary, left_out, "files too long to be taken along");
        }
        let text = serde_json::to_string(&run).map_err(|error| {
            Fatal::new(ExitStatus::OurSide, "cannot write the run").because(&error)
        })?;
        let input = json!({ "Run": text });
        let mut wait = FIRST_WAIT;
        for _ in 1..TRIES {
            match self.source.call(Service::COALMINE, "PutRun", &input).await {
                Ok(_) => return Ok(()),
                // What is refused for good is not asked again.
                Err(fatal) if fatal.status == ExitStatus::Usage => return Err(fatal),
                Err(_) => tokio::time::sleep(wait).await,
            }
            wait *= 2;
        }
        let brought = self.source.call(Service::COALMINE, "PutRun", &input).await;
        brought.map(drop).map_err(|mut fatal| {
            fatal.message = format!("a run was not kept: {}", fatal.message);
            fatal
        })
    }

    pub(super) async fn close(self) {
        self.source.close().await;
    }
}
