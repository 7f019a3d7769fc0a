use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;

use super::house::{House, Plans};
use crate::cli::ExitStatus;
use crate::cli::context::Context;
use crate::cli::demo::listen;
use crate::cli::fatal::Fatal;
use crate::cli::otlp_flags::OtlpFlags;
use crate::cli::runner_flags::RunnerFlags;
use crate::cli::signal::{Ended, StopSignals};
use crate::cli::values::{duration, listen_address};

/// Watch around the clock: schedule canaries, store what they measure, raise alarms, answer AWS
/// clients
///
/// Runs the canaries of a folder when they are due and reloads the folder when it changes. Stores
/// metrics, logs, traces and events in the data folder, evaluates alarms, and tells the channels of
/// coalmine.toml when one changes its state.
///
/// Unmodified AWS clients are answered on the same port, and OpenTelemetry and Prometheus send to
/// it: OTLP over HTTP and gRPC, and remote write. Anonymous callers are taken on loopback only;
/// with --credentials signatures are verified, and any address may be listened on.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct ServeCommand {
    /// Where to listen; port 0 takes any free one
    ///
    /// When standard output is not a terminal, its first line is one JSON object with the address
    /// that was taken: {"ready":true,"url":"http://127.0.0.1:4586","port":4586}.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:4586")]
    #[arg(env = "COALMINE_LISTEN", hide_env_values = true, value_parser = listen_address)]
    pub(super) listen: SocketAddr,

    /// Where everything is kept; made when absent, locked while in use
    #[arg(long, value_name = "DIR", default_value = "coalmine-data")]
    #[arg(env = "COALMINE_DATA_DIR", hide_env_values = true)]
    pub(super) data_dir: PathBuf,

    /// The folder of canaries; without one only what clients send is stored and watched
    #[arg(long, value_name = "DIR", env = "COALMINE_CANARIES", hide_env_values = true)]
    pub(super) canaries: Option<PathBuf>,

    /// When a write is acknowledged
    #[arg(long, value_enum, value_name = "WHEN", default_value = "sync")]
    #[arg(env = "COALMINE_DURABILITY", hide_env_values = true)]
    pub(super) durability: DurabilityChoice,

    /// Access keys, in the form of ~/.aws/credentials; signatures are then verified
    #[arg(long, value_name = "FILE", env = "COALMINE_CREDENTIALS", hide_env_values = true)]
    pub(super) credentials: Option<PathBuf>,

    /// A host name that anonymous callers may use beside localhost; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(super) host: Vec<String>,

    /// Take segments as the X-Ray daemon does, on UDP and, for sampling, on TCP of the same port
    ///
    /// X-Ray SDKs send there without any configuration. Loopback only, since datagrams carry no
    /// signature. The first line of output names the address as xray_daemon.
    #[arg(long, value_name = "ADDR:PORT", num_args = 0..=1, default_missing_value = "2000")]
    #[arg(env = "COALMINE_XRAY_DAEMON", hide_env_values = true, value_parser = listen_address)]
    pub(super) xray_daemon: Option<SocketAddr>,

    /// Let clients forget everything by POST /_coalmine/reset, for test suites
    ///
    /// Whatever is in the data folder is deleted, and the server goes on as on its first day.
    #[arg(long, conflicts_with_all = ["credentials", "xray_daemon"])]
    pub(super) allow_reset: bool,

    /// How many runs at a time
    #[arg(short, long, value_name = "COUNT", default_value = "8")]
    #[arg(env = "COALMINE_JOBS", hide_env_values = true)]
    pub(super) jobs: NonZeroUsize,

    /// How long runs may go on once asked to stop
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(super) grace: Duration,

    #[command(flatten)]
    pub(super) otlp: OtlpFlags,

    #[command(flatten)]
    pub(super) runner: RunnerFlags,
}

const EXAMPLES: &str = "\
Examples:
  coalmine serve --canaries canaries
  coalmine serve --listen 0 --data-dir /var/lib/coalmine
  aws --endpoint-url http://127.0.0.1:4586 cloudwatch list-metrics

Notification channels, in coalmine.toml:
  [notify.oncall]
  webhook = \"https://hooks.example/x\"
  [notify.pager]
  command = [\"page-me\", \"--loud\"]";

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum DurabilityChoice {
    /// Once the disk has it: survives a kill and a power cut.
    Sync,
    /// Once the system has it: survives a kill; a power cut loses a second at most.
    Os,
}

pub(in crate::cli) fn execute(
    context: &Context,
    command: &ServeCommand,
) -> Result<ExitStatus, Fatal> {
    context.block_on(open(context, command))?
}

async fn open(context: &Context, command: &ServeCommand) -> Result<ExitStatus, Fatal> {
    let mut signals = StopSignals::take()?;
    let api = super::house::api_settings(command)?;
    let (listener, address) = listen(command.listen).await?;
    let house = House::build(context, command, (api.clone(), address)).await?;
    house.ready(address).announce(&context.screen);
    let stop = CancellationToken::new();
    let plans = Plans { context, command, api, address };
    let ended = signals.guard(&stop, house.live(plans, listener, stop.clone())).await;
    match ended {
        Ended::Alone(Some(panic)) | Ended::Asked(_, Some(panic)) => {
            let message = format!("task `{}` panicked: {}", panic.task, panic.message);
            Err(Fatal::new(ExitStatus::OurSide, message))
        }
        ended => Ok(ended.of_server()),
    }
}
