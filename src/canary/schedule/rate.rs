use std::time::Duration;

use super::ScheduleFault;
use crate::time::Timestamp;

/// BOUND: a canary that runs less often than once a month is a typing error.
const PERIOD_MAX: Duration = Duration::from_secs(31 * 86_400);

const UNITS: &[(&str, u64)] = &[("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400)];

/// Reads `5 minutes`; zero is a single run.
pub(super) fn parse(inside: &str, offset: usize) -> Result<Duration, ScheduleFault> {
    let range = |part: &str| {
        let start = inside.find(part).unwrap_or(0) + offset;
        start..start + part.len().max(1)
    };
    let mut words = inside.split_whitespace();
    let (Some(number), Some(unit), None) = (words.next(), words.next(), words.next()) else {
        let problem = "a rate is a number and a unit";
        return Err(ScheduleFault::new(problem, range(inside)).help("write rate(5 minutes)"));
    };
    let Ok(count) = number.parse::<u64>() else {
        let problem = format!("`{number}` is no whole number");
        return Err(ScheduleFault::new(problem, range(number)));
    };
    let singular = unit.strip_suffix('s').unwrap_or(unit);
    let Some((_, seconds)) = UNITS.iter().find(|(name, _)| *name == singular) else {
        let problem = format!("`{unit}` is no unit of a rate");
        let fault = ScheduleFault::new(problem, range(unit));
        return Err(fault.help("units are second, minute, hour and day, with or without s"));
    };
    let period = Duration::from_secs(count.saturating_mul(*seconds));
    if period > PERIOD_MAX {
        return Err(ScheduleFault::new("a rate is at most 31 days", range(inside)));
    }
    Ok(period)
}

pub(super) fn next_after(period: Duration, after: Timestamp, phase: Duration) -> Option<Timestamp> {
    let (width, phase) = whole(period, phase)?;
    let slot = after.as_millis().checked_sub(phase)?.div_euclid(width).checked_add(1)?;
    slot.checked_mul(width)?.checked_add(phase).map(Timestamp::from_millis)
}

pub(super) fn last_until(period: Duration, at: Timestamp, phase: Duration) -> Option<Timestamp> {
    let (width, phase) = whole(period, phase)?;
    let slot = at.as_millis().checked_sub(phase)?.div_euclid(width);
    slot.checked_mul(width)?.checked_add(phase).map(Timestamp::from_millis)
}

fn whole(period: Duration, phase: Duration) -> Option<(i64, i64)> {
    let width = i64::try_from(period.as_millis()).ok()?;
    let phase = i64::try_from(phase.as_millis()).ok()?;
    Some((width, phase.checked_rem(width)?))
}
