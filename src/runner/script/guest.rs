//! The script's side: a machine with its functions, and the line to the run.

use std::collections::BTreeMap;
use std::sync::Arc;

use mlua::{Lua, Value as LuaValue};
use serde_json::Value;

use super::api::{self, StepOptions};
use super::call::{Note, Reply, Request, StepStart};
use super::failure::{ScriptError, cause, failure_of};
use super::host::Host;
use super::sandbox::{self, TimeLimit, calling_line};
use super::worker::Pipe;
use super::{expect, modules, page, request};
use crate::canary::report::{Failure, FileLocation, Verdict};
use crate::canary::template::Taint;
use crate::runner::fault;
use crate::runner::step::GUARD;
use crate::time::{Clock, Deadline};

/// What the functions of a running script share.
#[derive(Clone)]
pub(super) struct Guest {
    pub(super) link: Link,
    pub(super) limit: TimeLimit,
    pub(super) clock: Arc<dyn Clock>,
    /// The script's name in the texts of the machine.
    pub(super) chunk: Arc<str>,
    /// Its name in reports.
    pub(super) file: Arc<str>,
    pub(super) parameters: Arc<BTreeMap<Arc<str>, Value>>,
}

/// The way to the run.
#[derive(Clone)]
pub(super) enum Link {
    /// It is in this process.
    Near(Host),
    /// It is at the other end of this process's pipes.
    Far(Arc<Pipe>),
}

impl Guest {
    /// Runs a script to its end.
    pub(super) async fn execute(&self, text: &str) -> mlua::Result<()> {
        let lua = sandbox::open()?;
        modules::install(&lua, &self.clock)?;
        modules::install_sleep(&lua, self)?;
        api::install(&lua, self)?;
        expect::install(&lua, self)?;
        request::install(&lua, self)?;
        page::install(&lua, self)?;
        install_step(&lua, self)?;
        sandbox::close(&lua, &self.limit)?;
        sandbox::compile(&lua, &self.chunk, text)?.call_async::<()>(()).await
    }

    /// Asks the run, and waits.
    pub(super) async fn ask(&self, request: Request) -> mlua::Result<Reply> {
        let answered = match &self.link {
            Link::Near(host) => host.answer(request).await,
            Link::Far(pipe) => pipe.ask(request),
        };
        self.heard(answered)
    }

    /// Tells the run.
    pub(super) fn note(&self, note: Note) -> mlua::Result<Reply> {
        let answered = match &self.link {
            Link::Near(host) => host.note(note),
            Link::Far(pipe) => pipe.ask(Request::Note(note)),
        };
        self.heard(answered)
    }

    fn heard(&self, answered: Result<Reply, ScriptError>) -> mlua::Result<Reply> {
        answered.map_err(|error| {
            if matches!(error, ScriptError::Alone) {
                // Whatever the script makes of this error, it ends.
                self.limit.set(Deadline::after(&*self.clock, std::time::Duration::ZERO));
            }
            error.into()
        })
    }

    /// The secrets in a text, in whatever encoding: a script may have changed them. What runs in a
    /// process of its own is not trusted with any.
    pub(super) fn secrets_in(&self, text: &str) -> Taint {
        match &self.link {
            Link::Near(host) => host.secrets_in(text),
            Link::Far(_) => Taint::default(),
        }
    }

    /// The line of the script that a call came from.
    pub(super) fn line(&self, lua: &Lua) -> Option<usize> {
        calling_line(lua, &self.chunk)
    }

    /// Where in the script a call came from.
    pub(super) fn here(&self, lua: &Lua) -> Option<FileLocation> {
        self.line(lua).map(|line| super::failure::place(&self.file, line))
    }

    pub(super) fn failure_of(&self, error: &mlua::Error) -> Failure {
        failure_of(error, &self.chunk, &self.file)
    }

    /// The body of a step, to its failure.
    async fn body(
        &self,
        body: mlua::Function,
        deadline: Deadline,
        always: bool,
    ) -> Option<Failure> {
        let call = Box::pin(body.call_async::<()>(()));
        let ended = match &self.link {
            // Whoever started this process also ends it.
            Link::Far(_) => call.await,
            Link::Near(host) => {
                let guard = Deadline::at(deadline.monotonic().plus(GUARD));
                tokio::select! {
                    biased;
                    ended = guard.bound(call) => match ended {
                        Ok(ended) => ended,
                        Err(_passed) => return Some(out_of_time()),
                    },
                    () = host.run.cancel.cancelled(), if !always => return Some(cancelled()),
                }
            }
        };
        let error = ended.err()?;
        Some(match cause(&error) {
            Some(ScriptError::OutOfTime | ScriptError::Alone) => out_of_time(),
            _ => self.failure_of(&error),
        })
    }
}

pub(super) fn out_of_time() -> Failure {
    // The time it took is known, and put in, when its report is made.
    fault::failure(Verdict::NoAnswer, OUT_OF_TIME)
}

pub(super) const OUT_OF_TIME: &str = "the step did not end in its time";

pub(super) fn cancelled() -> Failure {
    fault::failure(Verdict::Runner, "the run was cancelled")
}

fn install_step(lua: &Lua, guest: &Guest) -> mlua::Result<()> {
    let guest = guest.clone();
    let step = lua.create_async_function(
        move |lua, (name, first, second): (String, LuaValue, LuaValue)| {
            let guest = guest.clone();
            let line = guest.line(&lua);
            async move {
                let (options, body) = api::step_arguments((first, second))?;
                let StepOptions { timeout, always } = options;
                let start = StepStart { name, timeout, always, line };
                let Reply::Time(Some(left)) = guest.ask(Request::Begin(start)).await? else {
                    return Ok(());
                };
                let deadline = Deadline::after(&*guest.clock, left);
                guest.limit.set(deadline);
                let failure = guest.body(body, deadline, always).await.map(Box::new);
                if let Reply::Time(Some(left)) = guest.ask(Request::End { failure }).await? {
                    guest.limit.set(Deadline::after(&*guest.clock, left));
                }
                Ok(())
            }
        },
    )?;
    lua.globals().set("step", step)
}
