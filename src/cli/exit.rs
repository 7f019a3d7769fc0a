use std::fmt::Write as _;
use std::process::ExitCode;

use crate::canary::report::Verdict;

/// How the program ended: the one table of exit codes.
///
/// Ordered by weight: of several canaries the heaviest end counts, since a run that could not be
/// judged must not pass for one that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitStatus {
    /// All is well.
    Passed,
    /// A canary failed, or two pictures differ.
    CanaryFailed,
    /// A file or a flag is wrong.
    Usage,
    /// Policy does not allow what was asked for.
    Refused,
    /// Our own side failed: no browser, no disk, no port.
    OurSide,
    /// The data folder cannot be used.
    DataFolder,
    /// Interrupted by a signal.
    Interrupted,
}

impl ExitStatus {
    /// Every status, in the order of its code.
    pub const ALL: [Self; 7] = [
        Self::Passed,
        Self::CanaryFailed,
        Self::Usage,
        Self::Refused,
        Self::OurSide,
        Self::DataFolder,
        Self::Interrupted,
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::CanaryFailed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::OurSide => 4,
            Self::DataFolder => 5,
            Self::Interrupted => 130,
        }
    }

    /// What it means, for help texts and documentation.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Passed => "all passed",
            Self::CanaryFailed => "a canary failed, or pictures differ",
            Self::Usage => "a file or a flag is wrong",
            Self::Refused => "refused by policy",
            Self::OurSide => "our own side failed: no browser, no disk, no port",
            Self::DataFolder => "the data folder cannot be used",
            Self::Interrupted => "interrupted",
        }
    }

    /// How the program ends when a run failed with this verdict.
    pub const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Target | Verdict::NoAnswer | Verdict::Visual => Self::CanaryFailed,
            Verdict::Canary => Self::Usage,
            Verdict::Policy => Self::Refused,
            Verdict::Runner => Self::OurSide,
        }
    }

    /// The table, as help texts show it.
    pub(super) fn table() -> String {
        let mut table = String::new();
        for status in Self::ALL {
            // Writing to a String cannot fail.
            writeln!(table, "  {:>3}  {}", status.code(), status.meaning()).unwrap_or(());
        }
        table
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_rise_with_weight_so_the_heaviest_end_wins() {
        assert!(ExitStatus::ALL.windows(2).all(|two| two[0] < two[1]));
        assert!(ExitStatus::ALL.windows(2).all(|two| two[0].code() < two[1].code()));
        let both = [Verdict::Target, Verdict::Runner].map(ExitStatus::of);
        assert_eq!(both.into_iter().max(), Some(ExitStatus::OurSide));
    }
}
