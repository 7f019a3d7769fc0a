//! What an untrusted script says about itself, found out in a worker.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::super::call::{Reply, Request};
use super::super::failure::ScriptError;
use super::super::metadata::{Modules, Said, ScriptFault};
use super::frame::{self, FrameError};
use super::pipe::READING_PROCESSOR_TIME;
use super::{Heard, Order, Task, Told, command, wreck};

/// A worker computes for half a second at most, and is ended after two; on a machine that is busy
/// with others that takes longer.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Reads a script in a worker. Files are read on this side.
pub(in crate::runner::script) fn read(
    program: &Path,
    (text, chunk): (&str, &str),
    modules: &Modules<'_>,
) -> Result<Said, ScriptFault> {
    let mut command = command(program.as_os_str());
    let started = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| fault(format!("cannot start {}: {error}", program.display())))?;
    let mut reading = Reading { worker: started };
    let order = Order {
        chunk: chunk.to_owned(),
        text: text.to_owned(),
        task: Task::Read,
        processor_time: READING_PROCESSOR_TIME,
    };
    reading.talk(order, modules)
}

/// Ends its worker when it is dropped.
struct Reading {
    worker: Child,
}

impl Drop for Reading {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing of it stays.
        self.worker.kill().ok();
        self.worker.wait().ok();
    }
}

impl Reading {
    fn talk(&mut self, order: Order, modules: &Modules<'_>) -> Result<Said, ScriptFault> {
        let pipes = (self.worker.stdin.take(), self.worker.stdout.take());
        let (Some(mut input), Some(mut output)) = pipes else {
            return Err(fault("the script's process has no pipes"));
        };
        let (heard, incoming) = sync_channel(1);
        // A read of a pipe cannot be told to stop, so it has a thread, which the worker's end ends.
        let listener = std::thread::spawn(move || {
            loop {
                let message = frame::read::<Heard>(&mut output);
                let is_last = message.is_err();
                if heard.send(message).is_err() || is_last {
                    return;
                }
            }
        });
        let talked = converse(order, &mut input, &incoming, modules);
        let ended = talked.unwrap_or_else(|silence| Err(self.fault_of(silence)));
        self.worker.kill().ok();
        drop((input, incoming));
        listener.join().ok();
        ended
    }

    fn fault_of(&mut self, silence: Silence) -> ScriptFault {
        match silence {
            Silence::Late => fault("the script did not end in its time"),
            Silence::Wrong(error) => fault(format!("the script's process went wrong: {error}")),
            Silence::Gone => {
                let mut words = Vec::new();
                if let Some(errors) = self.worker.stderr.take() {
                    // What cannot be read was not said.
                    errors.take(wreck::LAST_WORDS_BYTES_MAX).read_to_end(&mut words).ok();
                }
                fault(wreck::failure(self.worker.wait().ok(), &words).message)
            }
        }
    }
}

enum Silence {
    Gone,
    Late,
    Wrong(FrameError),
}

fn converse(
    order: Order,
    input: &mut ChildStdin,
    incoming: &Receiver<Result<Heard, FrameError>>,
    modules: &Modules<'_>,
) -> Result<Result<Said, ScriptFault>, Silence> {
    let tell = |input: &mut ChildStdin, told: &Told| {
        frame::write(input, told).map_err(|error| match error {
            FrameError::Closed(_) => Silence::Gone,
            other => Silence::Wrong(other),
        })
    };
    tell(input, &Told::Order(order))?;
    loop {
        let answered = match incoming.recv_timeout(WAIT_MAX) {
            Ok(Ok(Heard::Read(said))) => return Ok(said),
            Ok(Ok(Heard::Ask(Request::Module { path }))) => Ok(Reply::Module(modules(&path))),
            Ok(Ok(Heard::Ask(_) | Heard::Ran(_))) => {
                Err(ScriptError::wrong("this belongs inside of a step"))
            }
            Ok(Err(FrameError::Closed(_))) | Err(RecvTimeoutError::Disconnected) => {
                return Err(Silence::Gone);
            }
            Ok(Err(other)) => return Err(Silence::Wrong(other)),
            Err(RecvTimeoutError::Timeout) => return Err(Silence::Late),
        };
        tell(input, &Told::Reply(answered))?;
    }
}

fn fault(message: impl Into<String>) -> ScriptFault {
    ScriptFault { is_syntax: false, message: message.into(), line: 1 }
}
