use chrono::{Datelike, Days, NaiveDate, Weekday};

/// A rule about days that the `cron` crate has no word for.
///
/// Source: EventBridge User Guide, "Cron expressions", wildcards `L`, `W` and `#`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayRule {
    /// The crate decides.
    Any,
    /// `L`, `L-3`: so many days before the last one of the month.
    FromLast(u32),
    /// `LW`: the last day of the month from Monday to Friday.
    LastWeekday,
    /// `15W`: the day from Monday to Friday nearest to a day, in the same month.
    NearestWeekday(u32),
    /// `6L`: the last such day of the month.
    LastOf(Weekday),
    /// `3#2`: the n-th such day of the month.
    NthOf(Weekday, u32),
}

impl DayRule {
    pub(super) fn holds(self, date: NaiveDate) -> bool {
        let last = days_in_month(date);
        match self {
            Self::Any => true,
            Self::FromLast(before) => date.day() + before == last,
            Self::LastWeekday => Some(date.day()) == nearest_weekday(date, last),
            Self::NearestWeekday(day) => Some(date.day()) == nearest_weekday(date, day),
            Self::LastOf(weekday) => date.weekday() == weekday && date.day() + 7 > last,
            Self::NthOf(weekday, nth) => {
                date.weekday() == weekday && (date.day() - 1) / 7 + 1 == nth
            }
        }
    }
}

fn days_in_month(date: NaiveDate) -> u32 {
    let first = date.with_day(1).unwrap_or(date);
    let next = first.checked_add_months(chrono::Months::new(1));
    next.and_then(|next| next.pred_opt()).map_or(31, |last| last.day())
}

/// The working day nearest to `day` in the month of `date`; it never leaves the month.
fn nearest_weekday(date: NaiveDate, day: u32) -> Option<u32> {
    let wanted = date.with_day(day)?;
    let moved = match wanted.weekday() {
        Weekday::Sat if day == 1 => wanted.checked_add_days(Days::new(2)),
        Weekday::Sat => wanted.pred_opt(),
        Weekday::Sun if day == days_in_month(date) => wanted.checked_sub_days(Days::new(2)),
        Weekday::Sun => wanted.succ_opt(),
        _ => Some(wanted),
    };
    moved.map(|moved| moved.day())
}

/// 1 to 7, 1 being Sunday, or a name.
pub(super) fn weekday(text: &str) -> Option<Weekday> {
    const NAMES: [(&str, Weekday); 7] = [
        ("SUN", Weekday::Sun),
        ("MON", Weekday::Mon),
        ("TUE", Weekday::Tue),
        ("WED", Weekday::Wed),
        ("THU", Weekday::Thu),
        ("FRI", Weekday::Fri),
        ("SAT", Weekday::Sat),
    ];
    let by_number = text.parse::<usize>().ok().and_then(|n| NAMES.get(n.checked_sub(1)?));
    let by_name = || NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    by_number.or_else(by_name).map(|(_, weekday)| *weekday)
}
