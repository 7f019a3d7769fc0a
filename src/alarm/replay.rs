//! An alarm looked at again from every boundary of a long history.
//!
//! Main function: [`replay`]. It calls the very [`evaluate`] that a running monitor calls, over
//! windows cut from one [`Recording`]; nothing is interpolated and nothing is approximated.

use serde::{Deserialize, Serialize};

use super::{
    AlarmOrigin, AlarmState, ComparisonOperator, Datapoint, EvaluationWindow, MathPlan,
    MetricAlarm, StateValue, Watched, evaluate,
};
use crate::query::statistic::{Statistic, Summary};
use crate::time::{Period, TimeRange, Timestamp};

/// What is stored of everything that an alarm watches, cut into steps so fine that each window of
/// each evaluation is made of whole steps.
#[derive(Debug)]
pub struct Recording {
    first: Timestamp,
    grain: Period,
    tracks: Vec<Track>,
}

/// One metric's datapoints. At `k` stands the datapoint whose period ends at the start of step `k`.
#[derive(Debug)]
struct Track {
    points: Vec<Option<Datapoint>>,
    /// Whether step `k` itself has samples.
    sampled: Vec<bool>,
}

/// The width of a step: what both the alarm's period and its cadence are made of.
pub fn grain(alarm: &MetricAlarm) -> Period {
    let (mut a, mut b) = (alarm.period().as_secs(), alarm.cadence().as_secs());
    while b > 0 {
        (a, b) = (b, a % b);
    }
    Period::new(a).unwrap_or(Period::MINUTE)
}

/// The range to record so that evaluations all over `range` see whole windows.
pub fn recorded_range(alarm: &MetricAlarm, range: TimeRange) -> TimeRange {
    let cadence = alarm.cadence();
    let first = alarm.window(range.start).start;
    TimeRange::new(first, range.end.floor(cadence).plus(cadence.as_duration()))
}

impl Recording {
    /// Cuts what was read, each metric in steps of [`grain`] by their start, over
    /// [`recorded_range`].
    pub fn new(
        alarm: &MetricAlarm,
        plan: Option<&MathPlan>,
        recorded: TimeRange,
        read: Vec<Vec<(Timestamp, Summary)>>,
    ) -> Self {
        let grain = grain(alarm);
        let width = grain.as_millis();
        let steps = recorded.end.millis_since(recorded.start).max(0) / width;
        let count = usize::try_from(steps).unwrap_or(0);
        let cut = (recorded.start, grain, count);
        let ratio = usize::try_from(alarm.period().as_secs() / grain.as_secs()).unwrap_or(1);
        let tracks = match (&alarm.watched, plan) {
            (Watched::Metric(single), _) => read
                .into_iter()
                .map(|read| Track::of(cut, ratio, read, &single.statistic.statistic()))
                .collect(),
            (Watched::Queries { .. }, Some(plan)) => read
                .into_iter()
                .zip(plan.metrics())
                .map(|(read, planned)| Track::of(cut, ratio, read, &planned.statistic))
                .collect(),
            (Watched::Queries { .. }, None) => Vec::new(),
        };
        Self { first: recorded.start, grain, tracks }
    }

    /// How many periods of a metric, of those on the alarm's own grid, have a datapoint.
    fn datapoints(&self, period: Period) -> u64 {
        let ratio = usize::try_from(period.as_secs() / self.grain.as_secs()).unwrap_or(1).max(1);
        let has_point = |track: &Track| track.points.iter().step_by(ratio).flatten().count();
        self.tracks.iter().map(has_point).max().unwrap_or(0).try_into().unwrap_or(u64::MAX)
    }

    fn window(
        &self,
        alarm: &MetricAlarm,
        plan: Option<&MathPlan>,
        range: TimeRange,
    ) -> EvaluationWindow {
        let period = alarm.period();
        let point = |track: &Track, start: Timestamp| {
            track.points.get(self.step(start.plus(period.as_duration()))?).copied().flatten()
        };
        match (plan, self.tracks.as_slice()) {
            (None, [track]) => EvaluationWindow::fill(range, period, |at| point(track, at)),
            (Some(plan), tracks) => {
                let starts = || {
                    let next = |at: &Timestamp| Some(at.plus(period.as_duration()));
                    std::iter::successors(Some(range.start), next).take_while(|at| *at < range.end)
                };
                let series = |track: &Track| {
                    starts().filter_map(|at| Some((at, point(track, at)?.value))).collect()
                };
                plan.window(tracks.iter().map(series).collect(), (range, period))
            }
            (None, _) => EvaluationWindow::fill(range, period, |_at| None),
        }
    }

    /// Whether there are samples in `range`.
    fn is_sampled(&self, range: TimeRange) -> bool {
        let (Some(from), Some(to)) = (self.step(range.start), self.step(range.end)) else {
            return false;
        };
        self.tracks
            .iter()
            .any(|track| track.sampled.get(from..to).is_some_and(|steps| steps.contains(&true)))
    }

    fn step(&self, at: Timestamp) -> Option<usize> {
        usize::try_from(at.millis_since(self.first) / self.grain.as_millis()).ok()
    }
}

impl Track {
    fn of(
        (first, grain, count): (Timestamp, Period, usize),
        ratio: usize,
        read: Vec<(Timestamp, Summary)>,
        statistic: &Statistic,
    ) -> Self {
        let mut steps: Vec<Option<Summary>> = vec![None; count];
        for (at, mut summary) in read {
            if !statistic.is_extended() {
                // Nobody asks how the samples are spread, and without that they add up quickly.
                summary.distribution = None;
            }
            let step = usize::try_from(at.millis_since(first) / grain.as_millis()).ok();
            match step.and_then(|step| steps.get_mut(step)) {
                Some(Some(known)) => known.merge(&summary),
                Some(empty) => *empty = Some(summary),
                None => {}
            }
        }
        let sampled = steps.iter().map(Option::is_some).collect();
        let point =
            |summary: &Summary| Some(Datapoint::new(statistic.of(summary)?, summary.sample_count));
        let summed: Vec<Option<Summary>> = match (ratio, statistic.is_extended()) {
            (1, _) => steps,
            (_, false) => steps.windows(ratio).map(sum_of).collect(),
            (_, true) => sliding_sums(&steps, ratio),
        };
        // The first whole period ends `ratio` steps after the first one starts.
        let mut points = vec![None; ratio];
        points.extend(summed.iter().map(|summary| summary.as_ref().and_then(point)));
        Self { points, sampled }
    }
}

/// In the order of time, as a reader of the whole period adds them up.
fn sum_of(steps: &[Option<Summary>]) -> Option<Summary> {
    let mut there = steps.iter().flatten();
    let mut sum = there.next()?.clone();
    there.for_each(|next| sum.merge(next));
    Some(sum)
}

/// The sum of each run of `width` steps, with three additions a step whatever the width: a run is
/// the end of one block and the start of the next.
fn sliding_sums(steps: &[Option<Summary>], width: usize) -> Vec<Option<Summary>> {
    let joined = |earlier: &Option<Summary>, later: &Option<Summary>| match (earlier, later) {
        (Some(earlier), Some(later)) => {
            let mut sum = earlier.clone();
            sum.merge(later);
            Some(sum)
        }
        (one, other) => one.clone().or_else(|| other.clone()),
    };
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for block in steps.chunks(width) {
        let mut sum = None;
        for step in block {
            sum = joined(&sum, step);
            starts.push(sum.clone());
        }
        let mut sum = None;
        let from = ends.len();
        for step in block.iter().rev() {
            sum = joined(step, &sum);
            ends.push(sum.clone());
        }
        if let Some(block) = ends.get_mut(from..) {
            block.reverse();
        }
    }
    let runs = (steps.len() + 1).saturating_sub(width);
    let later = starts.iter().skip(width - 1);
    let sum = |(at, (end, start)): (usize, (&Option<Summary>, &Option<Summary>))| {
        if at % width == 0 { end.clone() } else { joined(end, start) }
    };
    ends.iter().zip(later).take(runs).enumerate().map(sum).collect()
}

/// What became of an alarm over a history.
#[derive(Debug, Default)]
pub struct Replay {
    /// Every change of its state, in order of time.
    pub flips: Vec<Flip>,
    /// How many times it was evaluated.
    pub evaluations: u64,
    /// How many periods had a datapoint.
    pub datapoints: u64,
}

/// One change of state.
#[derive(Clone, Debug, PartialEq)]
pub struct Flip {
    /// When.
    pub at: Timestamp,
    /// The state since then.
    pub to: StateValue,
    /// Why, as a notification would say.
    pub reason: String,
    /// The datapoint farthest on the wrong side while the state lasted.
    pub worst: Option<f64>,
}

/// Evaluates `alarm` at every boundary of its cadence in `range`, as `serve` would have.
///
/// Differs from a life at the time: samples that came late count from the start. An alarm of a
/// canary file, which counts a period as soon as it has a sample, sees all samples of that step at
/// the step's start, since the store keeps no finer time.
pub fn replay(
    alarm: &MetricAlarm,
    plan: Option<&MathPlan>,
    recording: &Recording,
    range: TimeRange,
) -> Replay {
    let cadence = alarm.cadence();
    let is_prompt = matches!(alarm.origin, AlarmOrigin::CanaryFile { .. });
    let mut replay =
        Replay { datapoints: recording.datapoints(alarm.period()), ..Replay::default() };
    let mut state = AlarmState::initial(range.start);
    let mut at = range.start.floor(cadence);
    while at < range.end {
        let whole = alarm.window(at);
        let prompt = alarm.prompt_window(at);
        let fresh = TimeRange::new(whole.end, prompt.end);
        let windows = [Some(whole), (is_prompt && recording.is_sampled(fresh)).then_some(prompt)];
        for looked_at in windows.into_iter().flatten() {
            let window = recording.window(alarm, plan, looked_at);
            let evaluation = evaluate(alarm, &window, state.value);
            replay.evaluations += 1;
            let reason = || (evaluation.reason(alarm, &window), None);
            if let Some(transition) = state.transition(evaluation.state, at, reason) {
                state = transition.to;
                let (to, reason) = (state.value, state.reason.to_string());
                replay.flips.push(Flip { at, to, reason, worst: None });
            }
            if let Some(flip) = replay.flips.last_mut() {
                let newest = window.newest_first().find_map(|(_, point)| point);
                flip.worst = worse(alarm, flip.worst, newest.map(|point| point.value));
            }
        }
        at = at.plus(cadence.as_duration());
    }
    replay
}

/// The one of two values that is farther on the wrong side.
fn worse(alarm: &MetricAlarm, one: Option<f64>, other: Option<f64>) -> Option<f64> {
    let (Some(a), Some(b)) = (one, other) else { return one.or(other) };
    Some(match alarm.comparison {
        ComparisonOperator::LessThanThreshold
        | ComparisonOperator::LessThanOrEqualToThreshold
        | ComparisonOperator::LessThanLowerThreshold => a.min(b),
        _ => a.max(b),
    })
}

/// One time that somebody would have been paged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// When.
    pub from: Timestamp,
    /// When the alarm left ALARM; `None` when it was still in ALARM at the end of the history.
    pub until: Option<Timestamp>,
    /// Whether it was worth getting up for.
    pub kind: PageKind,
    /// Why, as the notification says it.
    pub reason: String,
    /// The datapoint farthest on the wrong side; unknown for composites.
    pub worst: Option<f64>,
}

/// What a page was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageKind {
    /// The condition went on after somebody was paged.
    Lasting,
    /// It was over by itself before anybody could have done anything: no breach came after those
    /// that paged, so the alarm fell back in N - M + 1 periods, the least it can.
    Flake,
    /// Not over at the end of the history, or begun before its start.
    Open,
}

/// How soon an alarm falls back when no breach comes after those that raised it: a page that was
/// over by then is a flake.
pub fn flake_bound_secs(alarm: &MetricAlarm) -> u64 {
    let (n, m) = (alarm.evaluation_periods, alarm.datapoints_to_alarm());
    u64::from(n.saturating_sub(m) + 1) * u64::from(alarm.period().as_secs())
}

/// The pages among changes of state: each time in ALARM is one.
///
/// A time in ALARM that began before `range` is a page only if it reaches into it.
pub fn pages(flips: &[Flip], range: TimeRange, flake_bound_secs: u64) -> Vec<Page> {
    let ends = flips.iter().skip(1).map(|flip| Some(flip.at)).chain([None]);
    let in_alarm = flips.iter().zip(ends).filter(|(flip, _)| flip.to == StateValue::Alarm);
    let within = |(_, until): &(&Flip, Option<Timestamp>)| until.is_none_or(|u| u > range.start);
    let page = |(flip, until): (&Flip, Option<Timestamp>)| {
        let lasted = until.map(|until| until.millis_since(flip.at));
        let bound = i64::try_from(flake_bound_secs.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let kind = match lasted {
            _ if flip.at < range.start => PageKind::Open,
            None => PageKind::Open,
            Some(lasted) if lasted <= bound => PageKind::Flake,
            Some(_) => PageKind::Lasting,
        };
        let (from, reason) = (flip.at.max(range.start), flip.reason.clone());
        Page { from, until, kind, reason, worst: flip.worst }
    };
    in_alarm.filter(within).map(page).collect()
}
