//! The binary, as a user starts it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

/// A call of the program in a folder of its own, without our environment.
pub(crate) fn coalmine(folder: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coalmine"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.args(arguments).current_dir(folder).env_clear().env("PATH", path);
    command
}

/// What a call printed, and how it ended.
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        // Ended by a signal: a number no exit code has.
        let code = output.status.code().unwrap_or(-1);
        Self { code, out: text(output.stdout), err: text(output.stderr) }
    }
}

/// Runs a call to its end in a fresh folder.
pub(crate) fn run(arguments: &[&str]) -> Finished {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    run_in(folder.path(), arguments)
}

/// Runs a call to its end.
pub(crate) fn run_in(folder: &std::path::Path, arguments: &[&str]) -> Finished {
    coalmine(folder, arguments).output().expect("the program starts").into()
}

/// A server started as a program, ended when dropped.
pub(crate) struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    /// Its ready line.
    pub(crate) ready: Value,
}

impl Server {
    /// Starts a server and reads its ready line.
    pub(crate) fn start(mut command: Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the program starts");
        let mut out = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("the ready line is UTF-8");
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut said = String::new();
            drop(child.kill());
            drop(child.stderr.take().map(|mut err| err.read_to_string(&mut said)));
            panic!("not a ready line: {error}: {line:?}\n{said}");
        });
        Self { child, out, ready }
    }

    /// A text of the ready line.
    pub(crate) fn ready_text(&self, key: &str) -> &str {
        self.ready.get(key).and_then(Value::as_str).expect("the ready line has this key")
    }

    /// Sends a signal by its number.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let sent = rustix::process::kill_process(id.expect("a child has an id"), signal);
        sent.expect("a running child takes signals");
    }

    /// Waits for its end; gives the exit code.
    pub(crate) fn wait(mut self) -> i32 {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("the rest of the output is UTF-8");
        let status = self.child.wait().expect("a child can be waited for");
        status.code().unwrap_or(-1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
