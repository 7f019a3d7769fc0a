//! What a worker takes from itself before it looks at the script.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::process::{Gid, Resource, Rlimit, Uid, geteuid, setrlimit};
use rustix::thread::{set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use thiserror::Error;

/// Beside what the program itself takes: a machine of 64 MiB, and messages on their way.
const MEMORY_BYTES_MAX: u64 = 224 * 1024 * 1024;

/// The user and group `nobody`, on every Linux.
const NOBODY: u32 = 65_534;

/// Why a worker does not start to work.
#[derive(Debug, Error)]
pub(super) enum LimitError {
    #[error("cannot learn how much memory this process has")]
    Memory(#[source] io::Error),
    #[error("cannot set the limit of {what}")]
    Limit {
        what: &'static str,
        #[source]
        source: rustix::io::Errno,
    },
}

/// Gives up everything that computing does not need, for good.
///
/// ORDER: what must still be looked up comes first; then the user, since root could lift limits;
/// of files last.
pub(super) fn apply(processor_time: Duration) -> Result<(), LimitError> {
    let memory = memory_now().map_err(LimitError::Memory)?.saturating_add(MEMORY_BYTES_MAX);
    let seconds = processor_time.as_secs().saturating_add(1);
    let fault = |what| move |source| LimitError::Limit { what, source };
    set_no_new_privs(true).map_err(fault("privileges"))?;
    if geteuid().is_root() {
        let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        set_thread_groups(&[]).map_err(fault("groups"))?;
        set_thread_res_gid(group, group, group).map_err(fault("groups"))?;
        set_thread_res_uid(user, user, user).map_err(fault("users"))?;
    }
    for (what, resource, limit) in [
        ("core files", Resource::Core, 0),
        ("memory", Resource::As, memory),
        ("processor time", Resource::Cpu, seconds),
        ("file sizes", Resource::Fsize, 0),
        ("processes", Resource::Nproc, 0),
        // Input, output and errors are open, and nothing more ever is.
        ("open files", Resource::Nofile, 3),
    ] {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        setrlimit(resource, limit).map_err(fault(what))?;
    }
    Ok(())
}

/// Source: proc_pid_status(5), `VmSize`, in kibibytes.
fn memory_now() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kibibytes =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    let kibibytes = kibibytes.ok_or(io::ErrorKind::InvalidData)?;
    Ok(kibibytes.saturating_mul(1024))
}
