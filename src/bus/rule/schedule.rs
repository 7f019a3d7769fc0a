use std::time::Duration;

use crate::bus::refusal::{BusError, RefusalKind};
use crate::canary::schedule::Schedule;
use crate::time::Timestamp;

/// Reads a rule's schedule: `rate` in minutes, hours or days with the right plural, or `cron` with
/// six fields; both in UTC.
///
/// Source: EventBridge User Guide, "Creating a rule that runs on a schedule".
pub(in crate::bus) fn parse(expression: &str) -> Result<Schedule, BusError> {
    let refused = || RefusalKind::Invalid.because("Parameter ScheduleExpression is not valid.");
    let is_awss = match expression.strip_prefix("rate(") {
        Some(rest) => rest.strip_suffix(')').is_some_and(is_rate),
        None => expression
            .strip_prefix("cron(")
            .and_then(|rest| rest.strip_suffix(')'))
            .is_some_and(|fields| fields.split_whitespace().count() == 6),
    };
    if !is_awss {
        return Err(refused());
    }
    Schedule::parse(expression, "UTC").map_err(|_fault| refused())
}

fn is_rate(inside: &str) -> bool {
    let Some((number, unit)) = inside.trim().split_once(' ') else { return false };
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    match (number.parse::<u32>(), unit.trim()) {
        (Ok(1), "minute" | "hour" | "day") => digits,
        (Ok(2..), "minutes" | "hours" | "days") => digits,
        _ => false,
    }
}

/// The first instant after `after` at which a rule acts whose schedule was put at `since`.
///
/// Differs: AWS does not say from when a rate counts; here its first turn is one interval after the
/// rule was put.
pub(in crate::bus) fn next(
    schedule: &Schedule,
    since: Timestamp,
    after: Timestamp,
) -> Option<Timestamp> {
    let period = schedule.period().map_or(1, |period| period.as_millis().max(1));
    let period = i64::try_from(period).unwrap_or(i64::MAX);
    let phase = u64::try_from(since.as_millis().rem_euclid(period)).unwrap_or(0);
    schedule.next_after(after, Duration::from_millis(phase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_awss_own_forms_are_taken() {
        for (expression, taken) in [
            ("rate(1 minute)", true),
            ("rate(5 minutes)", true),
            ("rate(1 day)", true),
            ("rate(1 minutes)", false),
            ("rate(5 minute)", false),
            ("rate(0 minutes)", false),
            ("rate(5 seconds)", false),
            ("rate(-5 minutes)", false),
            ("rate(5)", false),
            ("cron(0 12 * * ? *)", true),
            ("cron(0/5 8-18 ? * MON-FRI *)", true),
            ("cron(0 12 L * ? *)", true),
            ("cron(0 10 ? * 6L *)", true),
            ("cron(0 10 ? * 3#2 *)", true),
            ("cron(0 12 * * * *)", false),
            ("cron(0 12 * *)", false),
            ("at(2030-01-01T00:00:00)", false),
            ("", false),
        ] {
            assert_eq!(parse(expression).is_ok(), taken, "{expression}");
        }
    }

    #[test]
    fn a_rate_counts_from_when_the_rule_was_put() {
        let schedule = parse("rate(5 minutes)").unwrap();
        let since = Timestamp::from_secs(1_000_000_007);
        let first = next(&schedule, since, since);
        assert_eq!(first, Some(Timestamp::from_secs(1_000_000_307)));
        let later = next(&schedule, since, Timestamp::from_secs(1_000_000_400));
        assert_eq!(later, Some(Timestamp::from_secs(1_000_000_607)));
    }
}
