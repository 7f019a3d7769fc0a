use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AlarmFault, StateValue, Tag};
use crate::time::Timestamp;

/// What AWS's alarms lack: how often people are told of one.
///
/// It stands in tags, which any AWS client can set and every definition keeps: `coalmine:dwell`
/// and `coalmine:remind`, with values such as `5m` and `1h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlarmCare {
    /// After a message so long nothing is told; what changed meanwhile is told at its end.
    pub dwell: Option<Duration>,
    /// While the alarm stays in ALARM, people are reminded this often.
    pub remind: Option<Duration>,
}

/// What people were told of an alarm last; kept for alarms with an [`AlarmCare`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The state they were told of.
    pub state: StateValue,
    /// When.
    pub at: Timestamp,
    /// How many changes since then were not told.
    #[serde(default)]
    pub held: u32,
}

/// A message that is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// How many changes were held back since the last message.
    pub held: u32,
    /// When it was due, of a message that tells of no change but that the alarm still stands.
    pub reminds_at: Option<Timestamp>,
}

/// The tag with the least time between two messages.
pub const DWELL_TAG: &str = "coalmine:dwell";
/// The tag with the time between two reminders.
pub const REMIND_TAG: &str = "coalmine:remind";

const LEAST: Duration = Duration::from_secs(10);
const MOST: Duration = Duration::from_secs(7 * 86_400);

impl AlarmCare {
    /// What an alarm's tags ask for.
    ///
    /// Errors: a value that is no duration between 10 s and 7 d; nothing is guessed.
    pub fn of_tags(tags: &[Tag]) -> Result<Self, AlarmFault> {
        let asked = |key: &'static str| {
            let tag = tags.iter().find(|tag| *tag.key == *key);
            tag.map(|tag| {
                let fault = || AlarmFault::Care { tag: key, value: Arc::clone(&tag.value) };
                duration(&tag.value).ok_or_else(fault)
            })
            .transpose()
        };
        Ok(Self { dwell: asked(DWELL_TAG)?, remind: asked(REMIND_TAG)? })
    }

    /// The tags that ask for it.
    pub fn tags(self) -> Vec<Tag> {
        let tag = |key: &str, asked: Option<Duration>| {
            let value = format!("{}s", asked?.as_secs()).into();
            Some(Tag { key: key.into(), value })
        };
        [tag(DWELL_TAG, self.dwell), tag(REMIND_TAG, self.remind)].into_iter().flatten().collect()
    }

    /// Whether it asks for anything.
    pub const fn is_some(self) -> bool {
        self.dwell.is_some() || self.remind.is_some()
    }

    /// Actions of a state are due: whether they are done now, and what people know then.
    ///
    /// What was never told of trouble is told at once and starts no dwell: the first OK of a new
    /// alarm must not hold back the first page.
    pub fn due(
        self,
        told: Option<Told>,
        to: StateValue,
        at: Timestamp,
    ) -> (Option<Told>, Option<Message>) {
        let news = Message { held: told.map_or(0, |told| told.held), reminds_at: None };
        match told {
            _ if !self.is_some() => (None, Some(Message::default())),
            None if to != StateValue::Alarm => (None, Some(news)),
            Some(told) if at < self.dwell_ends(told) => {
                (Some(Told { held: told.held.saturating_add(1), ..told }), None)
            }
            _ => (Some(Told { state: to, at, held: 0 }), Some(news)),
        }
    }

    /// Looks whether time alone makes a message due: the dwell is over and the state is not the
    /// one that people know, or a reminder is.
    pub fn look(self, told: Told, state: StateValue, at: Timestamp) -> Option<(Told, Message)> {
        if at < self.dwell_ends(told) {
            return None;
        }
        if state != told.state {
            let message = Message { held: told.held, reminds_at: None };
            return (told.held > 0).then_some((Told { state, at, held: 0 }, message));
        }
        let reminds = self.remind.is_some_and(|remind| at >= told.at.plus(remind));
        let message = Message { held: told.held, reminds_at: Some(at) };
        (reminds && state == StateValue::Alarm).then_some((Told { at, held: 0, ..told }, message))
    }

    fn dwell_ends(self, told: Told) -> Timestamp {
        told.at.plus(self.dwell.unwrap_or_default())
    }
}

/// Reads `30s`, `5m`, `1h` or `2d`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let width = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(width)?;
    Some(Duration::from_secs(seconds)).filter(|found| (LEAST..=MOST).contains(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: StateValue = StateValue::Ok;
    const ALARM: StateValue = StateValue::Alarm;

    fn care(dwell: &str, remind: &str) -> AlarmCare {
        AlarmCare { dwell: duration(dwell), remind: duration(remind) }
    }

    /// Plays changes, looking every ten seconds: what was told when, `!` for a reminder.
    fn play(care: AlarmCare, changes: &[(i64, StateValue)], until: i64) -> Vec<String> {
        let (mut state, mut told, mut messages) = (OK, None, Vec::new());
        let mut say = |second: i64, state: StateValue, message: Message| {
            let mark = if message.reminds_at.is_some() { "!" } else { "" };
            messages.push(format!("{second} {state}{mark} +{}", message.held));
        };
        for second in 0..=until {
            let at = Timestamp::from_secs(second);
            for (_, to) in changes.iter().filter(|(when, _)| *when == second) {
                state = *to;
                let (after, message) = care.due(told, state, at);
                told = after;
                message.into_iter().for_each(|message| say(second, state, message));
            }
            if let Some(known) = told.filter(|_| second % 10 == 0)
                && let Some((after, message)) = care.look(known, state, at)
            {
                told = Some(after);
                say(second, state, message);
            }
        }
        messages
    }

    #[test]
    fn without_care_every_change_is_told() {
        let changes = [(1, ALARM), (2, OK), (3, ALARM)];
        let told = play(AlarmCare::default(), &changes, 100);
        assert_eq!(told, ["1 ALARM +0", "2 OK +0", "3 ALARM +0"]);
    }

    #[test]
    fn a_flapping_alarm_is_told_at_once_and_then_once_a_dwell() {
        let changes: Vec<_> =
            (0..7).map(|n| (1 + n * 5, if n % 2 == 0 { ALARM } else { OK })).collect();
        // It ends in ALARM, which people know already: no news.
        assert_eq!(play(care("1m", ""), &changes, 200), ["1 ALARM +0"]);
        let changes = [changes, vec![(40, OK)]].concat();
        assert_eq!(play(care("1m", ""), &changes, 200), ["1 ALARM +0", "70 OK +7"]);
    }

    #[test]
    fn an_alarm_that_stands_is_reminded_of_until_it_is_over() {
        let told = play(care("", "1m"), &[(5, ALARM), (150, OK)], 400);
        assert_eq!(told, ["5 ALARM +0", "70 ALARM! +0", "130 ALARM! +0", "150 OK +0"]);
    }

    #[test]
    fn the_first_ok_holds_no_page_back() {
        let told = play(care("5m", ""), &[(1, OK), (2, ALARM)], 20);
        assert_eq!(told, ["1 OK +0", "2 ALARM +0"]);
    }

    /// T25: at most one message a dwell, and every change is told of or counted.
    #[test]
    fn random_flapping_is_told_at_most_once_a_dwell_and_counted_exactly() {
        let mut random = fastrand::Rng::with_seed(25);
        for _ in 0..200 {
            let care = AlarmCare { dwell: Some(Duration::from_secs(60)), remind: None };
            let (mut state, mut told) = (OK, None);
            let (mut changes, mut spoken, mut counted) = (0, Vec::new(), 0);
            for second in 0..2_000 {
                let at = Timestamp::from_secs(second);
                let mut message = None;
                if random.f64() < 0.1 {
                    state = if state == OK { ALARM } else { OK };
                    changes += 1;
                    (told, message) = care.due(told, state, at);
                } else if let Some(known) = told {
                    let looked = care.look(known, state, at);
                    if let Some((after, found)) = looked {
                        // What is told late was counted when it was held.
                        (told, message) = (Some(after), Some(found));
                        counted -= 1;
                    }
                }
                if let Some(message) = message {
                    spoken.push(second);
                    counted += message.held + 1;
                }
            }
            assert!(spoken.windows(2).all(|pair| pair[1] - pair[0] >= 60), "{spoken:?}");
            assert_eq!(counted + told.map_or(0, |told| told.held), changes);
        }
    }

    #[test]
    fn a_tag_that_is_no_duration_is_refused() {
        let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
        let good = AlarmCare::of_tags(&[tag(DWELL_TAG, "90s"), tag(REMIND_TAG, "2h")]).unwrap();
        assert_eq!(good, care("90s", "2h"));
        assert_eq!(AlarmCare::of_tags(&good.tags()).unwrap(), good);
        assert!(!AlarmCare::of_tags(&[tag("team", "web")]).unwrap().is_some());
        for bad in ["", "5", "m", "5x", "1s", "8d", "-5m", "99999999999999999999h"] {
            let fault = AlarmCare::of_tags(&[tag(DWELL_TAG, bad)]).unwrap_err().to_string();
            assert!(fault.contains("coalmine:dwell"), "{fault}");
        }
    }
}
