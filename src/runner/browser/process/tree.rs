//! The process table as `/proc` shows it: who descends from whom, who carries our mark.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The environment variable that every process of ours carries; its value names one browser.
pub const MARKER_VARIABLE: &str = "COALMINE_BROWSER";

/// One process, told apart from a later one of the same number by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    /// Clock ticks since boot.
    pub(super) started: u64,
}

impl Process {
    /// The process numbered `pid`, when it lives. One that has ended and was not waited for is
    /// gone: a killed guard must not pass for a living one until its parent gets round to it.
    pub(super) fn find(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the command in parentheses, which may itself hold any character.
        let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
        let has_ended = matches!(fields.next()?, "Z" | "X");
        let parent = fields.next()?.parse().ok()?;
        let started = fields.nth(17)?.parse().ok()?;
        (!has_ended).then_some(Self { pid, parent, started })
    }

    /// Kills exactly this process, not one that got its number since.
    pub(super) fn kill(self) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        // ORDER: the handle first, then the comparison: from here on the number cannot be reused.
        if Self::find(self.pid).is_some_and(|now| now.started == self.started) {
            // It may have ended by itself, which is what we want.
            pidfd_send_signal(&handle, Signal::KILL).ok();
        }
    }

    fn mark(self) -> Option<String> {
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).ok()?;
        let prefix = format!("{MARKER_VARIABLE}=");
        environment.split(|byte| *byte == 0).find_map(|entry| {
            std::str::from_utf8(entry).ok()?.strip_prefix(&prefix).map(str::to_owned)
        })
    }
}

/// Every process that exists now, by number.
fn table() -> BTreeMap<i32, Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, Process::find(pid)?)))
        .collect()
}

/// Every process below `root`, at any depth; `root` itself is not among them.
pub(super) fn descendants(root: i32) -> Vec<Process> {
    below(&table(), |process| process.parent == root)
}

/// Every process whose mark begins with `prefix`, and everything below those.
///
/// Chromium's forked processes overwrite their environment, hence the second half.
pub(super) fn marked(prefix: &str) -> Vec<Process> {
    let table = table();
    let own = std::process::id().cast_signed();
    let roots: Vec<i32> = table
        .values()
        .filter(|process| process.pid != own)
        .filter(|process| process.mark().is_some_and(|mark| mark.starts_with(prefix)))
        .map(|process| process.pid)
        .collect();
    below(&table, |process| roots.contains(&process.pid))
}

fn below(table: &BTreeMap<i32, Process>, is_root: impl Fn(&Process) -> bool) -> Vec<Process> {
    let descends = |process: &Process| {
        let mut at = *process;
        // BOUND: a table read while it changes may hold a cycle; no real chain is this long.
        for _generation in 0..64 {
            if is_root(&at) {
                return true;
            }
            match table.get(&at.parent) {
                Some(parent) => at = *parent,
                None => return false,
            }
        }
        false
    };
    table.values().filter(|process| descends(process)).copied().collect()
}

/// The numbers of all living processes whose mark begins with `prefix`, and of everything below.
///
/// For tests and for `doctor`: ours are counted by mark, never by name.
pub fn marked_processes(prefix: &str) -> Vec<i32> {
    marked(prefix).into_iter().map(|process| process.pid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_number_with_its_parent() {
        let own = Process::find(std::process::id().cast_signed()).unwrap();
        assert_eq!(own.parent, std::os::unix::process::parent_id().cast_signed());
        assert!(own.started > 0);
        assert_eq!(Process::find(-1), None);
    }

    #[test]
    fn a_child_and_its_child_are_descendants_and_carry_the_mark() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & wait"])
            .env(MARKER_VARIABLE, "tree-test-1")
            .spawn()
            .unwrap();
        let pid = child.id().cast_signed();
        // The shell forks at its own pace; the loop ends as soon as it has.
        while descendants(pid).is_empty() {
            std::thread::yield_now();
        }
        assert!(descendants(std::process::id().cast_signed()).iter().any(|p| p.pid == pid));
        assert_eq!(marked_processes("tree-test-1").len(), 2);
        for process in marked("tree-test-1") {
            process.kill();
        }
        child.wait().unwrap();
        assert!(!marked_processes("tree-test-1").contains(&pid));
    }
}
