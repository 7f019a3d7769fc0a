use std::fmt;

use serde::Serialize;

use crate::canary::report::RunOutcome;

/// How many runs ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Passed at the first attempt.
    pub passed: usize,
    /// Passed after a retry.
    pub flaky: usize,
    /// A step failed.
    pub failed: usize,
    /// Could not be judged.
    pub error: usize,
    /// Did not start.
    pub skipped: usize,
    /// Told to stop.
    pub cancelled: usize,
}

impl Tally {
    /// Counts one run.
    pub const fn count(&mut self, outcome: RunOutcome) {
        let slot = match outcome {
            RunOutcome::Passed => &mut self.passed,
            RunOutcome::Flaky => &mut self.flaky,
            RunOutcome::Failed => &mut self.failed,
            RunOutcome::Error => &mut self.error,
            RunOutcome::Skipped => &mut self.skipped,
            RunOutcome::Cancelled => &mut self.cancelled,
        };
        *slot += 1;
    }

    /// All runs.
    pub const fn total(&self) -> usize {
        self.passed + self.flaky + self.failed + self.error + self.skipped + self.cancelled
    }

    /// Whether every run counts as good.
    pub const fn is_good(&self) -> bool {
        self.failed + self.error + self.cancelled == 0
    }

    /// The parts that are not zero, worst first.
    pub(super) fn parts(self) -> impl Iterator<Item = (usize, RunOutcome)> {
        let all = [
            (self.failed, RunOutcome::Failed),
            (self.error, RunOutcome::Error),
            (self.cancelled, RunOutcome::Cancelled),
            (self.flaky, RunOutcome::Flaky),
            (self.passed, RunOutcome::Passed),
            (self.skipped, RunOutcome::Skipped),
        ];
        all.into_iter().filter(|(count, _)| *count > 0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.total() == 1 { "run" } else { "runs" };
        write!(f, "{} {noun}", self.total())?;
        for (at, (count, outcome)) in self.parts().enumerate() {
            let glue = if at == 0 { ": " } else { ", " };
            write!(f, "{glue}{count} {}", outcome.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_names_the_worst_first_and_nothing_that_did_not_happen() {
        let mut tally = Tally::default();
        assert_eq!(tally.to_string(), "0 runs");
        assert!(tally.is_good());
        for outcome in [RunOutcome::Passed, RunOutcome::Failed, RunOutcome::Passed] {
            tally.count(outcome);
        }
        assert_eq!(tally.to_string(), "3 runs: 1 failed, 2 passed");
        assert!(!tally.is_good());
    }
}
