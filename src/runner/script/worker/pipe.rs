//! The worker's side.

use std::io::{self, Write};
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::super::call::{Answered, Reply, Request};
use super::super::failure::ScriptError;
use super::super::guest::{Guest, Link};
use super::super::metadata;
use super::super::sandbox::TimeLimit;
use super::frame::{self, FrameError};
use super::{Heard, Order, Task, Told, limits};
use crate::canary::report::Failure;
use crate::time::{Clock, Deadline, SystemClock};

/// The pipes to whoever started this worker.
#[derive(Debug, Default)]
pub(in crate::runner::script) struct Pipe {
    /// One question at a time.
    turn: Mutex<()>,
}

impl Pipe {
    /// Asks, and waits for the answer: a worker has nothing else to do.
    pub(in crate::runner::script) fn ask(&self, request: Request) -> Answered {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match self.say(&Heard::Ask(request)) {
            Ok(()) => {}
            Err(FrameError::TooLong { bytes }) => {
                return Err(ScriptError::wrong(format!("{bytes} bytes are too much at once")));
            }
            Err(_gone) => return Err(ScriptError::Alone),
        }
        match self.hear() {
            Ok(Told::Reply(answered)) => answered,
            Ok(Told::Order(_)) | Err(_) => Err(ScriptError::Alone),
        }
    }

    fn say(&self, heard: &Heard) -> Result<(), FrameError> {
        frame::write(&mut io::stdout().lock(), heard)
    }

    fn hear(&self) -> Result<Told, FrameError> {
        frame::read(&mut io::stdin().lock())
    }
}

/// Runs as a worker: one order, then the end.
pub fn worker_main() -> ExitCode {
    let pipe = Arc::new(Pipe::default());
    let Ok(Told::Order(order)) = pipe.hear() else {
        // Somebody tried the hidden subcommand by hand.
        writeln!(io::stderr(), "a script worker is started by a run, not by hand").ok();
        return ExitCode::from(2);
    };
    if let Err(fault) = limits::apply(order.processor_time) {
        writeln!(io::stderr(), "{fault}: {:?}", std::error::Error::source(&fault)).ok();
        return ExitCode::from(4);
    }
    let said = work(order, &pipe);
    match pipe.say(&said) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_gone) => ExitCode::from(4),
    }
}

fn work(Order { chunk, text, task, .. }: Order, pipe: &Arc<Pipe>) -> Heard {
    match task {
        Task::Read => {
            let modules = |path: &str| match pipe.ask(Request::Module { path: path.to_owned() }) {
                Ok(Reply::Module(read)) => read,
                Ok(other) => Err(format!("{other:?} is no module")),
                Err(error) => Err(error.to_string()),
            };
            Heard::Read(metadata::said(&text, &chunk, &modules))
        }
        Task::Run { parameters, time } => {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let parameters = parameters.into_iter().map(|(name, value)| (name.into(), value));
            let guest = Guest {
                link: Link::Far(Arc::clone(pipe)),
                limit: TimeLimit::new(Arc::clone(&clock), Deadline::after(&*clock, time)),
                clock,
                chunk: chunk.as_str().into(),
                file: chunk.into(),
                parameters: Arc::new(parameters.collect()),
            };
            Heard::Ran(execute(&guest, &text).map(Box::new))
        }
    }
}

fn execute(guest: &Guest, text: &str) -> Option<Failure> {
    let mut run = pin!(guest.execute(text));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        // It waits for nothing but its pipe, which blocks: not to be ready is to give way.
        match Pin::as_mut(&mut run).poll(&mut context) {
            Poll::Ready(ended) => return ended.err().map(|error| guest.failure_of(&error)),
            Poll::Pending => {}
        }
    }
}

/// For [`Task::Read`], which is short.
pub(super) const READING_PROCESSOR_TIME: Duration = Duration::from_secs(2);
