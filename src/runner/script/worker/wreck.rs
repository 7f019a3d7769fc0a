//! What became of a worker that did not say its last word.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::super::attempt::out_of_time;
use crate::canary::report::{Failure, Verdict};
use crate::runner::fault;

/// BOUND: of the last words of a worker.
pub(super) const LAST_WORDS_BYTES_MAX: u64 = 4096;

/// How it ended, as the failure of whatever it was doing.
pub(super) fn failure(status: Option<ExitStatus>, last_words: &[u8]) -> Failure {
    let Some(status) = status else {
        return fault::failure(Verdict::Runner, "the script's process cannot be waited for");
    };
    let how = match (status.signal(), status.code()) {
        (Some(XCPU), _) => return out_of_time(),
        (Some(signal), _) => format!("was ended by {}", name(signal)),
        (None, Some(0)) => "ended without a result".to_owned(),
        (None, code) => format!("ended with exit code {}", code.unwrap_or(-1)),
    };
    let words = String::from_utf8_lossy(last_words).trim().to_owned();
    let failure = fault::failure(Verdict::Runner, format!("the script's process {how}"));
    Failure { detail: Some(words).filter(|words| !words.is_empty()), ..failure }
}

/// More time of the processor than it was given.
const XCPU: i32 = 24;

/// Source: signal(7), the numbers of Linux.
fn name(signal: i32) -> String {
    let name = match signal {
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL: by somebody, or by the system for want of memory",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        31 => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}
