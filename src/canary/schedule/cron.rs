use std::ops::Range;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use cron::Schedule as CronFields;

use super::ScheduleFault;
use super::days::{DayRule, weekday};
use crate::time::Timestamp;

/// BOUND: of candidates looked at for one answer: a day that is passed over has 1440 minutes, and a
/// fifth Monday or a 29th of February may be years away.
const CANDIDATES_MAX: usize = 20_000;

const FIELDS: [&str; 6] = ["minute", "hour", "day of month", "month", "day of week", "year"];

/// The six fields of a cron expression.
#[derive(Clone, Debug)]
pub(super) struct Cron {
    fields: CronFields,
    days: DayRule,
}

impl Cron {
    /// Reads the inside of `cron(..)`, which stands at `offset` of the expression.
    pub(super) fn parse(inside: &str, offset: usize) -> Result<Self, ScheduleFault> {
        let words = words(inside, offset);
        let [minutes, hours, day_of_month, month, day_of_week, year] = words.as_slice() else {
            let problem = format!("a cron expression has six fields, this one has {}", words.len());
            let fault = ScheduleFault::new(problem, offset..offset + inside.len().max(1));
            return Err(fault.help("minutes hours day-of-month month day-of-week year"));
        };
        one_day_field(day_of_month, day_of_week)?;
        let days = match (month_day(day_of_month)?, week_day(day_of_week)?) {
            (DayRule::Any, rule) | (rule, _) => rule,
        };
        // A field that is ours is open to the crate.
        let plain = |word: &Word<'_>, ours: bool| {
            if ours || word.text == "?" { "*".to_owned() } else { word.text.to_owned() }
        };
        let by_month_day = matches!(
            days,
            DayRule::FromLast(_) | DayRule::LastWeekday | DayRule::NearestWeekday(_)
        );
        let by_week_day = matches!(days, DayRule::LastOf(_) | DayRule::NthOf(..));
        let of_week = if day_of_week.text.eq_ignore_ascii_case("L") {
            "7".to_owned()
        } else {
            plain(day_of_week, by_week_day)
        };
        let texts = [
            minutes.text.to_owned(),
            hours.text.to_owned(),
            plain(day_of_month, by_month_day),
            month.text.to_owned(),
            of_week,
            year.text.to_owned(),
        ];
        for (at, (word, text)) in words.iter().zip(&texts).enumerate() {
            check_field(at, word, text)?;
        }
        let fields = CronFields::from_str(&format!("0 {}", texts.join(" ")));
        let fields = fields.map_err(|_together| {
            ScheduleFault::new("these fields do not go together", offset..offset + inside.len())
        })?;
        Ok(Self { fields, days })
    }

    pub(super) fn next_after(&self, zone: Tz, after: Timestamp) -> Option<Timestamp> {
        let mut local = local(zone, after)?;
        for _ in 0..CANDIDATES_MAX {
            local = self.fields.after(&local.and_utc()).next()?.naive_utc();
            if !self.days.holds(local.date()) {
                local = local.date().and_hms_opt(23, 59, 59)?;
                continue;
            }
            // Skipped by the wall clock: no instant. Shown twice: the first one, which may be over.
            match zone.from_local_datetime(&local).earliest().map(instant) {
                Some(due) if due > after => return Some(due),
                _ => {}
            }
        }
        None
    }

    pub(super) fn last_until(&self, zone: Tz, at: Timestamp) -> Option<Timestamp> {
        let day = TimeDelta::days(1);
        let mut local = local(zone, at)?.checked_add_signed(TimeDelta::seconds(1))?;
        // Where the wall clock was put back of late, later readings of it may be earlier instants.
        let before = at.plus_millis(-day.num_milliseconds());
        if offset_at(zone, at) != offset_at(zone, before) {
            local = local.checked_add_signed(day)?;
        }
        for _ in 0..CANDIDATES_MAX {
            local = self.fields.after(&local.and_utc()).next_back()?.naive_utc();
            if !self.days.holds(local.date()) {
                local = local.date().and_hms_opt(0, 0, 0)?;
                continue;
            }
            match zone.from_local_datetime(&local).earliest().map(instant) {
                Some(due) if due <= at => return Some(due),
                _ => {}
            }
        }
        None
    }
}

fn local(zone: Tz, at: Timestamp) -> Option<NaiveDateTime> {
    let utc = DateTime::<Utc>::from_timestamp_millis(at.as_millis())?;
    Some(utc.with_timezone(&zone).naive_local())
}

fn offset_at(zone: Tz, at: Timestamp) -> Option<i32> {
    let utc = DateTime::<Utc>::from_timestamp_millis(at.as_millis())?;
    Some(utc.with_timezone(&zone).offset().fix().local_minus_utc())
}

fn instant(at: DateTime<Tz>) -> Timestamp {
    Timestamp::from_millis(at.timestamp_millis())
}

/// One field with its place in the expression.
struct Word<'e> {
    text: &'e str,
    range: Range<usize>,
}

impl Word<'_> {
    fn fault(&self, problem: impl Into<String>) -> ScheduleFault {
        ScheduleFault::new(problem, self.range.clone())
    }

    /// `?`, or everything: no choice of days.
    fn is_open(&self) -> bool {
        matches!(self.text, "?" | "*")
    }
}

fn words(inside: &str, offset: usize) -> Vec<Word<'_>> {
    let mut at = 0;
    let place = |text: &'_ str| {
        let found = inside.get(at..).and_then(|rest| rest.find(text)).unwrap_or(0);
        let start = at + found;
        at = start + text.len();
        start + offset..start + offset + text.len()
    };
    let ranges: Vec<_> = inside.split_whitespace().map(place).collect();
    inside.split_whitespace().zip(ranges).map(|(text, range)| Word { text, range }).collect()
}

/// Source: EventBridge User Guide: one of day of month and day of week is `?`.
fn one_day_field(month_day: &Word<'_>, week_day: &Word<'_>) -> Result<(), ScheduleFault> {
    let help = "one of the two day fields is `?`: `* ? `, `? MON-FRI`";
    match (month_day.text, week_day.text) {
        ("?", "?") => Err(week_day.fault("both day fields are `?`").help(help)),
        ("?", _) | (_, "?") => Ok(()),
        _ => {
            let which = if week_day.is_open() { week_day } else { month_day };
            Err(which.fault("day of month and day of week are both given").help(help))
        }
    }
}

fn month_day(word: &Word<'_>) -> Result<DayRule, ScheduleFault> {
    let text = word.text.to_ascii_uppercase();
    if !text.contains(['L', 'W']) {
        return Ok(DayRule::Any);
    }
    let day = |digits: &str| digits.parse::<u32>().ok().filter(|day| (1..=31).contains(day));
    let rule = match text.as_str() {
        "L" => Some(DayRule::FromLast(0)),
        "LW" | "WL" => Some(DayRule::LastWeekday),
        text => match (text.strip_prefix("L-"), text.strip_suffix('W')) {
            (Some(before), _) => day(before).filter(|before| *before <= 30).map(DayRule::FromLast),
            (None, Some(near)) => day(near).map(DayRule::NearestWeekday),
            (None, None) => None,
        },
    };
    rule.ok_or_else(|| {
        word.fault(format!("`{}` is no day of month", word.text))
            .help("L, L-3, LW and 15W stand alone, not in lists or ranges")
    })
}

fn week_day(word: &Word<'_>) -> Result<DayRule, ScheduleFault> {
    let text = word.text;
    let rule = if let Some((day, nth)) = text.split_once('#') {
        let nth = nth.parse::<u32>().ok().filter(|nth| (1..=5).contains(nth));
        weekday(day).zip(nth).map(|(day, nth)| DayRule::NthOf(day, nth))
    } else if let Some(day) = text.strip_suffix(['L', 'l']) {
        // `L` alone is Saturday.
        if day.is_empty() { Some(DayRule::Any) } else { weekday(day).map(DayRule::LastOf) }
    } else {
        Some(DayRule::Any)
    };
    rule.ok_or_else(|| {
        word.fault(format!("`{text}` is no day of week"))
            .help("FRIL is the last Friday, TUE#2 the second Tuesday of a month")
    })
}

/// Has the crate read one field alone, to know which one is at fault.
fn check_field(at: usize, word: &Word<'_>, text: &str) -> Result<(), ScheduleFault> {
    let name = FIELDS.get(at).copied().unwrap_or("field");
    let mut alone = ["*"; 6];
    if let Some(slot) = alone.get_mut(at) {
        *slot = text;
    }
    let is_day = matches!(at, 2 | 4);
    let known = |c: char| c.is_ascii_alphanumeric() || "*,-/".contains(c);
    if (text.contains('?') && !is_day) || !text.chars().all(known) {
        return Err(word.fault(format!("`{}` is no {name}", word.text)));
    }
    if text.split(['/', ',']).skip(1).any(|part| part == "0") && text.contains("/0") {
        return Err(word.fault("a step of 0 goes nowhere"));
    }
    CronFields::from_str(&format!("0 {}", alone.join(" "))).map(|_fields| ()).map_err(|_fault| {
        let range = ["0 to 59", "0 to 23", "1 to 31", "1 to 12 or JAN to DEC"];
        let more = ["1 to 7 or SUN to SAT, 1 being Sunday", "1970 to 2100"];
        let range = range.iter().chain(&more).nth(at).copied().unwrap_or("");
        word.fault(format!("`{}` is no {name}: {range}", word.text))
    })
}
