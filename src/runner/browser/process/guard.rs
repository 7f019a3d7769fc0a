//! The guard: the small process between us and a driver, which outlives us by a moment.
//!
//! A dead parent cannot clean up, and Chromium makes it hard for anybody else: killing the driver
//! alone orphans the browser, and its crash handler runs in a session of its own. So the guard is
//! the *child subreaper* of the whole tree: whatever is orphaned becomes its child, and it alone
//! ends them. It learns of our death by the end of its standard input, not by a death signal: those
//! are bound to the thread that forked, and a runtime's threads come and go.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use rustix::process::{
    Pid, Resource, Rlimit, WaitOptions, geteuid, getpid, set_child_subreaper, setrlimit, setsid,
    wait,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::tree::{MARKER_VARIABLE, Process, descendants, marked};

/// The hidden subcommand under which the program becomes a guard.
pub const GUARD_SUBCOMMAND: &str = "browser-guard";

/// Every scratch folder's name begins so.
const SCRATCH_PREFIX: &str = "coalmine-";
/// The folder inside that belongs to the browser's user.
const HOME: &str = "h";
/// Chromium makes sockets 46 bytes below its folder, and a socket's path has 107 at most.
const HOME_PATH_BYTES_MAX: usize = 107 - 46;

/// What a guard is to start and where; its one argument, as JSON. It holds no secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::runner::browser) struct GuardOrder {
    /// Value of the marker variable.
    pub(in crate::runner::browser) mark: String,
    /// Where the scratch folder is made.
    pub(in crate::runner::browser) scratch_root: PathBuf,
    /// The driver.
    pub(in crate::runner::browser) program: PathBuf,
    /// Its arguments.
    pub(in crate::runner::browser) arguments: Vec<String>,
    /// `PATH` of the driver.
    pub(in crate::runner::browser) search_path: String,
    /// User and group to become when we are root.
    pub(in crate::runner::browser) run_as: Option<(u32, u32)>,
}

/// The first line a guard writes: where the driver may keep files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::runner::browser) struct GuardReady {
    pub(in crate::runner::browser) home: PathBuf,
}

/// Begins the one line a guard writes when it could not start the driver.
pub(in crate::runner::browser) const GUARD_FAULT: &str = "guard: ";

#[derive(Debug, Error)]
enum GuardError {
    #[error("cannot read the order")]
    Order(#[source] serde_json::Error),
    #[error("cannot make scratch folder {}", .path.display())]
    Scratch {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is too long for a browser's sockets; choose a shorter root", .path.display())]
    TooLong { path: PathBuf },
    #[error("cannot start {}", .program.display())]
    Start {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot become the reaper of orphans")]
    Reaper(#[source] rustix::io::Errno),
}

/// Runs as the guard until the driver has ended or our parent has; then leaves nothing behind.
pub fn guard_main(order: &OsStr) -> ExitCode {
    match Guard::start(order) {
        Ok(guard) => {
            guard.watch();
            ExitCode::SUCCESS
        }
        Err(fault) => {
            let mut text = format!("{GUARD_FAULT}{fault}");
            let mut source = std::error::Error::source(&fault);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            // When nobody reads the pipe any more there is nobody to tell.
            writeln!(io::stdout(), "{text}").ok();
            ExitCode::from(4)
        }
    }
}

#[derive(Debug)]
struct Guard {
    scratch: PathBuf,
    driver: Pid,
}

impl Guard {
    fn start(order: &OsStr) -> Result<Self, GuardError> {
        let order: GuardOrder =
            serde_json::from_slice(order.as_encoded_bytes()).map_err(GuardError::Order)?;
        // Out of reach of the terminal's interrupt: we end when our parent has, not with it.
        setsid().ok();
        // Core files of a browser would hold what was typed into it.
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).ok();
        set_child_subreaper(Some(getpid())).map_err(GuardError::Reaper)?;
        sweep(&order.scratch_root);
        let run_as = order.run_as.filter(|_| geteuid().is_root());
        let scratch = make_scratch(&order, run_as)?;
        let ready = GuardReady { home: scratch.join(HOME) };
        if let Ok(line) = serde_json::to_string(&ready) {
            writeln!(io::stdout(), "{line}").ok();
        }
        let driver = start_driver(&order, &ready.home, run_as).inspect_err(|_fault| {
            fs::remove_dir_all(&scratch).ok();
        })?;
        Ok(Self { scratch, driver })
    }

    fn watch(self) {
        let own = getpid().as_raw_nonzero().get();
        std::thread::spawn(move || {
            wait_for_end_of_input();
            kill_all(own);
        });
        loop {
            match wait(WaitOptions::empty()) {
                Ok(Some((pid, _status))) if pid == self.driver => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_no_child) => break,
            }
        }
        loop {
            kill_all(own);
            match wait(WaitOptions::empty()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_no_child) => break,
            }
        }
        fs::remove_dir_all(&self.scratch).ok();
    }
}

fn kill_all(root: i32) {
    for process in descendants(root) {
        process.kill();
    }
}

fn wait_for_end_of_input() {
    let mut input = io::stdin().lock();
    let mut nothing = [0_u8; 64];
    loop {
        match input.read(&mut nothing) {
            Ok(0) => return,
            Err(fault) if fault.kind() != io::ErrorKind::Interrupted => return,
            Ok(_) | Err(_) => {}
        }
    }
}

fn make_scratch(order: &GuardOrder, run_as: Option<(u32, u32)>) -> Result<PathBuf, GuardError> {
    let name = ScratchName::own(&order.mark);
    let path = order.scratch_root.join(name.file_name());
    let fault = |source| GuardError::Scratch { path: path.clone(), source };
    if path.as_os_str().len() + 1 + HOME.len() > HOME_PATH_BYTES_MAX {
        return Err(GuardError::TooLong { path });
    }
    // `create` refuses what exists, so nobody can have laid a link there.
    DirBuilder::new().mode(0o711).create(&path).map_err(fault)?;
    let home = path.join(HOME);
    DirBuilder::new().mode(0o700).create(&home).map_err(fault)?;
    if let Some((user, group)) = run_as {
        std::os::unix::fs::chown(&home, Some(user), Some(group)).map_err(fault)?;
    }
    Ok(path)
}

fn start_driver(
    order: &GuardOrder,
    home: &Path,
    run_as: Option<(u32, u32)>,
) -> Result<Pid, GuardError> {
    let mut command = Command::new(&order.program);
    command
        .args(&order.arguments)
        // An empty environment: no secret of ours reaches the browser.
        .env_clear()
        .env("PATH", &order.search_path)
        .env("HOME", home)
        .env("TMPDIR", home)
        .env("LANG", "C.UTF-8")
        .env("TZ", "UTC")
        .env(MARKER_VARIABLE, &order.mark)
        .current_dir(home)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::inherit())
        .stderr(Stdio::null());
    if let Some((user, group)) = run_as {
        command.uid(user).gid(group);
    }
    let child = command
        .spawn()
        .map_err(|source| GuardError::Start { program: order.program.clone(), source })?;
    Ok(Pid::from_child(&child))
}

/// Names a scratch folder: whose it is, and whether that guard still lives.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ScratchName {
    mark: String,
    /// Process numbers mean something within one namespace only.
    namespace: u64,
    pid: i32,
    started: u64,
}

impl ScratchName {
    fn own(mark: &str) -> Self {
        let pid = getpid().as_raw_nonzero().get();
        let started = Process::find(pid).map_or(0, |process| process.started);
        Self { mark: mark.to_owned(), namespace: pid_namespace(), pid, started }
    }

    fn file_name(&self) -> String {
        let Self { mark, namespace, pid, started } = self;
        format!("{SCRATCH_PREFIX}{mark}.{namespace:x}.{pid:x}.{started:x}")
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(SCRATCH_PREFIX)?.split('.');
        let parsed = Self {
            mark: parts.next()?.to_owned(),
            namespace: u64::from_str_radix(parts.next()?, 16).ok()?,
            pid: i32::from_str_radix(parts.next()?, 16).ok()?,
            started: u64::from_str_radix(parts.next()?, 16).ok()?,
        };
        (parsed.file_name() == name).then_some(parsed)
    }

    fn is_abandoned(&self) -> bool {
        self.namespace == pid_namespace()
            && Process::find(self.pid).is_none_or(|process| process.started != self.started)
    }
}

fn pid_namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |metadata| metadata.ino())
}

/// Ends what a guard that was itself killed has left: its processes, then its folder.
fn sweep(scratch_root: &Path) {
    let Ok(entries) = fs::read_dir(scratch_root) else { return };
    for entry in entries.filter_map(Result::ok) {
        let Some(name) = entry.file_name().to_str().and_then(ScratchName::parse) else { continue };
        // Another user may name a folder like ours; what is not ours is left alone.
        let is_ours = fs::symlink_metadata(entry.path())
            .is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw());
        if is_ours && name.is_abandoned() {
            for process in marked(&name.mark) {
                process.kill();
            }
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_name_reads_back_and_foreign_names_do_not() {
        let name = ScratchName::own("b-1");
        assert_eq!(ScratchName::parse(&name.file_name()), Some(name.clone()));
        assert!(!name.is_abandoned());
        for foreign in ["coalmine-", "coalmine-b-1.1.2", "tmp.x", "b.1.2.3"] {
            assert_eq!(ScratchName::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_folder_is_abandoned_when_its_guard_is_gone_or_its_number_was_reused() {
        let own = ScratchName::own("b-1");
        assert!(ScratchName { started: own.started + 1, ..own.clone() }.is_abandoned());
        assert!(ScratchName { pid: i32::MAX, ..own.clone() }.is_abandoned());
        // Whether a process of another namespace lives cannot be known from here.
        assert!(!ScratchName { namespace: 0, pid: i32::MAX, ..own }.is_abandoned());
    }

    #[test]
    fn a_sweep_removes_abandoned_folders_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let own = ScratchName::own("sweep-test");
        let dead = ScratchName { pid: i32::MAX, ..own.clone() };
        for name in [own.file_name(), dead.file_name(), "else".to_owned()] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        sweep(root.path());
        let mut left: Vec<String> = fs::read_dir(root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, [own.file_name(), "else".to_owned()]);
    }
}
