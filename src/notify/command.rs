use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, Command};

use super::{CommandSettings, DeliveryFault, DeliveryOutcome, Notification};
use crate::time::{Clock, Deadline};

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How long a command that must stop has between SIGTERM and SIGKILL.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// How much of standard error is kept.
const STDERR_BYTES_MAX: usize = 64 * 1024;
/// How long standard error is drained once the command has ended; a child of it may hold it open.
const DRAIN_GRACE: Duration = Duration::from_millis(200);

/// Runs a command once, with the notification on its standard input.
///
/// Cancel safety: dropping the future kills the command's whole process group.
pub(super) async fn run(
    settings: &CommandSettings,
    notification: &Notification,
    clock: &dyn Clock,
) -> DeliveryOutcome {
    let input = serde_json::json!(notification).to_string();
    run_with(settings, (&input, facts(notification)), clock).await
}

/// Runs a command once, with `input` on its standard input and `facts` in its environment.
///
/// Cancel safety: dropping the future kills the command's whole process group.
pub(super) async fn run_with(
    settings: &CommandSettings,
    (input, facts): (&str, Vec<(&'static str, String)>),
    clock: &dyn Clock,
) -> DeliveryOutcome {
    let failed = |source| {
        let program = settings.program.clone();
        DeliveryOutcome::retry(DeliveryFault::Start { program, source })
    };
    let mut group = match Group::start(settings, facts) {
        Ok(group) => group,
        Err(source) => return failed(source),
    };
    let deadline = Deadline::after(clock, settings.timeout);
    match deadline.bound(group.finish(input)).await {
        Ok(Ok((status, _))) if status.success() => DeliveryOutcome::Delivered,
        Ok(Ok((status, stderr))) => DeliveryOutcome::retry(DeliveryFault::Ended { status, stderr }),
        Ok(Err(source)) => failed(source),
        Err(_passed) => {
            group.stop().await;
            DeliveryOutcome::retry(DeliveryFault::Late { timeout: settings.timeout })
        }
    }
}

/// A command and everything it started, in a process group of its own.
struct Group {
    child: Child,
    id: Option<Pid>,
}

impl Group {
    fn start(settings: &CommandSettings, facts: Vec<(&'static str, String)>) -> io::Result<Self> {
        let child = Command::new(&settings.program)
            .args(&settings.arguments)
            .env_clear()
            .env("PATH", DEFAULT_PATH)
            .envs(&settings.environment)
            .envs(facts)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Self { child, id })
    }

    /// Writes the input, waits for the end, and keeps what was said on standard error.
    async fn finish(&mut self, input: &str) -> io::Result<(ExitStatus, String)> {
        let mut stdin = self.child.stdin.take();
        let mut stderr = self.child.stderr.take();
        let mut said = Vec::new();
        let write = async {
            if let Some(stdin) = &mut stdin {
                // A command need not read its input; a closed pipe is no failure.
                let written = stdin.write_all(input.as_bytes()).await;
                drop(written);
            }
            drop(stdin);
        };
        let ended = async {
            let read = async { keep(stderr.as_mut(), &mut said).await };
            tokio::pin!(read);
            tokio::select! {
                status = self.child.wait() => {
                    let drained = tokio::time::timeout(DRAIN_GRACE, &mut read).await;
                    drop(drained);
                    status
                }
                () = &mut read => self.child.wait().await,
            }
        };
        let ((), status) = tokio::join!(write, ended);
        let status = status?;
        self.signal(Signal::KILL);
        self.id = None;
        Ok((status, String::from_utf8_lossy(&said).trim().to_owned()))
    }

    /// Asks the group to stop, then makes it.
    async fn stop(&mut self) {
        self.signal(Signal::TERM);
        let left = tokio::time::timeout(STOP_GRACE, self.child.wait()).await;
        drop(left);
        self.signal(Signal::KILL);
        let reaped = self.child.wait().await;
        drop(reaped);
        self.id = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // The group may be gone already, which is what is wanted.
            kill_process_group(id, signal).unwrap_or(());
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Reads to the end; keeps at most so much, and throws the rest away so that nobody blocks.
async fn keep(from: Option<&mut ChildStderr>, kept: &mut Vec<u8>) {
    let Some(from) = from else { return };
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let left = STDERR_BYTES_MAX.saturating_sub(kept.len());
        kept.extend_from_slice(chunk.get(..read.min(left)).unwrap_or_default());
    }
}

/// The main facts as environment variables, so that a one-line script needs no JSON parser.
fn facts(notification: &Notification) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("COALMINE_KIND", notification.kind.word().to_owned()),
        ("COALMINE_ALARM", notification.alarm.to_string()),
        ("COALMINE_STATE", notification.state.to_string()),
        ("COALMINE_PREVIOUS_STATE", notification.previous.to_string()),
        ("COALMINE_HEADLINE", notification.headline()),
        ("COALMINE_REASON", notification.reason.to_string()),
        ("COALMINE_SINCE", notification.since.to_string()),
        ("COALMINE_KEY", notification.key.to_string()),
    ];
    let mut optional = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
    optional("COALMINE_CANARY", notification.canary.as_ref().map(ToString::to_string));
    optional("COALMINE_LINK", notification.link.as_ref().map(ToString::to_string));
    if let Some(run) = &notification.run {
        optional("COALMINE_RUN", Some(run.id.to_string()));
        optional("COALMINE_STEP", run.step.as_ref().map(ToString::to_string));
        optional("COALMINE_VERDICT", Some(run.verdict.as_str().to_owned()));
    }
    // A NUL cannot stand in the environment; the JSON on standard input has the text as it is.
    facts.into_iter().map(|(name, value)| (name, value.replace('\0', ""))).collect()
}
