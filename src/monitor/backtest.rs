//! Alarms replayed over what the store has: when would they have paged?
//!
//! Main function: [`backtest`]. Windows are judged by [`crate::alarm::replay`], and composites by
//! the very pass that a running monitor makes. Nothing is changed and nobody is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::alarms::{AlarmBook, AlarmHandle, AlarmKey, Pass, Reader};
use super::{AlarmCondition, AlarmDefinition, AlarmSnapshot};
use crate::alarm::replay::{
    Flip, Page, PageKind, Recording, Replay, flake_bound_secs, grain, pages, recorded_range, replay,
};
use crate::alarm::{
    AlarmFault, AlarmState, CompositeAlarm, EditFault, MathPlan, MetricAlarm, StateValue, Watched,
};
use crate::query::statistic::Summary;
use crate::store::{ReadError, Store};
use crate::telemetry::{MetricId, Scope, StandardUnit};
use crate::time::{Period, TimeRange, Timestamp};

/// Why an alarm could not be replayed.
#[derive(Debug, Error)]
pub enum BacktestError {
    /// The settings to compare with are wrong.
    #[error(transparent)]
    Edit(#[from] EditFault),
    /// Its expression cannot be computed here.
    #[error(transparent)]
    Queries(AlarmFault),
    /// The store has nothing of what it watches.
    #[error("nothing of what {name} watches is stored between these times")]
    NoData {
        /// The alarm.
        name: Arc<str>,
    },
    /// A composite mentions an alarm that is not there.
    #[error("{name} mentions {child}, which is not there")]
    NoSuchChild {
        /// The composite.
        name: Arc<str>,
        /// What it mentions.
        child: Arc<str>,
    },
    /// Composites that mention each other.
    #[error("{name} mentions itself, through others")]
    Cycle {
        /// One of them.
        name: Arc<str>,
    },
    /// The store cannot be read.
    #[error("the history cannot be read")]
    Read(#[from] ReadError),
}

/// What would have happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backtest {
    /// The alarm's name.
    pub alarm: Arc<str>,
    /// What was asked for.
    pub asked: TimeRange,
    /// What was replayed: it begins with the first datapoint that is fine enough.
    pub replayed: TimeRange,
    /// Whether there is older data, but only in coarser steps than the alarm's.
    pub coarse_before: bool,
    /// The alarm as it is.
    pub original: Outcome,
    /// The alarm as it might be.
    pub changed: Option<Outcome>,
}

/// What one version of an alarm would have done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its condition in one line.
    pub condition: String,
    /// What was changed; empty for the alarm as it is.
    pub settings: Vec<String>,
    /// The times somebody would have been paged, oldest first.
    pub pages: Vec<Page>,
    /// How many of them were flakes: over by themselves before anybody could act.
    pub flakes: usize,
    /// How soon a page must be over to be a flake.
    pub flake_bound_secs: u64,
    /// Times in ALARM whose actions a suppressor held throughout.
    pub suppressed: usize,
    /// How long it was in ALARM.
    pub alarm_secs: i64,
    /// How long it had INSUFFICIENT_DATA.
    pub unknown_secs: i64,
    /// How many times it was evaluated.
    pub evaluations: u64,
    /// How many periods had a datapoint.
    pub datapoints: u64,
}

/// An alarm, and what to compare it with.
#[derive(Clone, Debug)]
pub struct BacktestRequest {
    /// The alarm.
    pub alarm: AlarmDefinition,
    /// Settings to change in the other version, by their names in the API.
    pub settings: Vec<(String, String)>,
    /// Over which time.
    pub range: TimeRange,
}

/// Replays an alarm, and a changed version of it if there are settings, over what is stored.
///
/// Errors: `NoData` rather than a verdict over nothing; `Edit` for settings AWS would refuse.
/// Cancel safety: yes; reads only.
pub async fn backtest(
    store: &Store,
    alarms: &AlarmHandle,
    scope: &Scope,
    request: &BacktestRequest,
) -> Result<Backtest, BacktestError> {
    let bench = Bench { store, alarms, scope };
    let name = Arc::clone(request.alarm.as_ref().name());
    let changed = match (&request.alarm, request.settings.as_slice()) {
        (_, []) => None,
        (AlarmDefinition::Metric(alarm), settings) => {
            Some(AlarmDefinition::Metric(Arc::new(alarm.edited(settings)?)))
        }
        (AlarmDefinition::Composite(alarm), settings) => {
            Some(AlarmDefinition::Composite(Arc::new(alarm.edited(settings)?)))
        }
    };
    let span = bench.span(&request.alarm, request.range).await?;
    let span = span.ok_or(BacktestError::NoData { name: Arc::clone(&name) })?;
    let original = bench.outcome(&request.alarm, span).await?;
    let changed = match changed {
        Some(alarm) => {
            let setting = |(name, value): &(String, String)| format!("{name}={value}");
            let settings = request.settings.iter().map(setting).collect();
            Some(Outcome { settings, ..bench.outcome(&alarm, span).await? })
        }
        None => None,
    };
    let (replayed, coarse_before) = (span.range, span.coarse_before);
    Ok(Backtest { alarm: name, asked: request.range, replayed, coarse_before, original, changed })
}

/// Where replays are made.
struct Bench<'a> {
    store: &'a Store,
    alarms: &'a AlarmHandle,
    scope: &'a Scope,
}

/// What of a range can be replayed.
#[derive(Clone, Copy)]
struct Span {
    range: TimeRange,
    coarse_before: bool,
    begins: Begins,
}

/// What comes before a range.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begins {
    /// More data.
    Amidst,
    /// Nothing that an alarm could look at.
    WithFirstDatapoint,
}

impl Bench<'_> {
    async fn outcome(&self, alarm: &AlarmDefinition, span: Span) -> Result<Outcome, BacktestError> {
        let range = span.range;
        match alarm {
            AlarmDefinition::Metric(alarm) => {
                let replay = self.metric(alarm, span).await?;
                let bound = flake_bound_secs(alarm);
                let outcome = Outcome { condition: alarm.in_words(), ..Outcome::default() };
                Ok(outcome.of(&replay, pages(&replay.flips, range, bound), (range, bound)))
            }
            AlarmDefinition::Composite(alarm) => self.composite(alarm, span).await,
        }
    }

    /// Evaluations begin before the range, so that it begins with a state that means something; or,
    /// where nothing is stored before it, once there can be N datapoints.
    async fn metric(&self, alarm: &MetricAlarm, span: Span) -> Result<Replay, BacktestError> {
        let range = span.range;
        let from = match span.begins {
            Begins::Amidst => alarm.window(range.start).start,
            Begins::WithFirstDatapoint => {
                range.start.plus(alarm.period().as_duration() * alarm.evaluation_periods)
            }
        };
        let warm = TimeRange::new(from.min(range.end), range.end);
        let plan = plan(alarm)?;
        let recorded = recorded_range(alarm, warm);
        let mut read = Vec::new();
        for (metric, unit) in watched(alarm, plan.as_ref()) {
            read.push(self.read(&metric, unit, (grain(alarm), recorded)).await?);
        }
        let recording = Recording::new(alarm, plan.as_ref(), recorded, read);
        Ok(replay(alarm, plan.as_ref(), &recording, warm))
    }

    async fn read(
        &self,
        metric: &MetricId,
        unit: Option<StandardUnit>,
        (period, range): (Period, TimeRange),
    ) -> Result<Vec<(Timestamp, Summary)>, ReadError> {
        let reader = Reader { store: self.store, scope: self.scope, period };
        Ok(reader.summaries(metric, unit, range).await?.into_iter().collect())
    }

    /// Cuts a range to where data of every step is; before the first datapoint an alarm could only
    /// tell of a metric that did not exist yet.
    async fn span(
        &self,
        alarm: &AlarmDefinition,
        range: TimeRange,
    ) -> Result<Option<Span>, BacktestError> {
        let mut first: Option<Timestamp> = None;
        let mut coarse = false;
        for alarm in self.metric_alarms(alarm)? {
            let plan = plan(&alarm)?;
            let grain = grain(&alarm);
            let before = alarm.window(range.start).start.floor(Period::HOUR);
            let whole = TimeRange::new(before, range.end);
            for (metric, unit) in watched(&alarm, plan.as_ref()) {
                let fine = self.read(&metric, unit, (grain, whole)).await?;
                let fine = fine.first().map(|(at, _)| *at);
                let hourly = self.read(&metric, unit, (Period::HOUR, whole)).await?;
                let hourly = hourly.first().map(|(at, _)| *at);
                coarse |= match (hourly, fine) {
                    (Some(hourly), Some(fine)) => hourly < fine.floor(Period::HOUR),
                    (hourly, None) => hourly.is_some(),
                    (None, Some(_)) => false,
                };
                first = first.into_iter().chain(fine).min();
            }
        }
        let Some(first) = first else { return Ok(None) };
        let start = first.max(range.start);
        let begins = if first >= range.start { Begins::WithFirstDatapoint } else { Begins::Amidst };
        let range = TimeRange::new(start, range.end.max(start));
        Ok(Some(Span { range, coarse_before: coarse, begins }))
    }

    /// The metric alarms that an alarm rests on: itself, or those below it.
    fn metric_alarms(
        &self,
        alarm: &AlarmDefinition,
    ) -> Result<Vec<Arc<MetricAlarm>>, BacktestError> {
        match alarm {
            AlarmDefinition::Metric(alarm) => Ok(vec![Arc::clone(alarm)]),
            AlarmDefinition::Composite(top) => {
                let below = self.below(top)?.into_values();
                Ok(below
                    .filter_map(|definition| match definition {
                        AlarmDefinition::Metric(alarm) => Some(alarm),
                        AlarmDefinition::Composite(_) => None,
                    })
                    .collect())
            }
        }
    }

    /// Everything that a composite rests on, by name.
    fn below(
        &self,
        top: &CompositeAlarm,
    ) -> Result<BTreeMap<Arc<str>, AlarmDefinition>, BacktestError> {
        let mut found = BTreeMap::new();
        let mut waiting = vec![top.clone()];
        while let Some(composite) = waiting.pop() {
            let suppressor = composite.suppressor.iter().map(|s| Arc::clone(&s.alarm));
            for child in composite.rule.alarms().into_iter().chain(suppressor) {
                if child == top.name {
                    return Err(BacktestError::Cycle { name: child });
                }
                if found.contains_key(&child) {
                    continue;
                }
                let name = Arc::clone(&composite.name);
                let known = self.alarms.get(self.scope, &child);
                let known =
                    known.ok_or(BacktestError::NoSuchChild { name, child: Arc::clone(&child) })?;
                if let AlarmDefinition::Composite(composite) = &known.definition {
                    waiting.push((**composite).clone());
                }
                found.insert(child, known.definition.clone());
            }
        }
        Ok(found)
    }

    async fn composite(
        &self,
        top: &Arc<CompositeAlarm>,
        span: Span,
    ) -> Result<Outcome, BacktestError> {
        let range = span.range;
        let mut stage = Stage::new(self.scope);
        let (mut evaluations, mut datapoints, mut bound) = (0, 0, 0);
        let mut flips: Vec<(Timestamp, Arc<str>, Flip)> = Vec::new();
        for (name, definition) in self.below(top)? {
            if let AlarmDefinition::Metric(alarm) = &definition {
                let replay = self.metric(alarm, span).await?;
                evaluations += replay.evaluations;
                datapoints += replay.datapoints;
                bound = bound.max(flake_bound_secs(alarm));
                flips.extend(replay.flips.into_iter().map(|f| (f.at, Arc::clone(&name), f)));
            }
            stage.put(definition);
        }
        stage.put(AlarmDefinition::Composite(Arc::clone(top)));
        flips.sort_by_key(|(at, ..)| *at);
        stage.begin(flips.first().map_or(range.start, |(at, ..)| *at));
        for (at, child, flip) in flips {
            stage.timers(at);
            stage.flip(&child, &flip);
        }
        stage.timers(range.end);
        let of_top = stage.of(&top.name);
        let replay = Replay { flips: of_top.flips, evaluations, datapoints };
        let mut paged = pages(&replay.flips, range, bound);
        let in_alarm = paged.len();
        // Somebody is paged when the actions are done, not when the state changes.
        paged.retain_mut(|page| {
            let until = page.until.unwrap_or(range.end);
            let acted = of_top.acted.iter().find(|at| **at >= page.from && **at <= until);
            match acted {
                Some(at) => page.from = *at,
                None => return page.kind == PageKind::Open && page.from == range.start,
            }
            true
        });
        let suppressed = in_alarm - paged.len();
        let condition = top.rule.text().to_owned();
        let outcome = Outcome { condition, suppressed, ..Outcome::default() };
        Ok(outcome.of(&replay, paged, (range, bound)))
    }
}

impl Outcome {
    fn of(self, replay: &Replay, pages: Vec<Page>, (range, bound): (TimeRange, u64)) -> Self {
        let flakes = pages.iter().filter(|page| page.kind == PageKind::Flake).count();
        Self {
            flakes,
            flake_bound_secs: bound,
            alarm_secs: secs_in(&replay.flips, StateValue::Alarm, range),
            unknown_secs: secs_in(&replay.flips, StateValue::InsufficientData, range),
            evaluations: replay.evaluations,
            datapoints: replay.datapoints,
            pages,
            ..self
        }
    }
}

/// How long a state held inside `range`.
fn secs_in(flips: &[Flip], state: StateValue, range: TimeRange) -> i64 {
    let first = Flip {
        at: range.start,
        to: StateValue::InsufficientData,
        reason: String::new(),
        worst: None,
    };
    let begins = std::iter::once(&first).chain(flips);
    let ends = flips.iter().map(|flip| flip.at).chain([range.end]);
    let held = begins.zip(ends).filter(|(flip, _)| flip.to == state);
    let inside = |(flip, until): (&Flip, Timestamp)| {
        until.min(range.end).millis_since(flip.at.max(range.start)).max(0)
    };
    held.map(inside).sum::<i64>() / 1_000
}

fn plan(alarm: &MetricAlarm) -> Result<Option<MathPlan>, BacktestError> {
    match &alarm.watched {
        Watched::Queries { queries, period } => {
            let planned = MathPlan::of(queries, *period).map(Some);
            planned.map_err(|fault| BacktestError::Queries(AlarmFault::Queries(fault)))
        }
        Watched::Metric(_) => Ok(None),
    }
}

fn watched(alarm: &MetricAlarm, plan: Option<&MathPlan>) -> Vec<(MetricId, Option<StandardUnit>)> {
    match (&alarm.watched, plan) {
        (Watched::Metric(single), _) => vec![(single.metric.clone(), single.unit)],
        (Watched::Queries { .. }, plan) => {
            let metrics = plan.map(MathPlan::metrics).unwrap_or_default();
            metrics.iter().map(|planned| (planned.metric.clone(), planned.unit)).collect()
        }
    }
}

/// Alarms as a running monitor has them, with a clock that is told what time it is.
struct Stage {
    scope: Scope,
    book: AlarmBook,
    seen: BTreeMap<Arc<str>, Seen>,
}

/// What became of one composite.
#[derive(Clone, Default)]
struct Seen {
    flips: Vec<Flip>,
    /// When actions of ALARM were done.
    acted: Vec<Timestamp>,
}

impl Stage {
    fn new(scope: &Scope) -> Self {
        Self { scope: scope.clone(), book: AlarmBook::default(), seen: BTreeMap::new() }
    }

    fn put(&mut self, definition: AlarmDefinition) {
        let state = AlarmState::initial(Timestamp::EPOCH);
        let condition = AlarmCondition::free(state);
        self.book.put(&self.scope, AlarmSnapshot { definition, condition });
    }

    fn key(&self, name: &Arc<str>) -> AlarmKey {
        (self.scope.clone(), Arc::clone(name))
    }

    /// Looks at every composite once, as a monitor does when one is put.
    fn begin(&mut self, at: Timestamp) {
        let scope = self.scope.clone();
        let names = |snapshot: &Arc<AlarmSnapshot>| Arc::clone(snapshot.alarm().name());
        let names: Vec<Arc<str>> = self.book.of_scope(&scope).map(names).collect();
        for name in names {
            let key = self.key(&name);
            self.pass(at, |pass| pass.definition(&key, "replayed"));
        }
    }

    fn flip(&mut self, child: &Arc<str>, flip: &Flip) {
        let key = self.key(child);
        let Some(known) = self.book.get(&key) else { return };
        let reason = || (flip.reason.clone(), None);
        let Some(transition) = known.condition.state.transition(flip.to, flip.at, reason) else {
            return;
        };
        self.pass(flip.at, |pass| pass.transition(&key, transition));
    }

    /// Lets every timer of a suppressor that is over by `until` go off, in its own time.
    fn timers(&mut self, until: Timestamp) {
        while let Some((at, key)) = self.book.next_timer().filter(|(at, _)| *at <= until) {
            self.pass(at, |pass| pass.suppressor(&key));
        }
    }

    fn pass(&mut self, at: Timestamp, work: impl FnOnce(&mut Pass<'_>)) {
        let changes = {
            let mut pass = Pass::new(&self.book, at);
            work(&mut pass);
            pass.into_changes()
        };
        for change in changes {
            let seen = self.seen.entry(Arc::clone(&change.key.1)).or_default();
            let (to, reason) = (change.condition.state.value, &change.condition.state.reason);
            if change.transition.is_some() {
                seen.flips.push(Flip { at, to, reason: reason.to_string(), worst: None });
            }
            if change.actions.is_some() && to == StateValue::Alarm {
                seen.acted.push(at);
            }
            self.book.set_condition(&change.key, change.condition);
        }
    }

    fn of(&self, name: &Arc<str>) -> Seen {
        self.seen.get(name).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::{PutMetricAlarm, StateTransition, TreatMissingData, evaluate};
    use crate::monitor::MonitorHandle;
    use crate::monitor::alarms::evaluation_window;
    use crate::store::StoreSettings;
    use crate::task::TaskGroup;
    use crate::telemetry::{
        Dimensions, MetricBatch, MetricDatum, MetricValue, StorageResolution, TelemetryBatch,
    };
    use crate::time::{Clock, ManualClock};

    const START: Timestamp = Timestamp::from_secs(1_795_000_020);

    fn frozen() -> Arc<dyn Clock> {
        Arc::new(ManualClock::frozen(START))
    }

    async fn filled(values: &[Option<f64>]) -> (tempfile::TempDir, Store, TaskGroup) {
        let folder = tempfile::tempdir().unwrap();
        let clock = frozen();
        let tasks = TaskGroup::new();
        let store = Store::open(StoreSettings::new(folder.path()), clock, &tasks).await.unwrap();
        let datum = |(minute, value): (i64, &Option<f64>)| {
            Some(MetricDatum {
                metric_name: "Latency".into(),
                dimensions: Dimensions::of([("Shop", "1")]),
                timestamp: START.plus_millis(minute * 60_000),
                value: MetricValue::Value((*value)?),
                unit: StandardUnit::Milliseconds,
                storage_resolution: StorageResolution::Standard,
            })
        };
        let data = (0..).zip(values).filter_map(datum).collect();
        let mut batch = TelemetryBatch::new(Scope::default());
        batch.metrics.push(MetricBatch { namespace: "Shop".into(), data });
        store.append(batch).await.unwrap();
        (folder, store, tasks)
    }

    fn alarm(settings: &[(&str, &str)]) -> MetricAlarm {
        let input = serde_json::json!({
            "AlarmName": "slow", "Namespace": "Shop", "MetricName": "Latency",
            "Dimensions": [{"Name": "Shop", "Value": "1"}], "Statistic": "Average", "Period": 60,
            "EvaluationPeriods": 3, "DatapointsToAlarm": 2, "Threshold": 500.0,
            "ComparisonOperator": "GreaterThanThreshold",
        });
        let input: PutMetricAlarm = serde_json::from_value(input).unwrap();
        let settings: Vec<_> =
            settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        input.validate(START).unwrap().edited(&settings).unwrap()
    }

    /// The life of the alarm, as the evaluator leads it, minute by minute.
    async fn lived(store: &Store, alarm: &MetricAlarm, range: TimeRange) -> Vec<Flip> {
        let mut state = AlarmState::initial(range.start);
        let mut flips = Vec::new();
        let mut at = range.start.floor(alarm.cadence());
        let plan = plan(alarm).unwrap();
        while at < range.end {
            let scope = Scope::default();
            let window = evaluation_window(store, &scope, alarm, plan.as_ref(), at).await.unwrap();
            let evaluation = evaluate(alarm, &window, state.value);
            let reason = || (evaluation.reason(alarm, &window), None);
            if let Some(StateTransition { to, .. }) = state.transition(evaluation.state, at, reason)
            {
                let reason = to.reason.to_string();
                flips.push(Flip { at, to: to.value, reason, worst: None });
                state = to;
            }
            at = at.plus(alarm.cadence().as_duration());
        }
        flips
    }

    #[tokio::test]
    async fn a_replay_tells_what_a_life_minute_by_minute_would_have_told() {
        let mut random = fastrand::Rng::with_seed(6);
        let value = |random: &mut fastrand::Rng| match random.u32(0..10) {
            0..2 => None,
            2..6 => Some(f64::from(random.u32(100..400))),
            _ => Some(f64::from(random.u32(400..900))),
        };
        let values: Vec<Option<f64>> = (0..400).map(|_| value(&mut random)).collect();
        let (_folder, store, tasks) = filled(&values).await;
        let monitor = MonitorHandle::at_rest(&store, Scope::default(), &frozen()).await.unwrap();
        let scope = Scope::default();
        let bench = Bench { store: &store, alarms: monitor.alarms(), scope: &scope };
        let range = TimeRange::new(START, START.plus_millis(400 * 60_000));
        let math = serde_json::json!([
            {"Id": "e", "Expression": "m * 2 - 500", "ReturnData": true},
            {"Id": "m", "ReturnData": false, "MetricStat": {
                "Period": 300, "Stat": "p90", "Metric": {
                "Namespace": "Shop", "MetricName": "Latency",
                "Dimensions": [{"Name": "Shop", "Value": "1"}]}}},
        ]);
        let mut alarms = vec![MetricAlarm {
            watched: Watched::Queries {
                queries: serde_json::from_value(math).unwrap(),
                period: Period::FIVE_MINUTES,
            },
            ..alarm(&[])
        }];
        for mode in TreatMissingData::ALL {
            let mode = ("TreatMissingData", mode.as_str());
            alarms.push(alarm(&[mode]));
            alarms.push(alarm(&[mode, ("Period", "300"), ("Statistic", "Maximum")]));
            alarms.push(alarm(&[mode, ("Period", "300"), ("Statistic", "p75")]));
            alarms.push(alarm(&[mode, ("Period", "3600"), ("Statistic", "Sum")]));
        }
        for alarm in &alarms {
            let warm = TimeRange::new(alarm.window(range.start).start, range.end);
            let expected = lived(&store, alarm, warm).await;
            let span = Span { range, coarse_before: false, begins: Begins::Amidst };
            let replayed = bench.metric(alarm, span).await.unwrap().flips;
            let plain: Vec<Flip> =
                replayed.into_iter().map(|flip| Flip { worst: None, ..flip }).collect();
            assert_eq!(plain, expected, "{}", alarm.in_words());
        }
        tasks.shutdown(std::time::Duration::from_secs(1)).await;
    }

    fn minutes(text: &str) -> Vec<Option<f64>> {
        let value = |word| match word {
            "0" => Some(100.0),
            "X" => Some(900.0),
            _ => None,
        };
        text.split_whitespace().map(value).collect()
    }

    async fn tested(alarm: AlarmDefinition, children: &[MetricAlarm], points: &str) -> Outcome {
        let values = minutes(points);
        let (_folder, store, tasks) = filled(&values).await;
        let scope = Scope::default();
        for child in children {
            let condition = AlarmCondition::free(AlarmState::initial(START));
            let resources = store.resources();
            resources
                .put(&scope, super::super::kind::METRIC_ALARM, &child.name, child)
                .await
                .unwrap();
            let kind = super::super::kind::ALARM_STATE;
            resources.put(&scope, kind, &child.name, &condition).await.unwrap();
        }
        let monitor = MonitorHandle::at_rest(&store, scope.clone(), &frozen()).await.unwrap();
        let range =
            TimeRange::new(START, START.plus_millis(i64::try_from(values.len()).unwrap() * 60_000));
        let request = BacktestRequest { alarm, settings: Vec::new(), range };
        let report = backtest(&store, monitor.alarms(), &scope, &request).await.unwrap();
        tasks.shutdown(std::time::Duration::from_secs(1)).await;
        report.original
    }

    fn told(outcome: &Outcome) -> Vec<(i64, Option<i64>, PageKind)> {
        let minute = |at: Timestamp| at.millis_since(START) / 60_000;
        let pages = outcome.pages.iter();
        pages.map(|page| (minute(page.from), page.until.map(minute), page.kind)).collect()
    }

    #[tokio::test]
    async fn a_page_without_a_breach_after_it_is_a_flake_and_one_with_is_not() {
        let alarm = AlarmDefinition::Metric(Arc::new(alarm(&[])));
        let outcome = tested(alarm, &[], "0 0 0 X X 0 0 0 0 X X X 0 0 0 0 X X").await;
        let expected = [(5, Some(7), PageKind::Flake), (11, Some(14), PageKind::Lasting)];
        // The last two breaches would page at minute 18, which is the end.
        assert_eq!(told(&outcome), expected);
        assert_eq!((outcome.flakes, outcome.alarm_secs), (1, 300));
        assert_eq!(outcome.pages[1].worst, Some(900.0));
    }

    #[tokio::test]
    async fn a_composite_pages_when_its_suppressor_lets_it() {
        let child = MetricAlarm { name: "child".into(), ..alarm(&[("EvaluationPeriods", "2")]) };
        let quiet = MetricAlarm { name: "quiet".into(), ..alarm(&[("Threshold", "5000")]) };
        let composite = crate::alarm::PutCompositeAlarm {
            alarm_name: Some("top".into()),
            alarm_rule: Some("ALARM(child)".into()),
            actions_suppressor: Some("quiet".into()),
            actions_suppressor_wait_period: Some(120),
            actions_suppressor_extension_period: Some(60),
            ..crate::alarm::PutCompositeAlarm::default()
        };
        let top = AlarmDefinition::Composite(Arc::new(composite.validate(START).unwrap()));
        // The first time in ALARM is over before the wait is; the second waits two minutes.
        let points = "0 0 0 X X 0 0 0 0 0 X X X X X X 0 0 0";
        let outcome = tested(top, &[child, quiet], points).await;
        assert_eq!(told(&outcome), [(14, Some(17), PageKind::Lasting)]);
        assert_eq!(outcome.suppressed, 1);
    }
}
