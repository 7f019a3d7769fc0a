//! The run of an untrusted script, from our side of the pipes.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_util::sync::CancellationToken;

use super::super::attempt::out_of_time;
use super::super::call::{Answered, Request};
use super::super::failure::ScriptError;
use super::super::guest::{OUT_OF_TIME, cancelled};
use super::super::host::{Host, chunk_name};
use super::frame::{self, FrameError};
use super::{Heard, Order, Task, Told, command, wreck};
use crate::canary::report::{Failure, Verdict};
use crate::runner::fault;
use crate::runner::step::GUARD;
use crate::time::Deadline;

/// How long a worker that closed its pipe may take to end, before it is ended.
const END_GRACE: Duration = Duration::from_millis(500);

/// Runs the host's script in a worker, to the failure of what was going on when it ended early.
pub(in crate::runner::script) async fn run(host: &Host) -> Option<Failure> {
    let settings = &host.run.parts.settings;
    let mut worker = match Worker::start(&settings.script_worker.0) {
        Ok(worker) => worker,
        Err(error) => {
            let message = format!("cannot start a process for the script: {error}");
            return Some(fault::failure(Verdict::Runner, message));
        }
    };
    let order = order(host).await;
    let failure = match worker.talk(host, order).boxed().await {
        Ok(failure) => failure.map(|failure| host.at_home(*failure)),
        Err(silence) => Some(worker.failure_of(silence, host).await),
    };
    worker.dismiss(host).await;
    failure
}

async fn order(host: &Host) -> Order {
    let state = host.state.lock().await;
    let clock = &**host.run.clock();
    let parameters = state.attempt.scope.values();
    let source = &host.run.canary.source;
    Order {
        chunk: chunk_name(source.name()).to_owned(),
        text: source.text().to_owned(),
        task: Task::Run {
            parameters: parameters.into_iter().map(|(name, at)| (name.to_string(), at)).collect(),
            time: state.ordinary.left(clock),
        },
        processor_time: state.teardown.left(clock),
    }
}

struct Worker {
    process: Child,
    input: ChildStdin,
    output: ChildStdout,
}

/// Why nothing is heard of a worker any more.
enum Silence {
    Gone,
    Late,
    Cancelled,
    Wrong(FrameError),
}

impl From<FrameError> for Silence {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Closed(_) => Self::Gone,
            other => Self::Wrong(other),
        }
    }
}

impl Worker {
    fn start(program: &Path) -> std::io::Result<Self> {
        let mut process = Command::from(command(program.as_os_str()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pipes = (process.stdin.take(), process.stdout.take());
        let (Some(input), Some(output)) = pipes else {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        };
        Ok(Self { process, input, output })
    }

    /// Answers the worker until it has said how its script ended.
    async fn talk(&mut self, host: &Host, order: Order) -> Result<Option<Box<Failure>>, Silence> {
        self.tell(host, &Told::Order(order)).await?;
        loop {
            match self.hear(host).await? {
                Heard::Ask(request) => {
                    let reply = Told::Reply(answer(host, request).boxed().await);
                    self.tell(host, &reply).await?;
                }
                Heard::Ran(failure) => return Ok(failure),
                // It was not asked for that.
                Heard::Read(_) => return Err(Silence::Gone),
            }
        }
    }

    async fn hear(&mut self, host: &Host) -> Result<Heard, Silence> {
        let (deadline, cancel) = host.patience().await;
        tokio::select! {
            biased;
            heard = guard(deadline).bound(frame::next(&mut self.output)) => {
                Ok(heard.map_err(|_passed| Silence::Late)??)
            }
            // A script that only computes does not hear that its run was cancelled.
            () = ended(cancel, GUARD) => Err(Silence::Cancelled),
        }
    }

    async fn tell(&mut self, host: &Host, told: &Told) -> Result<(), Silence> {
        let bytes = match (frame::encode(told), told) {
            (Err(FrameError::TooLong { .. }), Told::Reply(_)) => {
                let refused = ScriptError::wrong("the answer is too long for a script");
                frame::encode(&Told::Reply(Err(refused)))?
            }
            (bytes, _) => bytes?,
        };
        let (deadline, _) = host.patience().await;
        let written = guard(deadline).bound(self.input.write_all(&bytes)).await;
        written.map_err(|_passed| Silence::Late)?.map_err(|_closed| Silence::Gone)
    }

    /// Ends the process, which has said its last word, and waits until nothing of it is left.
    ///
    /// Cancel safety: a worker that is dropped is killed, too.
    async fn dismiss(mut self, host: &Host) {
        let grace = Deadline::after(&**host.run.clock(), END_GRACE);
        // One that has ended already cannot be killed, which is as well.
        self.process.start_kill().ok();
        if !matches!(grace.bound(self.process.wait()).await, Ok(Ok(_))) {
            tracing::error!("the process of a script did not end");
        }
    }

    async fn failure_of(&mut self, silence: Silence, host: &Host) -> Failure {
        let in_step = host.state.lock().await.current.is_some();
        match silence {
            Silence::Cancelled => cancelled(),
            Silence::Late if in_step => fault::failure(Verdict::NoAnswer, OUT_OF_TIME),
            Silence::Late => out_of_time(),
            Silence::Wrong(error) => {
                let message = format!("the script's process went wrong: {error}");
                fault::failure(Verdict::Runner, message)
            }
            Silence::Gone => self.wreck(in_step, host).await,
        }
    }

    async fn wreck(&mut self, in_step: bool, host: &Host) -> Failure {
        let grace = Deadline::after(&**host.run.clock(), END_GRACE);
        let status = match grace.bound(self.process.wait()).await {
            Ok(status) => status.ok(),
            Err(_passed) => {
                self.process.start_kill().ok();
                self.process.wait().await.ok()
            }
        };
        let mut words = Vec::new();
        if let Some(errors) = self.process.stderr.take() {
            let reading = async {
                errors.take(wreck::LAST_WORDS_BYTES_MAX).read_to_end(&mut words).await.ok()
            };
            // Its end closed the pipe, unless it had children, which it must not have.
            grace.bound(reading).await.ok();
        }
        let mut failure = wreck::failure(status, &words);
        if in_step && failure.verdict == Verdict::NoAnswer {
            failure.message = OUT_OF_TIME.to_owned();
        }
        failure
    }
}

/// What the run says, unless the step's time ends first, or the run.
async fn answer(host: &Host, request: Request) -> Answered {
    let (deadline, cancel) = host.patience().await;
    tokio::select! {
        biased;
        answered = guard(deadline).bound(host.answer(request)) => {
            answered.unwrap_or(Err(ScriptError::OutOfTime))
        }
        () = ended(cancel, Duration::ZERO) => Err(ScriptError::Failed(Box::new(cancelled()))),
    }
}

fn guard(deadline: Deadline) -> Deadline {
    Deadline::at(deadline.monotonic().plus(GUARD))
}

async fn ended(cancel: Option<CancellationToken>, grace: Duration) {
    match cancel {
        None => std::future::pending().await,
        Some(cancel) => {
            cancel.cancelled().await;
            tokio::time::sleep(grace).await;
        }
    }
}
