use std::time::Duration;

use super::{Schedule, stable_phase};
use crate::time::Timestamp;

/// Expression, time zone, asked after, due at. Made by a brute-force search with Python's
/// `zoneinfo`, which shares no code with this crate.
#[rustfmt::skip]
const VECTORS: &[(&str, &str, &str, &str)] = &[
    ("30 2 * * ? *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"),
    ("30 2 * * ? *", "Europe/Berlin", "2026-03-29T00:59:00Z", "2026-03-30T00:30:00Z"),
    ("0 2 * * ? *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z"),
    ("0 3 * * ? *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"),
    ("0/15 * * * ? *", "Europe/Berlin", "2026-03-29T00:50:00Z", "2026-03-29T01:00:00Z"),
    ("30 2 * * ? *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
    ("30 2 * * ? *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
    ("30 2 * * ? *", "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"),
    ("0/5 * * * ? *", "Europe/Berlin", "2026-10-25T00:57:00Z", "2026-10-25T02:00:00Z"),
    ("0/5 * * * ? *", "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-25T02:00:00Z"),
    ("0 0 * * ? *", "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-25T23:00:00Z"),
    ("15 1 * * ? *", "Europe/Berlin", "2026-10-24T23:20:00Z", "2026-10-26T00:15:00Z"),
    ("0 8 ? * MON-FRI *", "Europe/Berlin", "2026-03-27T07:30:00Z", "2026-03-30T06:00:00Z"),
    ("0 8 ? * MON-FRI *", "Europe/Berlin", "2026-10-23T06:30:00Z", "2026-10-26T07:00:00Z"),
    ("30 2 * * ? *", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-09T06:30:00Z"),
    ("30 2 * * ? *", "America/New_York", "2026-03-08T06:59:00Z", "2026-03-09T06:30:00Z"),
    ("0 3 * * ? *", "America/New_York", "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z"),
    ("30 1 * * ? *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z"),
    ("30 1 * * ? *", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"),
    ("30 1 * * ? *", "America/New_York", "2026-11-01T06:29:00Z", "2026-11-02T06:30:00Z"),
    ("0/10 1 * * ? *", "America/New_York", "2026-11-01T05:45:00Z", "2026-11-01T05:50:00Z"),
    ("59 23 L * ? *", "America/New_York", "2026-11-01T00:00:00Z", "2026-11-01T03:59:00Z"),
    ("0 0 * * ? *", "Africa/Cairo", "2025-04-24T12:00:00Z", "2025-04-25T21:00:00Z"),
    ("30 0 * * ? *", "Africa/Cairo", "2025-04-24T12:00:00Z", "2025-04-25T21:30:00Z"),
    ("0 1 * * ? *", "Africa/Cairo", "2025-04-24T12:00:00Z", "2025-04-24T22:00:00Z"),
    ("0/20 * * * ? *", "Africa/Cairo", "2025-04-24T21:50:00Z", "2025-04-24T22:00:00Z"),
    ("30 23 * * ? *", "Africa/Cairo", "2025-10-30T12:00:00Z", "2025-10-30T20:30:00Z"),
    ("30 23 * * ? *", "Africa/Cairo", "2025-10-30T21:00:00Z", "2025-10-31T21:30:00Z"),
    ("0 0 ? * FRI *", "Africa/Cairo", "2025-04-24T12:00:00Z", "2025-05-01T21:00:00Z"),
    ("15 2 * * ? *", "Australia/Lord_Howe", "2025-10-04T00:00:00Z", "2025-10-05T15:15:00Z"),
    ("15 2 * * ? *", "Australia/Lord_Howe", "2025-10-04T15:20:00Z", "2025-10-05T15:15:00Z"),
    ("30 2 * * ? *", "Australia/Lord_Howe", "2025-10-04T15:00:00Z", "2025-10-04T15:30:00Z"),
    ("45 1 * * ? *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-04T14:45:00Z"),
    ("45 1 * * ? *", "Australia/Lord_Howe", "2026-04-04T14:50:00Z", "2026-04-05T15:15:00Z"),
    ("0/10 1 * * ? *", "Australia/Lord_Howe", "2026-04-04T14:41:00Z", "2026-04-04T14:50:00Z"),
    ("0 12 * * ? *", "Pacific/Apia", "2011-12-29T23:00:00Z", "2011-12-30T22:00:00Z"),
    ("0 12 30 * ? *", "Pacific/Apia", "2011-12-01T00:00:00Z", "2012-01-29T22:00:00Z"),
    ("0 12 ? * FRI *", "Pacific/Apia", "2011-12-28T00:00:00Z", "2012-01-05T22:00:00Z"),
    ("0 0 31 * ? *", "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-30T10:00:00Z"),
    ("0/30 * * * ? *", "Pacific/Apia", "2011-12-30T09:45:00Z", "2011-12-30T10:00:00Z"),
    ("30 1 * * ? *", "Antarctica/Troll", "2026-03-28T12:00:00Z", "2026-03-29T23:30:00Z"),
    ("30 2 * * ? *", "Antarctica/Troll", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"),
    ("0 3 * * ? *", "Antarctica/Troll", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
    ("30 1 * * ? *", "Antarctica/Troll", "2026-10-24T12:00:00Z", "2026-10-24T23:30:00Z"),
    ("30 1 * * ? *", "Antarctica/Troll", "2026-10-25T00:00:00Z", "2026-10-26T01:30:00Z"),
    ("30 2 * * ? *", "Antarctica/Troll", "2026-10-25T00:31:00Z", "2026-10-26T02:30:00Z"),
    ("0 12 29 2 ? *", "UTC", "2024-02-29T12:00:00Z", "2028-02-29T12:00:00Z"),
    ("0 12 29 FEB ? *", "UTC", "2096-02-29T11:59:00Z", "2096-02-29T12:00:00Z"),
    ("0 0 31 * ? *", "UTC", "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"),
    ("0 0 L * ? *", "UTC", "2027-02-01T00:00:00Z", "2027-02-28T00:00:00Z"),
    ("0 0 L-3 * ? *", "UTC", "2028-02-01T00:00:00Z", "2028-02-26T00:00:00Z"),
    ("0 9 1W * ? *", "UTC", "2026-07-31T12:00:00Z", "2026-08-03T09:00:00Z"),
    ("0 9 15W * ? *", "UTC", "2026-08-01T00:00:00Z", "2026-08-14T09:00:00Z"),
    ("0 9 31W * ? *", "UTC", "2026-05-01T00:00:00Z", "2026-05-29T09:00:00Z"),
    ("0 9 LW * ? *", "UTC", "2026-05-01T00:00:00Z", "2026-05-29T09:00:00Z"),
    ("0 9 ? * 6L *", "UTC", "2026-11-28T00:00:00Z", "2026-12-25T09:00:00Z"),
    ("0 9 ? * TUE#2 *", "UTC", "2026-11-11T00:00:00Z", "2026-12-08T09:00:00Z"),
    ("0 9 ? * 2#5 *", "UTC", "2026-12-01T00:00:00Z", "2027-03-29T09:00:00Z"),
    ("0 9 ? * L *", "UTC", "2026-11-24T00:00:00Z", "2026-11-28T09:00:00Z"),
    ("*/7 * * * ? *", "UTC", "2026-11-24T10:56:30Z", "2026-11-24T11:00:00Z"),
    ("5/20 8-17/3 ? * MON,WED,FRI *", "UTC", "2026-11-24T10:00:00Z", "2026-11-25T08:05:00Z"),
    ("0 8-17/2 ? JAN-MAR SAT,SUN 2027", "UTC", "2026-11-24T10:00:00Z", "2027-01-02T08:00:00Z"),
];

fn cron(expression: &str, timezone: &str) -> Schedule {
    Schedule::parse(&format!("cron({expression})"), timezone).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn the_calendar_vectors_hold() {
    assert!(VECTORS.len() >= 60);
    for (expression, timezone, after, due) in VECTORS {
        let schedule = cron(expression, timezone);
        let next = schedule.next_after(at(after), Duration::ZERO).unwrap();
        assert_eq!(next.to_rfc3339(), *due, "{expression} in {timezone} after {after}");
    }
}

#[test]
fn looking_back_finds_what_looking_ahead_found() {
    for (expression, timezone, after, due) in VECTORS {
        let schedule = cron(expression, timezone);
        let last = |text: &str| schedule.last_until(at(text), Duration::ZERO).unwrap();
        assert_eq!(last(due), at(due), "{expression} in {timezone}");
        let before = schedule.last_until(at(due).plus_millis(-1), Duration::ZERO);
        // The last vector is due in one year only.
        let Some(before) = before else { continue };
        assert!(before <= at(after), "{expression} in {timezone}: {before} is after {after}");
        let again = schedule.next_after(before, Duration::ZERO).unwrap();
        assert_eq!(again, at(due), "{expression} in {timezone}");
    }
}

#[test]
fn an_instant_between_two_seconds_misses_nothing() {
    let schedule = cron("0/5 * * * ? *", "UTC");
    let after = at("2026-11-24T10:04:59.999Z");
    let due = at("2026-11-24T10:05:00Z");
    assert_eq!(schedule.next_after(after, Duration::ZERO), Some(due));
    assert_eq!(schedule.last_until(due.plus_millis(1), Duration::ZERO), Some(due));
    assert_eq!(schedule.next_after(due, Duration::ZERO), Some(at("2026-11-24T10:10:00Z")));
}

#[test]
fn a_clock_that_is_put_back_a_second_does_not_move_slots() {
    let schedule = cron("0 0 * * ? *", "UTC");
    let due = at("2016-12-31T00:00:00Z");
    for millis in [-1000, -1] {
        assert_eq!(schedule.next_after(due.plus_millis(millis), Duration::ZERO), Some(due));
    }
}

#[test]
fn a_rate_keeps_its_slots_and_its_phase() {
    let schedule = Schedule::parse("rate(5 minutes)", "UTC").unwrap();
    let phase = Duration::from_secs(17);
    let mut slot = schedule.next_after(at("2026-11-24T10:00:00Z"), phase).unwrap();
    assert_eq!(slot, at("2026-11-24T10:00:17Z"));
    for _ in 0..1000 {
        let next = schedule.next_after(slot, phase).unwrap();
        assert_eq!(next.millis_since(slot), 300_000);
        assert_eq!(schedule.last_until(next.plus_millis(-1), phase), Some(slot));
        slot = next;
    }
    let before_epoch = schedule.next_after(at("1969-12-31T23:59:00Z"), Duration::ZERO);
    assert_eq!(before_epoch, Some(Timestamp::EPOCH));
    assert_eq!(schedule.next_after(Timestamp::MAX, Duration::ZERO), None);
}

#[test]
fn a_phase_is_stable_and_spread() {
    let spread = Duration::from_secs(60);
    assert_eq!(stable_phase("shop", spread), stable_phase("shop", spread));
    assert_eq!(stable_phase("shop", Duration::ZERO), Duration::ZERO);
    let mut seconds = [0_u32; 60];
    for n in 0..6000 {
        let phase = stable_phase(&format!("canary-{n}"), spread);
        seconds[usize::try_from(phase.as_secs()).unwrap()] += 1;
    }
    assert!(seconds.iter().all(|count| (50..200).contains(count)), "{seconds:?}");
}

#[test]
fn a_rate_of_zero_is_a_single_run() {
    for text in ["rate(0 minute)", "rate(0 minutes)", "rate(0 hour)"] {
        assert!(Schedule::parse(text, "UTC").unwrap().is_once(), "{text}");
    }
}

#[test]
fn a_wrong_expression_says_which_part_is_wrong() {
    for (expression, part, problem) in [
        ("every minute", "every minute", "`every minute` is no schedule"),
        ("rate(5)", "5", "a rate is a number and a unit"),
        ("rate(five minutes)", "five", "`five` is no whole number"),
        ("rate(5 fortnights)", "fortnights", "`fortnights` is no unit of a rate"),
        ("rate(90 days)", "90 days", "a rate is at most 31 days"),
        ("cron(* * * *)", "* * * *", "a cron expression has six fields, this one has 4"),
        ("cron(60 * * * ? *)", "60", "`60` is no minute: 0 to 59"),
        ("cron(0 24 * * ? *)", "24", "`24` is no hour: 0 to 23"),
        ("cron(0 0 32 * ? *)", "32", "`32` is no day of month: 1 to 31"),
        ("cron(0 0 1 FOO ? *)", "FOO", "`FOO` is no month: 1 to 12 or JAN to DEC"),
        ("cron(0 0 ? * 8 *)", "8", "`8` is no day of week: 1 to 7 or SUN to SAT, 1 being Sunday"),
        ("cron(0 0 ? * ? *)", "?", "both day fields are `?`"),
        ("cron(0 0 1 * MON *)", "1", "day of month and day of week are both given"),
        ("cron(0 0 * * * *)", "*", "day of month and day of week are both given"),
        ("cron(0/0 * * * ? *)", "0/0", "a step of 0 goes nowhere"),
        ("cron(0 0 1W,15W * ? *)", "1W,15W", "`1W,15W` is no day of month"),
        ("cron(0 0 ? * MON#6 *)", "MON#6", "`MON#6` is no day of week"),
        ("cron(? * * * ? *)", "?", "`?` is no minute"),
        ("cron(@daily * * * ? *)", "@daily", "`@daily` is no minute"),
    ] {
        let fault = Schedule::parse(expression, "UTC").unwrap_err();
        assert_eq!((&expression[fault.range.clone()], &*fault.problem), (part, problem));
    }
    let fault = Schedule::parse("rate(1 minute)", "Mars/Olympus").unwrap_err();
    assert_eq!(fault.problem, "`Mars/Olympus` is no time zone");
}

#[test]
fn a_date_that_never_comes_has_no_next() {
    let schedule = cron("0 0 31 2 ? *", "UTC");
    assert_eq!(schedule.next_after(at("2026-01-01T00:00:00Z"), Duration::ZERO), None);
    let over = cron("0 0 1 1 ? 2020", "UTC");
    assert_eq!(over.next_after(at("2026-01-01T00:00:00Z"), Duration::ZERO), None);
    assert_eq!(over.last_until(Timestamp::MAX, Duration::ZERO), None);
}
