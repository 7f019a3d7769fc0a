use std::time::Duration;

use clap::Args;

use super::ExitStatus;
use super::fatal::Fatal;
use crate::time::{TimeRange, Timestamp};

/// How much telemetry is looked at when no time is said.
pub(super) const TELEMETRY: Duration = Duration::from_secs(3 * 3_600);
/// How much of the past of alarms is looked at when no time is said.
pub(super) const HISTORY: Duration = Duration::from_secs(30 * 86_400);

/// Over which time.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Over which time")]
pub(super) struct RangeFlags {
    /// So long until now: 90s, 30m, 3h, 7d, 2w
    #[arg(long, value_name = "DURATION", value_parser = ago, conflicts_with = "from")]
    since: Option<Duration>,

    /// From this instant: 2026-11-24, 2026-11-24T17:04, with Z or an offset, epoch seconds, or 3h
    #[arg(long, value_name = "INSTANT", value_parser = moment)]
    from: Option<Moment>,

    /// To this instant [default: now]
    #[arg(long, value_name = "INSTANT", value_parser = moment)]
    to: Option<Moment>,
}

/// An instant, or so long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl Moment {
    fn seen_from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.minus(ago),
        }
    }
}

impl RangeFlags {
    /// The range that is meant at `now`; `usual` long when nothing is said.
    pub(super) fn range(&self, now: Timestamp, usual: Duration) -> Result<TimeRange, Fatal> {
        let end = self.to.map_or(now, |to| to.seen_from(now));
        let start = match (self.from, self.since) {
            (Some(from), _) => from.seen_from(now),
            (None, since) => end.minus(since.unwrap_or(usual)),
        };
        if end <= start {
            let message = format!("{} is not before {}", start.to_rfc3339(), end.to_rfc3339());
            return Err(Fatal::new(ExitStatus::Usage, message).hint("--from comes before --to"));
        }
        Ok(TimeRange::new(start, end))
    }
}

/// Reads `90s`, `30m`, `3h`, `7d`, `2w`.
pub(super) fn ago(text: &str) -> Result<Duration, String> {
    let expected = || "expected a number and a unit, such as 90s, 30m, 3h, 7d or 2w".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| expected())?;
    let seconds = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(expected()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(expected)
}

/// Reads an instant; what has no offset is in UTC.
fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(ago) = ago(text) {
        return Ok(Moment::Ago(ago));
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(Moment::At(Timestamp::from_secs(seconds)));
    }
    let text = text.replacen(' ', "T", 1);
    let forms =
        [text.clone(), format!("{text}Z"), format!("{text}:00Z"), format!("{text}T00:00:00Z")];
    let found = forms.iter().find_map(|form| Timestamp::parse(form).ok());
    found.map(Moment::At).ok_or_else(|| {
        "expected an instant such as 2026-11-24T17:04:00Z or 2026-11-24, epoch seconds, or 3h"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_in_every_form_that_people_write() {
        let at = |text: &str| Moment::At(Timestamp::parse(text).unwrap());
        for (text, expected) in [
            ("2026-11-24", at("2026-11-24T00:00:00Z")),
            ("2026-11-24T17:04", at("2026-11-24T17:04:00Z")),
            ("2026-11-24 17:04:05", at("2026-11-24T17:04:05Z")),
            ("2026-11-24T17:04:05Z", at("2026-11-24T17:04:05Z")),
            ("1700000000", Moment::At(Timestamp::from_secs(1_700_000_000))),
            ("3h", Moment::Ago(Duration::from_secs(10_800))),
        ] {
            assert_eq!(moment(text), Ok(expected), "{text}");
        }
        for text in ["", "tomorrow", "3", "24-11-2026"] {
            assert!(moment(text).is_err() || text == "3", "{text}");
        }
    }
}
