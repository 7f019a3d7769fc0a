use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::alarm::Tag;
use crate::canary::schedule::{Schedule, ScheduleFault};
use crate::telemetry::Scope;
use crate::time::{TimeRange, Timestamp};

/// Holds the actions of alarms while a window of its schedule is open.
///
/// Source: CloudWatch API Reference, `PutAlarmMuteRule`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PutMuteRule", into = "PutMuteRule")]
pub struct AlarmMuteRule {
    input: PutMuteRule,
    opens: Opens,
    lasts: Duration,
}

/// What a mute rule is made of, and how it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutMuteRule {
    /// Its name.
    pub name: Arc<str>,
    /// What it is for.
    pub description: Option<Arc<str>>,
    /// `cron(..)` of five fields, or `at(2026-11-24T02:00)`.
    pub expression: Arc<str>,
    /// How long each window is: `PT2H`.
    pub duration: Arc<str>,
    /// The IANA name of the expression's time zone; absent for UTC.
    pub timezone: Option<Arc<str>>,
    /// The alarms whose actions it holds.
    pub alarms: Vec<Arc<str>>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// No window opens before.
    pub start: Option<Timestamp>,
    /// No window is open from then on.
    pub expire: Option<Timestamp>,
    /// When it was last written.
    pub updated: Timestamp,
}

/// When windows open.
#[derive(Clone, Debug)]
enum Opens {
    Once(Timestamp),
    Again(Box<Schedule>),
}

impl PartialEq for Opens {
    /// They are made from the input, which is compared.
    fn eq(&self, other: &Self) -> bool {
        matches!(self, Self::Once(_)) == matches!(other, Self::Once(_))
    }
}

impl Eq for Opens {}

/// Why a text makes no mute rule.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MuteFault {
    /// An expression of neither form.
    #[error("schedule expression is not valid: {problem} ({expression})")]
    Expression {
        /// The expression.
        expression: Arc<str>,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An expression with a field that no schedule takes, or a time zone that nobody knows.
    #[error("schedule expression is not valid: {} ({expression})", .fault.problem)]
    Schedule {
        /// The expression.
        expression: Arc<str>,
        /// What is wrong with it.
        fault: ScheduleFault,
    },
    /// The duration.
    #[error("a duration is ISO 8601 and lies between PT1M and P15D: {0}")]
    Duration(Arc<str>),
    /// It would expire before it starts.
    #[error("a mute rule expires after it starts")]
    Expires,
    /// It would mute alarms that are not there.
    #[error("alarms [{}] do not exist", .0.join(", "))]
    NoSuchTargets(Vec<Arc<str>>),
}

/// Whether a rule mutes now, will, or never will again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MuteStatus {
    /// Not now.
    Scheduled,
    /// A window is open.
    Active,
    /// No window will open any more.
    Expired,
}

const DURATION_MAX: Duration = Duration::from_secs(15 * 86_400);
const MINUTE: Duration = Duration::from_secs(60);

impl AlarmMuteRule {
    /// What it was made from.
    pub const fn input(&self) -> &PutMuteRule {
        &self.input
    }

    /// The same rule with other tags.
    #[must_use]
    pub fn with_tags(mut self, tags: Vec<Tag>) -> Self {
        self.input.tags = tags;
        self
    }

    /// Whether windows open again and again.
    pub const fn is_recurring(&self) -> bool {
        matches!(self.opens, Opens::Again(_))
    }

    /// Its ARN.
    pub fn arn(&self, scope: &Scope) -> String {
        scope.arn("cloudwatch", format_args!("alarm-mute-rule:{}", self.input.name))
    }

    /// The window that is open at `at`.
    ///
    /// Differs: AWS does not say what becomes of a window that is open when the rule expires; it
    /// ends then.
    pub fn window(&self, at: Timestamp) -> Option<TimeRange> {
        let (start, expire) = (self.input.start, self.input.expire);
        let opened = match &self.opens {
            Opens::Once(opens) => Some(*opens).filter(|opens| *opens <= at),
            Opens::Again(schedule) => schedule.last_until(at, Duration::ZERO),
        }?;
        let end = opened.plus(self.lasts);
        let end = expire.map_or(end, |expire| end.min(expire));
        let is_late_enough = start.is_none_or(|start| opened >= start);
        (is_late_enough && at < end).then(|| TimeRange::new(opened, end))
    }

    /// Where it stands at `at`.
    pub fn status(&self, at: Timestamp) -> MuteStatus {
        if self.window(at).is_some() {
            return MuteStatus::Active;
        }
        let has_expired = self.input.expire.is_some_and(|expire| at >= expire);
        let is_over = match &self.opens {
            Opens::Once(opens) => at >= opens.plus(self.lasts),
            Opens::Again(schedule) => schedule.next_after(at, Duration::ZERO).is_none(),
        };
        if has_expired || is_over { MuteStatus::Expired } else { MuteStatus::Scheduled }
    }

    /// Whether it holds the actions of an alarm while it is active.
    pub fn targets(&self, alarm: &str) -> bool {
        self.input.alarms.iter().any(|target| **target == *alarm)
    }
}

impl TryFrom<PutMuteRule> for AlarmMuteRule {
    type Error = MuteFault;

    fn try_from(input: PutMuteRule) -> Result<Self, MuteFault> {
        if let (Some(start), Some(expire)) = (input.start, input.expire)
            && expire <= start
        {
            return Err(MuteFault::Expires);
        }
        let lasts = iso_duration(&input.duration).filter(|d| (MINUTE..=DURATION_MAX).contains(d));
        let lasts = lasts.ok_or_else(|| MuteFault::Duration(Arc::clone(&input.duration)))?;
        let opens = opens(&input.expression, input.timezone.as_deref().unwrap_or("UTC"))?;
        Ok(Self { input, opens, lasts })
    }
}

impl From<AlarmMuteRule> for PutMuteRule {
    fn from(rule: AlarmMuteRule) -> Self {
        rule.input
    }
}

/// Reads `cron(minute hour day-of-month month day-of-week)` or `at(yyyy-MM-ddThh:mm)`.
///
/// Differs: days of the week are names only. Which number AWS starts the week with here is not
/// published, and a window on the wrong day would hold a page that somebody waits for.
fn opens(expression: &Arc<str>, timezone: &str) -> Result<Opens, MuteFault> {
    let fault = |problem| MuteFault::Expression { expression: Arc::clone(expression), problem };
    let inside = |prefix: &str| expression.strip_prefix(prefix)?.strip_suffix(')');
    let schedule = |six: &str| {
        let read = Schedule::parse(&format!("cron({six})"), timezone);
        read.map_err(|fault| MuteFault::Schedule { expression: Arc::clone(expression), fault })
    };
    if let Some(instant) = inside("at(") {
        let numbers: Vec<&str> = instant.split(['-', 'T', ':']).collect();
        let [year, month, day, hour, minute] = numbers.as_slice() else {
            return Err(fault("write at(yyyy-MM-ddThh:mm)"));
        };
        let once = schedule(&format!("{minute} {hour} {day} {month} ? {year}"))?;
        let opens = once.next_after(Timestamp::EPOCH.plus_millis(-1), Duration::ZERO);
        return opens.map(Opens::Once).ok_or_else(|| fault("there is no such instant"));
    }
    let Some(fields) = inside("cron(") else {
        return Err(fault("write cron(..) of five fields, or at(yyyy-MM-ddThh:mm)"));
    };
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err(fault("a cron of mute rules has five fields"));
    };
    if weekday.chars().any(|c| c.is_ascii_digit()) {
        return Err(fault("write days of the week by name, such as MON-FRI"));
    }
    let (day, weekday) = match (*day, *weekday) {
        (day, "*" | "?") => (day.replace('?', "*"), "?".to_owned()),
        ("*" | "?", weekday) => ("?".to_owned(), weekday.to_owned()),
        _ => return Err(fault("give a day of the month or a day of the week, not both")),
    };
    schedule(&format!("{minute} {hour} {day} {month} {weekday} *"))
        .map(|schedule| Opens::Again(Box::new(schedule)))
}

/// Reads `P1DT2H30M`: days, hours and minutes, which is what AWS takes.
fn iso_duration(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix('P').filter(|rest| !rest.is_empty() && !rest.ends_with('T'))?;
    let (days, times) = rest.split_once('T').unwrap_or((rest, ""));
    let mut seconds: u64 = 0;
    for (mut part, units) in [(days, &[('D', 86_400)][..]), (times, &[('H', 3_600), ('M', 60)])] {
        for (unit, width) in units {
            if let Some((number, after)) = part.split_once(*unit) {
                seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(*width)?)?;
                part = after;
            }
        }
        if !part.is_empty() {
            return None;
        }
    }
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(expression: &str, duration: &str) -> Result<AlarmMuteRule, MuteFault> {
        AlarmMuteRule::try_from(PutMuteRule {
            name: "night".into(),
            expression: expression.into(),
            duration: duration.into(),
            timezone: Some("Europe/Berlin".into()),
            alarms: vec!["slow".into()],
            ..PutMuteRule::default()
        })
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    /// Windows keep their place on the wall clock when it is put forward, 29 March 2026.
    #[test]
    fn windows_open_by_the_wall_clock_of_their_time_zone() {
        let rule = rule("cron(30 3 * * *)", "PT2H").unwrap();
        for (instant, expected) in [
            ("2026-03-28T02:29:59Z", false),
            ("2026-03-28T02:30:00Z", true),
            ("2026-03-28T04:29:59Z", true),
            ("2026-03-28T04:30:00Z", false),
            ("2026-03-29T01:30:00Z", true),
            ("2026-03-29T03:30:00Z", false),
        ] {
            assert_eq!(rule.window(at(instant)).is_some(), expected, "{instant}");
        }
        assert_eq!(rule.status(at("2026-03-28T03:00:00Z")), MuteStatus::Active);
        assert_eq!(rule.status(at("2026-03-28T05:00:00Z")), MuteStatus::Scheduled);
    }

    #[test]
    fn a_single_window_expires_and_bounds_hold() {
        let once = rule("at(2026-07-01T12:00)", "P1DT30M").unwrap();
        assert_eq!(once.status(at("2026-07-01T09:59:00Z")), MuteStatus::Scheduled);
        assert_eq!(once.status(at("2026-07-01T10:00:00Z")), MuteStatus::Active);
        assert_eq!(once.status(at("2026-07-02T10:30:00Z")), MuteStatus::Expired);
        let mut input = rule("cron(0 2 * * SUN)", "PT1H").unwrap().input().clone();
        input.expire = Some(at("2026-07-05T00:30:00Z"));
        let sundays = AlarmMuteRule::try_from(input).unwrap();
        // A Sunday at 2 in Berlin is midnight in UTC; the rule expires in its middle.
        assert!(sundays.window(at("2026-07-05T00:29:00Z")).is_some());
        assert_eq!(sundays.status(at("2026-07-05T00:30:00Z")), MuteStatus::Expired);
    }

    #[test]
    fn a_rule_that_would_mute_at_another_time_than_meant_is_refused() {
        for (expression, duration, fault) in [
            ("cron(0 2 * * 1)", "PT1H", "by name"),
            ("cron(0 2 1 * SUN)", "PT1H", "not both"),
            ("cron(0 2 * * ? *)", "PT1H", "five fields"),
            ("rate(1 hour)", "PT1H", "write cron"),
            ("at(2026-02-30T00:00)", "PT1H", ""),
            ("cron(0 2 * * *)", "PT30S", "PT1M and P15D"),
            ("cron(0 2 * * *)", "P16D", "PT1M and P15D"),
        ] {
            let found = rule(expression, duration).unwrap_err().to_string();
            assert!(found.contains(fault), "{expression} {duration}: {found}");
        }
    }

    #[test]
    fn a_rule_is_stored_as_what_it_was_made_from() {
        let rule = rule("cron(0 2 ? * MON-FRI)", "PT1H").unwrap();
        let stored = serde_json::to_string(&rule).unwrap();
        assert_eq!(serde_json::from_str::<AlarmMuteRule>(&stored).unwrap(), rule);
    }
}
