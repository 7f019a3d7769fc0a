use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::telemetry::Scope;
use crate::time::Timestamp;

/// The baseline is the mean of so many minutes before.
///
/// Source: CloudTrail User Guide, "CloudTrail Insights event record fields": seven days.
const BASELINE_MINUTES_MAX: i64 = 7 * 24 * 60;
/// Before so many minutes are known nothing is unusual.
const BASELINE_MINUTES_MIN: i64 = 60;
/// Fewer calls a minute are never unusual.
const CALLS_MIN: f64 = 10.0;
/// How many times the baseline, and how many deviations over it, is unusual.
const RATIO: f64 = 3.0;
const DEVIATIONS: f64 = 3.0;
/// After so many quiet minutes it is over.
const QUIET_MINUTES: i64 = 5;
/// So many kinds of calls are counted.
const SERIES_MAX: usize = 2_000;

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) scope: Scope,
    pub(super) event_source: Arc<str>,
    pub(super) event_name: Arc<str>,
    /// Calls that failed so; without it, all that change something.
    pub(super) error_code: Option<Arc<str>>,
}

/// How many calls of each kind there were in each minute, and which minutes are unusual.
///
/// Differs: AWS does not publish its model. Here a minute is unusual that has at least ten calls,
/// three times its baseline, and lies three deviations above; the baseline begins with the process.
#[derive(Debug, Default)]
pub(super) struct Rates {
    series: HashMap<Kind, Series>,
    /// The minute in which counting began.
    begun: Option<i64>,
}

#[derive(Debug, Default)]
struct Series {
    /// Minutes with calls, oldest first.
    counts: VecDeque<(i64, u32)>,
    episode: Option<Episode>,
}

/// An unusual time that is not over.
#[derive(Clone, Debug)]
struct Episode {
    shared_id: String,
    first: i64,
    last: i64,
    calls: u64,
    baseline: f64,
    baseline_minutes: i64,
}

/// An unusual time began or ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Insight {
    pub(super) kind: Kind,
    pub(super) is_start: bool,
    /// The minute that it tells of.
    pub(super) at: Timestamp,
    /// The same for both ends.
    pub(super) shared_id: String,
    /// Calls a minute, before and then.
    pub(super) baseline: f64,
    pub(super) average: f64,
    /// Of how many minutes either is the mean.
    pub(super) baseline_minutes: i64,
    pub(super) minutes: i64,
}

impl Rates {
    /// Counts a call.
    pub(super) fn count(&mut self, kind: Kind, at: Timestamp) {
        let minute = minute_of(at);
        self.begun.get_or_insert(minute);
        // BOUND: further kinds of calls are not counted.
        if self.series.len() >= SERIES_MAX && !self.series.contains_key(&kind) {
            return;
        }
        let counts = &mut self.series.entry(kind).or_default().counts;
        match counts.back_mut() {
            Some((last, count)) if *last >= minute => *count = count.saturating_add(1),
            _ => counts.push_back((minute, 1)),
        }
    }

    /// What the minute before `now` was, once it is over; to be asked once a minute.
    pub(super) fn close(&mut self, now: Timestamp) -> Vec<Insight> {
        let minute = minute_of(now) - 1;
        let Some(begun) = self.begun else { return Vec::new() };
        let mut found = Vec::new();
        for (kind, series) in &mut self.series {
            found.extend(series.close(minute, begun).map(|insight| insight.of(kind.clone())));
        }
        self.series.retain(|_, series| !series.counts.is_empty() || series.episode.is_some());
        found
    }
}

struct Found {
    is_start: bool,
    at: i64,
    episode: Episode,
    average: f64,
    minutes: i64,
}

impl Found {
    fn of(self, kind: Kind) -> Insight {
        let Self { is_start, at, episode, average, minutes } = self;
        Insight {
            kind,
            is_start,
            at: Timestamp::from_secs(at.saturating_mul(60)),
            shared_id: episode.shared_id,
            baseline: episode.baseline,
            average,
            baseline_minutes: episode.baseline_minutes,
            minutes,
        }
    }
}

impl Series {
    fn close(&mut self, minute: i64, begun: i64) -> Option<Found> {
        let oldest = minute - BASELINE_MINUTES_MAX;
        while self.counts.front().is_some_and(|(at, _)| *at < oldest) {
            self.counts.pop_front();
        }
        let calls = self.counts.iter().rev().find(|(at, _)| *at <= minute);
        let calls = calls.filter(|(at, _)| *at == minute).map_or(0, |(_, count)| *count);
        if let Some(episode) = &mut self.episode {
            if is_unusual(f64::from(calls), episode.baseline, 0.0) {
                episode.last = minute;
                episode.calls += u64::from(calls);
                return None;
            }
            if minute - episode.last < QUIET_MINUTES {
                return None;
            }
            let episode = self.episode.take()?;
            let minutes = episode.last - episode.first + 1;
            #[expect(clippy::cast_precision_loss, reason = "a mean of counts needs no more")]
            let average = episode.calls as f64 / minutes as f64;
            let at = episode.last;
            return Some(Found { is_start: false, at, episode, average, minutes });
        }
        let baseline_minutes = minute - begun.max(oldest);
        if baseline_minutes < BASELINE_MINUTES_MIN {
            return None;
        }
        let (baseline, deviation) = self.baseline(minute, baseline_minutes);
        if !is_unusual(f64::from(calls), baseline, deviation) {
            return None;
        }
        let shared_id = uuid::Uuid::new_v4().to_string();
        let episode = Episode {
            shared_id,
            first: minute,
            last: minute,
            calls: u64::from(calls),
            baseline,
            baseline_minutes,
        };
        self.episode = Some(episode.clone());
        let average = f64::from(calls);
        Some(Found { is_start: true, at: minute, episode, average, minutes: 1 })
    }

    /// Mean and deviation of the minutes before one.
    fn baseline(&self, minute: i64, minutes: i64) -> (f64, f64) {
        let counts = self.counts.iter().filter(|(at, _)| *at < minute);
        let (mut sum, mut squares) = (0.0, 0.0);
        for (_, count) in counts {
            let count = f64::from(*count);
            sum += count;
            squares += count * count;
        }
        #[expect(clippy::cast_precision_loss, reason = "at most a week of minutes")]
        let minutes = minutes as f64;
        let mean = sum / minutes;
        (mean, (squares / minutes - mean * mean).max(0.0).sqrt())
    }
}

fn is_unusual(calls: f64, baseline: f64, deviation: f64) -> bool {
    calls >= CALLS_MIN && calls > baseline * RATIO && calls > baseline + deviation * DEVIATIONS
}

fn minute_of(at: Timestamp) -> i64 {
    at.as_secs().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind() -> Kind {
        Kind {
            scope: Scope::default(),
            event_source: "logs.amazonaws.com".into(),
            event_name: "CreateLogGroup".into(),
            error_code: None,
        }
    }

    /// Plays calls a minute, and gives what was found with the minute in which it was.
    fn play(calls: &[u32]) -> Vec<(usize, Insight)> {
        let mut rates = Rates::default();
        let mut found = Vec::new();
        for (minute, count) in calls.iter().enumerate() {
            let at = Timestamp::from_secs(i64::try_from(minute).unwrap() * 60);
            (0..*count).for_each(|_| rates.count(kind(), at));
            let closed = rates.close(at.plus_millis(60_000));
            found.extend(closed.into_iter().map(|insight| (minute, insight)));
        }
        found
    }

    #[test]
    fn a_burst_over_a_steady_rate_begins_once_and_ends_after_five_quiet_minutes() {
        let mut calls = vec![2; 100];
        calls.extend([40, 60, 50]);
        calls.extend(vec![2; 10]);
        let found = play(&calls);
        let [(began, start), (ended, end)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((*began, start.is_start, start.average), (100, true, 40.0));
        assert!((start.baseline - 2.0).abs() < 0.1, "{start:?}");
        assert_eq!((*ended, end.is_start, end.average, end.minutes), (107, false, 50.0, 3));
        assert_eq!(start.shared_id, end.shared_id);
        assert_eq!(end.at, Timestamp::from_secs(102 * 60));
    }

    #[test]
    fn few_calls_and_the_first_hour_are_never_unusual() {
        let mut few = vec![0; 100];
        few.push(9);
        assert_eq!(play(&few), []);
        let mut early = vec![1; 30];
        early.push(500);
        assert_eq!(play(&early), []);
        let mut wild = Vec::new();
        (0..100).for_each(|minute| wild.push(if minute % 2 == 0 { 40 } else { 0 }));
        assert_eq!(play(&wild), []);
    }
}
