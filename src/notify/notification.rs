use std::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alarm::StateValue;
use crate::canary::report::Verdict;
use crate::diagnostic::printable;
use crate::time::Timestamp;

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotificationKind {
    /// The alarm's condition holds.
    Alarm,
    /// It does not hold any more.
    Resolved,
    /// Nobody knows: datapoints are missing.
    Unknown,
    /// It still holds; somebody should remember.
    Reminder,
}

impl NotificationKind {
    /// The kind that tells of a transition to `state`.
    pub const fn of(state: StateValue) -> Self {
        match state {
            StateValue::Alarm => Self::Alarm,
            StateValue::Ok => Self::Resolved,
            StateValue::InsufficientData => Self::Unknown,
        }
    }

    /// The word that a message begins with.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Alarm => "ALARM",
            Self::Resolved => "RESOLVED",
            Self::Unknown => "NO DATA",
            Self::Reminder => "STILL ALARM",
        }
    }
}

/// What a person needs at night: what, since when, which step, whose fault, what was expected and
/// what came, and where to look.
///
/// Serialised, it is the body of a plain webhook and the standard input of a command. Every text
/// has its secrets redacted by whoever made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Version of this form; 1.
    pub version: u32,
    /// Equal in every retry of one notification, different from every other.
    pub key: Arc<str>,
    /// Names the trouble over its whole life, so that a receiver can join alarm and resolution.
    pub incident: Arc<str>,
    /// What it is about.
    pub kind: NotificationKind,
    /// The alarm's name.
    pub alarm: Arc<str>,
    /// Its ARN.
    pub alarm_arn: Arc<str>,
    /// What the alarm is for.
    pub description: Option<Arc<str>>,
    /// The state before.
    pub previous: StateValue,
    /// The state now.
    pub state: StateValue,
    /// Why, in CloudWatch's words.
    pub reason: Arc<str>,
    /// When the state changed.
    pub at: Timestamp,
    /// How often the state changed since the last message without being told, because the alarm's
    /// least time between two messages was not over.
    #[serde(default)]
    pub held: u32,
    /// Since when the trouble lasts: for a resolution, when it began.
    pub since: Timestamp,
    /// The canary, when the alarm is on one.
    pub canary: Option<Arc<str>>,
    /// Its last failed run.
    pub run: Option<FailedRun>,
    /// When the canary's last good run started.
    pub last_good_run: Option<Timestamp>,
    /// Where to look.
    pub link: Option<Arc<str>>,
}

/// The run that a notification points to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailedRun {
    /// The run.
    pub id: Arc<str>,
    /// When it started.
    pub started: Timestamp,
    /// The step that failed; `None` when the run failed as a whole.
    pub step: Option<Arc<str>>,
    /// Whose fault it is.
    pub verdict: Verdict,
    /// One line: `status is 500, expected 200`.
    pub message: String,
    /// The first assertion that did not hold.
    pub check: Option<FailedCheck>,
    /// `file:line:column` of the step.
    pub location: Option<String>,
    /// Where the picture taken at the failure can be seen.
    pub picture: Option<Arc<str>>,
}

/// An assertion that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCheck {
    /// What was looked at.
    pub subject: String,
    /// What should have been.
    pub expected: String,
    /// What was.
    pub actual: String,
}

/// So many changes that were not told make an alarm flap.
const FLAPPING_MIN: u32 = 3;
/// A long answer of a target does not belong in a message.
const VALUE_CHARACTERS_MAX: usize = 300;

impl Notification {
    /// One line that says it all: `ALARM: shop, step "log in": status is 500, expected 200`.
    pub fn headline(&self) -> String {
        let subject = self.canary.as_ref().unwrap_or(&self.alarm);
        let flapping = if self.is_flapping() { " (flapping)" } else { "" };
        let mut line = format!("{}{flapping}: {}", self.kind.word(), shown(subject));
        if self.kind == NotificationKind::Resolved {
            // Writing to a String cannot fail.
            write!(line, " after {}", lasted(self.at.millis_since(self.since))).unwrap_or(());
            return line;
        }
        if let Some(run) = &self.run {
            if let Some(step) = &run.step {
                write!(line, ", step \"{}\"", shown(step)).unwrap_or(());
            }
            write!(line, ": {}", shown(&run.message)).unwrap_or(());
        }
        line
    }

    /// Whether the alarm goes to and fro faster than it may be told.
    pub const fn is_flapping(&self) -> bool {
        self.held >= FLAPPING_MIN
    }

    /// The facts beside the headline, in the order a person asks for them.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = Vec::new();
        let mut fact = |name, value: String| facts.push((name, value));
        fact("since", self.since.to_string());
        if self.held > 0 {
            fact("not told", format!("{} changes since the last message", self.held));
        }
        if let Some(run) = &self.run {
            if let Some(step) = &run.step {
                fact("step", shown(step));
            }
            fact("verdict", run.verdict.as_str().to_owned());
            if let Some(check) = &run.check {
                fact("looked at", shown(&check.subject));
                fact("expected", shown(&check.expected));
                fact("actual", shown(&check.actual));
            }
            fact("run", shown(&run.id));
            if let Some(location) = &run.location {
                fact("at", shown(location));
            }
        }
        if let Some(good) = self.last_good_run {
            fact("last good run", good.to_string());
        }
        fact("alarm", shown(&self.alarm));
        fact("reason", shown(&self.reason));
        facts
    }

    /// The whole message as plain text.
    pub fn text(&self) -> String {
        let facts = self.facts();
        let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = self.headline();
        text.push('\n');
        for (name, value) in facts {
            writeln!(text, "  {name:width$}  {value}").unwrap_or(());
        }
        if let Some(link) = &self.link {
            writeln!(text, "  {:width$}  {link}", "look").unwrap_or(());
        }
        text
    }
}

/// A text of unknown origin made fit for a message: one line, nothing that steers, not too long.
fn shown(text: &str) -> String {
    let line = printable(text).replace(['\n', '\t'], " ");
    match line.char_indices().nth(VALUE_CHARACTERS_MAX) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or("")),
        None => line,
    }
}

/// `45 s`, `12 min`, `3 h 5 min`.
fn lasted(millis: i64) -> String {
    let seconds = millis.max(0) / 1_000;
    match (seconds / 3_600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
impl Notification {
    /// The shop's login answers 500.
    pub(crate) fn example() -> Self {
        Self {
            version: 1,
            key: "0123456789abcdef0123456789abcdef".into(),
            incident: "shop-down".into(),
            kind: NotificationKind::Alarm,
            alarm: "Synthetics-Alarm-shop-1".into(),
            alarm_arn: "arn:aws:cloudwatch:us-east-1:123456789012:alarm:Synthetics-Alarm-shop-1"
                .into(),
            description: Some("SuccessPercent < 100".into()),
            previous: StateValue::Ok,
            state: StateValue::Alarm,
            reason: "Threshold Crossed: 1 out of the last 1 datapoints".into(),
            at: Timestamp::from_secs(1_700_000_000),
            held: 0,
            since: Timestamp::from_secs(1_700_000_000),
            canary: Some("shop".into()),
            run: Some(FailedRun {
                id: "7f3a".into(),
                started: Timestamp::from_secs(1_699_999_999),
                step: Some("log in".into()),
                verdict: Verdict::Target,
                message: "status is 500, expected 200".into(),
                check: Some(FailedCheck {
                    subject: "status".into(),
                    expected: "equals 200".into(),
                    actual: "500".into(),
                }),
                location: Some("canaries/shop.yaml:12:5".into()),
                picture: None,
            }),
            last_good_run: Some(Timestamp::from_secs(1_699_999_900)),
            link: Some("http://127.0.0.1:4586/canaries/shop".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_what_a_person_needs() {
        assert_eq!(
            Notification::example().text(),
            "\
ALARM: shop, step \"log in\": status is 500, expected 200
  since          2023-11-14T22:13:20Z
  step           log in
  verdict        target
  looked at      status
  expected       equals 200
  actual         500
  run            7f3a
  at             canaries/shop.yaml:12:5
  last good run  2023-11-14T22:11:40Z
  alarm          Synthetics-Alarm-shop-1
  reason         Threshold Crossed: 1 out of the last 1 datapoints
  look           http://127.0.0.1:4586/canaries/shop
"
        );
    }

    #[test]
    fn a_resolution_says_how_long_it_lasted() {
        let mut notification = Notification::example();
        notification.kind = NotificationKind::Resolved;
        for (seconds, expected) in [
            (45, "RESOLVED: shop after 45 s"),
            (720, "RESOLVED: shop after 12 min"),
            (11_100, "RESOLVED: shop after 3 h 5 min"),
        ] {
            notification.at = notification.since.plus_millis(seconds * 1_000);
            assert_eq!(notification.headline(), expected);
        }
    }

    #[test]
    fn an_alarm_that_flaps_says_so_and_how_often() {
        let mut notification = Notification { held: 2, ..Notification::example() };
        assert!(notification.headline().starts_with("ALARM: shop"));
        notification.held = 7;
        assert!(notification.headline().starts_with("ALARM (flapping): shop"));
        let told = ("not told", "7 changes since the last message".to_owned());
        assert!(notification.facts().contains(&told));
        notification.kind = NotificationKind::Reminder;
        notification.held = 0;
        assert!(notification.headline().starts_with("STILL ALARM: shop"));
    }

    #[test]
    fn what_a_target_answers_cannot_steer_or_flood_a_message() {
        let mut notification = Notification::example();
        let run = notification.run.as_mut().unwrap();
        run.message = format!("a\u{1b}[31m\nb{}", "x".repeat(10_000));
        let headline = notification.headline();
        assert!(headline.contains("a\\u{1b}[31m b"), "{headline}");
        assert!(headline.chars().count() < 400);
    }
}
