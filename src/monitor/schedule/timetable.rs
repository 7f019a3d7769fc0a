use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::canary::schedule::{Schedule, stable_phase};
use crate::time::{Clock, Monotonic, Timestamp};

/// Both clocks, read at one moment.
#[derive(Clone, Copy, Debug)]
pub(in crate::monitor) struct Reading {
    pub(in crate::monitor) wall: Timestamp,
    pub(in crate::monitor) monotonic: Monotonic,
}

impl Reading {
    pub(in crate::monitor) fn of(clock: &dyn Clock) -> Self {
        Self { wall: clock.now(), monotonic: clock.monotonic() }
    }
}

/// When a canary runs.
#[derive(Clone, Debug)]
pub(in crate::monitor) enum Timing {
    /// At fixed intervals; steps of the wall clock do not matter.
    Every(Duration),
    /// At the instants of a calendar.
    Calendar(Arc<Schedule>),
    /// Once, when it is new.
    Once,
}

impl From<&Schedule> for Timing {
    fn from(schedule: &Schedule) -> Self {
        match schedule.period() {
            Some(period) => Self::Every(period),
            None if schedule.is_once() => Self::Once,
            None => Self::Calendar(Arc::new(schedule.clone())),
        }
    }
}

/// A canary's runs that are due now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::monitor) struct Due {
    pub(in crate::monitor) canary: Arc<str>,
    /// The slot to run; `None` when every due slot is too old to be caught up with.
    pub(in crate::monitor) slot: Option<Timestamp>,
    /// How long after its slot the run starts.
    pub(in crate::monitor) late: Duration,
    /// Slots that were due and are not run.
    pub(in crate::monitor) missed: u64,
}

/// Knows when every canary is due.
///
/// Start times are a pure function of schedule and name: `k * period + offset`, where the offset is
/// a stable hash of the name inside a tenth of the period, so that canaries with one schedule do
/// not start as one herd. Nothing drifts, since no start depends on when the last one happened.
#[derive(Debug)]
pub(in crate::monitor) struct Timetable {
    catch_up_within: Duration,
    entries: BTreeMap<EntryId, Entry>,
    ids: BTreeMap<Arc<str>, EntryId>,
    next_id: EntryId,
    by_monotonic: BTreeSet<(Monotonic, EntryId)>,
    by_wall: BTreeSet<(Timestamp, EntryId)>,
    last_look: Option<Reading>,
}

type EntryId = u64;

#[derive(Debug)]
struct Entry {
    canary: Arc<str>,
    timing: Timing,
    offset: Duration,
    next: Next,
    covered: Covered,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    At(Monotonic),
    /// The slot; it is due `offset` later.
    Slot(Timestamp),
    Never,
}

/// The wall clock is compared with the monotonic one at least this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A larger difference between the two clocks' progress is a step of the wall clock.
const STEP_MIN_MILLIS: i64 = 500;
/// Calendars spread their herd over a tenth of their finest grain, a minute.
const CALENDAR_SPREAD: Duration = Duration::from_secs(6);
/// BOUND: a day of minutes; more missed slots of a calendar are not told apart from so many.
const MISSED_COUNTED_MAX: u64 = 1_440;

impl Timetable {
    /// A timetable that catches up with a missed slot if it is not older than `catch_up_within`.
    pub(in crate::monitor) fn new(catch_up_within: Duration) -> Self {
        Self {
            catch_up_within,
            entries: BTreeMap::new(),
            ids: BTreeMap::new(),
            next_id: 0,
            by_monotonic: BTreeSet::new(),
            by_wall: BTreeSet::new(),
            last_look: None,
        }
    }

    /// Adds or replaces a canary, whose last run slot is `last`, and gives what it owes already.
    ///
    /// A canary that never ran starts at once if it runs at intervals; a calendar is waited for.
    pub(in crate::monitor) fn add(
        &mut self,
        canary: &Arc<str>,
        timing: Timing,
        last: Option<Timestamp>,
        now: Reading,
    ) -> Option<Due> {
        self.remove(canary);
        let spread = match &timing {
            Timing::Every(period) => *period / 10,
            Timing::Calendar(_) => CALENDAR_SPREAD,
            Timing::Once => Duration::ZERO,
        };
        let offset = stable_phase(canary, spread);
        let mut entry = Entry {
            canary: Arc::clone(canary),
            timing,
            offset,
            next: Next::Never,
            covered: Covered::default(),
        };
        if let Some(last) = last {
            entry.covered.add(last, last);
        }
        let owed = entry.start(last, now);
        let due = owed.map(|owed| entry.settle(&owed, now, self.catch_up_within));
        let id = self.next_id;
        self.next_id += 1;
        self.ids.insert(Arc::clone(canary), id);
        self.file(id, &entry);
        self.entries.insert(id, entry);
        due
    }

    /// Forgets a canary.
    pub(in crate::monitor) fn remove(&mut self, canary: &Arc<str>) {
        if let Some(id) = self.ids.remove(canary)
            && let Some(entry) = self.entries.remove(&id)
        {
            match entry.next {
                Next::At(at) => drop(self.by_monotonic.remove(&(at, id))),
                Next::Slot(slot) => drop(self.by_wall.remove(&(slot.plus(entry.offset), id))),
                Next::Never => {}
            }
        }
    }

    /// How long nothing is due.
    pub(in crate::monitor) fn wait(&self, now: Reading) -> Duration {
        let interval = self.by_monotonic.first().map(|(at, _)| at.since(now.monotonic));
        let calendar = self.by_wall.first().map(|(at, _)| {
            // A step of the wall clock must not be slept through.
            duration(at.millis_since(now.wall)).min(LOOK_EVERY)
        });
        let soonest = interval.into_iter().chain(calendar).min();
        soonest.unwrap_or(Duration::from_secs(3_600))
    }

    /// Takes everything that is due, at most one entry a canary.
    pub(in crate::monitor) fn take_due(&mut self, now: Reading) -> Vec<Due> {
        self.follow_steps(now);
        let mut due = Vec::new();
        while let Some(&(at, id)) = self.by_monotonic.first().filter(|(at, _)| *at <= now.monotonic)
        {
            self.by_monotonic.pop_first();
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            due.extend(entry.interval_due(at, now));
            let next = entry.next;
            self.file_next(id, next, Duration::ZERO);
        }
        while let Some(&(_, id)) = self.by_wall.first().filter(|(at, _)| *at <= now.wall) {
            self.by_wall.pop_first();
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            due.extend(entry.calendar_due(now, self.catch_up_within));
            let (next, offset) = (entry.next, entry.offset);
            self.file_next(id, next, offset);
        }
        due
    }

    /// Looks whether the wall clock was set back, and finds the calendars' next slots anew: those
    /// that were run already are not run again.
    fn follow_steps(&mut self, now: Reading) {
        let Some(last) = self.last_look.replace(now) else { return };
        let passed = millis(now.monotonic.since(last.monotonic));
        let step = now.wall.millis_since(last.wall).saturating_sub(passed);
        if step > -STEP_MIN_MILLIS {
            return;
        }
        for (_, id) in std::mem::take(&mut self.by_wall) {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            if let Timing::Calendar(calendar) = &entry.timing {
                entry.next = next_uncovered(calendar, &entry.covered, now.wall.minus(entry.offset));
            }
            let (next, offset) = (entry.next, entry.offset);
            self.file_next(id, next, offset);
        }
    }

    fn file(&mut self, id: EntryId, entry: &Entry) {
        self.file_next(id, entry.next, entry.offset);
    }

    fn file_next(&mut self, id: EntryId, next: Next, offset: Duration) {
        match next {
            Next::At(at) => drop(self.by_monotonic.insert((at, id))),
            Next::Slot(slot) => drop(self.by_wall.insert((slot.plus(offset), id))),
            Next::Never => {}
        }
    }
}

impl Entry {
    /// Finds the first slot to come, and gives the slots between `last` and now.
    fn start(&mut self, last: Option<Timestamp>, now: Reading) -> Option<Owed> {
        let until = now.wall.minus(self.offset);
        match &self.timing {
            Timing::Every(period) => {
                let period = millis(*period).max(1);
                let newest = newest_slot(until, period).plus(self.offset);
                let to_next = newest.plus_millis(period).millis_since(now.wall);
                self.next = Next::At(now.monotonic.plus(duration(to_next)));
                let Some(last) = last else {
                    return Some(Owed { slots: 1, newest: now.wall });
                };
                // A slot that was run with a little delay is still that slot.
                let slots = newest.millis_since(last.minus(self.offset)).div_euclid(period);
                let slots = u64::try_from(slots).ok().filter(|slots| *slots > 0)?;
                Some(Owed { slots, newest })
            }
            Timing::Calendar(calendar) => {
                let owed = last.and_then(|last| owed(calendar, last, until));
                let from = owed.as_ref().map_or(until, |owed| owed.newest);
                self.next = next_uncovered(calendar, &self.covered, from);
                owed
            }
            Timing::Once if last.is_none() => Some(Owed { slots: 1, newest: now.wall }),
            Timing::Once => None,
        }
    }

    fn interval_due(&mut self, at: Monotonic, now: Reading) -> Option<Due> {
        let Timing::Every(period) = self.timing else { return None };
        let behind = now.monotonic.since(at);
        let skipped = behind.as_nanos() / period.as_nanos().max(1);
        let skipped = u32::try_from(skipped).unwrap_or(u32::MAX);
        let late = behind.saturating_sub(period.saturating_mul(skipped));
        self.next = Next::At(at.plus(period.saturating_mul(skipped.saturating_add(1))));
        Some(Due {
            canary: Arc::clone(&self.canary),
            slot: Some(now.wall.minus(late)),
            late,
            missed: u64::from(skipped),
        })
    }

    fn calendar_due(&mut self, now: Reading, catch_up_within: Duration) -> Option<Due> {
        let (Timing::Calendar(calendar), Next::Slot(slot)) = (&self.timing, self.next) else {
            return None;
        };
        let calendar = Arc::clone(calendar);
        let owed = owed(&calendar, slot.plus_millis(-1), now.wall.minus(self.offset))?;
        // After a step forward into time that was lived through already, the newest slot was run.
        let is_new = self.covered.end_of(owed.newest).is_none();
        let due = is_new.then(|| self.settle(&owed, now, catch_up_within));
        self.next = next_uncovered(&calendar, &self.covered, owed.newest);
        due
    }

    /// Decides whether the newest owed slot is run, and notes it as run.
    fn settle(&mut self, owed: &Owed, now: Reading, catch_up_within: Duration) -> Due {
        let late = duration(now.wall.millis_since(owed.newest));
        let late = match self.timing {
            Timing::Every(_) | Timing::Once => late,
            Timing::Calendar(_) => late.saturating_sub(self.offset),
        };
        let run = late <= catch_up_within;
        if run {
            self.covered.add(owed.newest, owed.newest);
        }
        Due {
            canary: Arc::clone(&self.canary),
            slot: run.then_some(owed.newest),
            late: if run { late } else { Duration::ZERO },
            missed: owed.slots - u64::from(run),
        }
    }
}

/// The first slot after `from` that was not run.
fn next_uncovered(calendar: &Schedule, covered: &Covered, from: Timestamp) -> Next {
    let mut from = from;
    loop {
        match calendar.next_after(from, Duration::ZERO) {
            None => return Next::Never,
            Some(slot) => match covered.end_of(slot) {
                None => return Next::Slot(slot),
                Some(end) => from = end,
            },
        }
    }
}

/// Slots that should have been run by now.
#[derive(Debug)]
struct Owed {
    slots: u64,
    newest: Timestamp,
}

/// The slots of a calendar after `last` and up to `until`.
fn owed(calendar: &Schedule, last: Timestamp, until: Timestamp) -> Option<Owed> {
    let newest = calendar.last_until(until, Duration::ZERO).filter(|slot| *slot > last)?;
    let mut slots = 1;
    let mut slot = last;
    while slots < MISSED_COUNTED_MAX {
        match calendar.next_after(slot, Duration::ZERO).filter(|next| *next < newest) {
            Some(next) => (slot, slots) = (next, slots + 1),
            None => break,
        }
    }
    Some(Owed { slots, newest })
}

/// Stretches of wall time whose slots were run; a slot is run once, however the clock is set.
#[derive(Debug, Default)]
struct Covered(Vec<(Timestamp, Timestamp)>);

impl Covered {
    /// BOUND: of a clock that jumps for ever, the last so many stretches are remembered.
    const STRETCHES_MAX: usize = 1_024;
    /// Runs that follow each other this closely are one stretch.
    const JOINED_WITHIN: Duration = Duration::from_secs(90);

    fn add(&mut self, start: Timestamp, end: Timestamp) {
        match self.0.last_mut() {
            Some((_, last)) if *last <= start && start <= last.plus(Self::JOINED_WITHIN) => {
                *last = end;
            }
            _ => self.0.push((start, end)),
        }
        if self.0.len() > Self::STRETCHES_MAX {
            self.0.remove(0);
        }
    }

    /// The end of the stretch that `slot` lies in.
    fn end_of(&self, slot: Timestamp) -> Option<Timestamp> {
        let inside = |(start, end): &&(Timestamp, Timestamp)| *start <= slot && slot <= *end;
        self.0.iter().find(inside).map(|(_, end)| *end)
    }
}

/// The newest multiple of an interval that is not after `until`.
fn newest_slot(until: Timestamp, period_millis: i64) -> Timestamp {
    let slots = until.as_millis().div_euclid(period_millis);
    Timestamp::from_millis(slots.saturating_mul(period_millis))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn duration(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3_600);

    /// Two clocks that a test moves by hand; no runtime, no sleeping.
    struct Clocks {
        wall: Timestamp,
        start: tokio::time::Instant,
        passed: Duration,
    }

    impl Clocks {
        fn at(text: &str) -> Self {
            let wall = Timestamp::parse(text).unwrap();
            Self { wall, start: tokio::time::Instant::now(), passed: Duration::ZERO }
        }

        fn pass(&mut self, time: Duration) -> Reading {
            self.passed += time;
            self.wall = self.wall.plus(time);
            self.read()
        }

        fn step(&mut self, millis: i64) -> Reading {
            self.wall = self.wall.plus_millis(millis);
            self.read()
        }

        fn read(&self) -> Reading {
            Reading { wall: self.wall, monotonic: (self.start + self.passed).into() }
        }
    }

    fn every_minute() -> Timing {
        Timing::from(&Schedule::parse("cron(* * * * ? *)", "UTC").unwrap())
    }

    fn table() -> Timetable {
        Timetable::new(HOUR)
    }

    /// Lets time pass as the scheduler would, and gives every slot that was run.
    fn run_for(table: &mut Timetable, clocks: &mut Clocks, time: Duration) -> Vec<Timestamp> {
        let end = clocks.passed + time;
        let mut slots = Vec::new();
        while clocks.passed < end {
            let wait =
                table.wait(clocks.read()).clamp(Duration::from_millis(1), end - clocks.passed);
            let now = clocks.pass(wait);
            slots.extend(table.take_due(now).into_iter().filter_map(|due| due.slot));
        }
        slots
    }

    fn with_canaries(count: usize, clocks: &Clocks) -> Timetable {
        let mut table = table();
        for number in 0..count {
            let name: Arc<str> = format!("canary-{number}").into();
            table.add(&name, Timing::Every(MINUTE), Some(clocks.wall), clocks.read());
        }
        table
    }

    #[test]
    fn a_day_of_a_hundred_canaries_has_no_drift() {
        let mut clocks = Clocks::at("2026-01-01T00:00:00Z");
        let mut table = with_canaries(100, &clocks);
        let slots = run_for(&mut table, &mut clocks, 24 * HOUR);
        assert_eq!(slots.len(), 100 * 24 * 60);
        // Every slot is the same few milliseconds after its minute as in the first minute.
        let in_minute = |slots: &[Timestamp]| -> BTreeSet<i64> {
            slots.iter().map(|slot| slot.as_millis().rem_euclid(60_000)).collect()
        };
        assert_eq!(in_minute(&slots), in_minute(&slots[..100]));
    }

    #[test]
    fn a_thousand_canaries_of_one_minute_are_no_herd() {
        let mut clocks = Clocks::at("2026-01-01T00:00:00Z");
        let mut table = with_canaries(1_000, &clocks);
        let slots = run_for(&mut table, &mut clocks, MINUTE);
        let mut bins = [0; 6];
        for slot in &slots {
            bins[usize::try_from(slot.as_millis().rem_euclid(60_000) / 1_000).unwrap()] += 1;
        }
        assert_eq!(bins.iter().sum::<i32>(), 1_000);
        assert!(bins.iter().all(|count| *count < 2 * 1_000 / 6), "{bins:?}");
    }

    #[test]
    fn offsets_are_the_same_after_a_restart() {
        let clocks = Clocks::at("2026-01-01T00:00:30Z");
        let wait = || {
            let mut table = table();
            let last = Some(clocks.wall);
            table.add(&"shop".into(), Timing::Every(MINUTE), last, clocks.read());
            table.wait(clocks.read())
        };
        assert_eq!(wait(), wait());
    }

    #[test]
    fn a_new_interval_starts_at_once_and_a_new_calendar_waits() {
        let clocks = Clocks::at("2026-01-01T00:00:30Z");
        let mut table = table();
        let due = table.add(&"a".into(), Timing::Every(HOUR), None, clocks.read()).unwrap();
        assert_eq!((due.slot, due.missed), (Some(clocks.wall), 0));
        assert_eq!(table.add(&"b".into(), every_minute(), None, clocks.read()), None);
    }

    #[test]
    fn after_two_hours_down_one_slot_is_caught_up_with_and_the_rest_is_counted() {
        for timing in [Timing::Every(MINUTE), every_minute()] {
            let clocks = Clocks::at("2026-01-01T02:00:30Z");
            let last = Some(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
            let due = table().add(&"a".into(), timing.clone(), last, clocks.read()).unwrap();
            assert!(due.slot.is_some(), "{timing:?}");
            assert_eq!(due.missed, 119, "{timing:?}");
        }
    }

    #[test]
    fn a_slot_older_than_the_catch_up_window_is_only_counted() {
        let clocks = Clocks::at("2026-01-01T02:30:00Z");
        let last = Some(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
        let mut table = Timetable::new(Duration::from_secs(600));
        let due = table.add(&"a".into(), Timing::Every(HOUR), last, clocks.read()).unwrap();
        assert_eq!((due.slot, due.missed), (None, 2));
    }

    #[test]
    fn an_interval_does_not_notice_steps_of_the_wall_clock() {
        let mut clocks = Clocks::at("2026-01-01T00:00:30Z");
        let mut table = table();
        table.add(&"a".into(), Timing::Every(MINUTE), Some(clocks.wall), clocks.read());
        let mut runs = 0;
        for step in [1_000, -1_000, 3_600_000, -7_200_000, 315_360_000_000, -315_360_000_000] {
            clocks.step(step);
            runs += run_for(&mut table, &mut clocks, 10 * MINUTE).len();
        }
        assert_eq!(runs, 60);
    }

    #[test]
    fn a_step_forward_over_many_slots_of_a_calendar_is_one_catch_up() {
        let mut clocks = Clocks::at("2026-01-01T00:00:30Z");
        let mut table = table();
        table.add(&"a".into(), every_minute(), None, clocks.read());
        run_for(&mut table, &mut clocks, 5 * MINUTE);
        let now = clocks.step(30 * 60_000);
        let due = table.take_due(now);
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].missed + 1, 30);
        assert!(table.take_due(now).is_empty());
    }

    #[test]
    fn random_steps_of_the_wall_clock_never_run_a_slot_of_a_calendar_twice() {
        let mut clocks = Clocks::at("2026-01-01T00:00:30Z");
        let mut table = table();
        table.add(&"a".into(), every_minute(), None, clocks.read());
        let mut random = fastrand::Rng::with_seed(7);
        let mut slots = Vec::new();
        for _ in 0..500 {
            let seconds = [1, 60, 3_600, 86_400, 31_536_000][random.usize(..5)] * random.i64(1..10);
            clocks.step(if random.bool() { seconds } else { -seconds } * 1_000);
            slots.extend(run_for(&mut table, &mut clocks, 20 * MINUTE));
        }
        let distinct: BTreeSet<Timestamp> = slots.iter().copied().collect();
        assert_eq!(distinct.len(), slots.len());
        assert!(slots.len() > 500 * 10, "{} runs in 10,000 minutes", slots.len());
    }

    #[test]
    fn after_a_step_back_the_clock_is_followed_at_once() {
        let mut clocks = Clocks::at("2026-01-01T12:00:30Z");
        let mut table = table();
        table.add(&"a".into(), every_minute(), None, clocks.read());
        run_for(&mut table, &mut clocks, MINUTE);
        clocks.step(-86_400_000);
        assert_eq!(run_for(&mut table, &mut clocks, 10 * MINUTE).len(), 10);
    }
}
