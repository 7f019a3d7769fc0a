use super::{
    ComparisonOperator, Datapoint, EvaluationWindow, LowSampleCount, MetricAlarm, StateValue,
    Threshold, TreatMissingData, Watched,
};
use crate::query::statistic::Statistic;

/// What an evaluation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The state the datapoints put the alarm in.
    pub state: StateValue,
    /// What it rests on.
    pub basis: Basis,
}

/// What an evaluation rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Enough breaching datapoints, or too few, counting those that missing ones stand for.
    Counted,
    /// An old breach with only breaches or gaps since: AWS alarms even with fewer than M.
    Sustained,
    /// Breaches that are too young to alarm; the state is kept.
    Premature,
    /// No datapoint in the whole range.
    NoDatapoints,
    /// Missing datapoints are ignored; the state is kept.
    MissingIgnored,
    /// A percentile of too few samples; the state is kept.
    FewSamples,
}

/// Decides the state of one alarm.
///
/// Shape: `window` holds the evaluation range (R slots), oldest first, `None` where missing.
/// Source: CloudWatch User Guide, "How alarm state is evaluated when data is missing" and
/// "Avoiding premature transitions to alarm state".
/// Differs: where the guide says only "not ALARM yet" of a young breach, the state is kept.
pub fn evaluate(alarm: &MetricAlarm, window: &EvaluationWindow, current: StateValue) -> Evaluation {
    let tally = Tally::of(alarm, window);
    let wanted = alarm.evaluation_periods;
    let to_alarm = alarm.datapoints_to_alarm();
    let counted = |breaching: u32| Evaluation {
        state: if breaching >= to_alarm { StateValue::Alarm } else { StateValue::Ok },
        basis: Basis::Counted,
    };
    let kept = |basis| Evaluation { state: current, basis };

    if tally.few_samples {
        return kept(Basis::FewSamples);
    }
    if tally.real >= wanted {
        // Older real datapoints stand in for missing ones; how to treat those is not asked.
        return counted(tally.newest_breaching);
    }
    let mode = alarm.treat_missing_data();
    match mode {
        TreatMissingData::Breaching => return counted(tally.breaching + (wanted - tally.real)),
        TreatMissingData::NotBreaching => return counted(tally.breaching),
        TreatMissingData::Missing | TreatMissingData::Ignore => {}
    }
    if tally.breaching >= to_alarm || tally.real > tally.breaching {
        return counted(tally.breaching);
    }
    let ignored = mode == TreatMissingData::Ignore;
    match tally.oldest_breach {
        None if ignored => kept(Basis::MissingIgnored),
        None => Evaluation { state: StateValue::InsufficientData, basis: Basis::NoDatapoints },
        Some(age) if age >= to_alarm && ignored => kept(Basis::MissingIgnored),
        Some(age) if age >= to_alarm => {
            Evaluation { state: StateValue::Alarm, basis: Basis::Sustained }
        }
        Some(_young) => kept(Basis::Premature),
    }
}

/// What one pass over the window counts.
#[derive(Default)]
struct Tally {
    /// Datapoints that are there.
    real: u32,
    /// Those of them that breach.
    breaching: u32,
    /// Breaching ones among the newest N that are there.
    newest_breaching: u32,
    /// Age of the oldest breach in periods; the newest slot is 1.
    oldest_breach: Option<u32>,
    /// Whether a percentile among the newest N has too few samples to mean anything.
    few_samples: bool,
}

impl Tally {
    fn of(alarm: &MetricAlarm, window: &EvaluationWindow) -> Self {
        let samples_min = samples_min(alarm);
        let mut tally = Self::default();
        for (age, (_, slot)) in (1..).zip(window.newest_first()) {
            let Some((point, breaching)) = slot.and_then(|p| Some((p, breaches(alarm, p)?))) else {
                continue;
            };
            tally.real += 1;
            let among_newest = tally.real <= alarm.evaluation_periods;
            if among_newest && point.sample_count.is_some_and(|count| count < samples_min) {
                tally.few_samples = true;
            }
            if breaching {
                tally.breaching += 1;
                tally.newest_breaching += u32::from(among_newest);
                tally.oldest_breach = Some(age);
            }
        }
        tally
    }
}

/// Whether a datapoint breaches; `None` when it cannot be compared and so counts as missing.
pub(super) fn breaches(alarm: &MetricAlarm, point: &Datapoint) -> Option<bool> {
    let value = point.value;
    if value.is_nan() {
        return None;
    }
    Some(match (alarm.comparison, &alarm.threshold) {
        (ComparisonOperator::GreaterThanThreshold, Threshold::Static(limit)) => value > *limit,
        (ComparisonOperator::GreaterThanOrEqualToThreshold, Threshold::Static(limit)) => {
            value >= *limit
        }
        (ComparisonOperator::LessThanThreshold, Threshold::Static(limit)) => value < *limit,
        (ComparisonOperator::LessThanOrEqualToThreshold, Threshold::Static(limit)) => {
            value <= *limit
        }
        (operator, _) => {
            // A model that has not learned yet expects nothing.
            let band = point.band?;
            let (below, above) = (value < band.lower, value > band.upper);
            match operator {
                ComparisonOperator::LessThanLowerThreshold => below,
                ComparisonOperator::GreaterThanUpperThreshold => above,
                _ => below || above,
            }
        }
    })
}

/// How many samples a percentile needs before it is compared; 0 where it does not matter.
///
/// Source: CloudWatch User Guide, "Percentile-based alarms and low data samples".
/// Differs: whether AWS counts samples a period or over the window is unpublished; we ask it of
/// each datapoint that is evaluated.
fn samples_min(alarm: &MetricAlarm) -> f64 {
    if alarm.low_sample_count != Some(LowSampleCount::Ignore) {
        return 0.0;
    }
    let Watched::Metric(single) = &alarm.watched else { return 0.0 };
    let Statistic::Percentile(percent) = single.statistic.statistic() else { return 0.0 };
    match percent / 100.0 {
        // Rounded, because 10 / (1 - 0.99) is a little over 1,000 in binary.
        p if (0.5..1.0).contains(&p) => (10.0 / (1.0 - p)).round(),
        p if p > 0.0 && p < 0.5 => (10.0 / p).round(),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::AlarmState;
    use crate::time::{Period, Timestamp};

    const OK: StateValue = StateValue::Ok;
    const ALARM: StateValue = StateValue::Alarm;
    const UNKNOWN: StateValue = StateValue::InsufficientData;

    fn follows_table(alarm: &MetricAlarm, rows: &[(&str, [Option<StateValue>; 4])]) {
        let modes = [
            TreatMissingData::Missing,
            TreatMissingData::Ignore,
            TreatMissingData::Breaching,
            TreatMissingData::NotBreaching,
        ];
        for (points, expected) in rows {
            let window = EvaluationWindow::parse(points);
            for (mode, expected) in modes.into_iter().zip(expected) {
                for current in [OK, ALARM, UNKNOWN] {
                    let state = evaluate(&alarm.treating(mode), &window, current).state;
                    let expected = expected.unwrap_or(current);
                    assert_eq!(state, expected, "{points}, {mode}, from {current}");
                }
            }
        }
    }

    /// `None` means that the state is kept.
    /// Source: CloudWatch User Guide, "How alarm state is evaluated when data is missing".
    #[test]
    fn three_of_three_follows_the_published_table() {
        let alarm = MetricAlarm::example().with_periods(3, 3);
        follows_table(
            &alarm,
            &[
                ("0 - X - X", [Some(OK), Some(OK), Some(OK), Some(OK)]),
                ("0 - - - -", [Some(OK), Some(OK), Some(OK), Some(OK)]),
                ("- - - - -", [Some(UNKNOWN), None, Some(ALARM), Some(OK)]),
                ("0 X X - X", [Some(ALARM), Some(ALARM), Some(ALARM), Some(ALARM)]),
                ("- - X - -", [Some(ALARM), None, Some(ALARM), Some(OK)]),
            ],
        );
    }

    /// Source: as above, "two out of three".
    #[test]
    fn two_of_three_follows_the_published_table() {
        let alarm = MetricAlarm::example().with_periods(2, 3);
        follows_table(
            &alarm,
            &[
                ("0 - X - X", [Some(ALARM), Some(ALARM), Some(ALARM), Some(ALARM)]),
                ("0 0 X 0 X", [Some(ALARM), Some(ALARM), Some(ALARM), Some(ALARM)]),
                ("0 - X - -", [Some(OK), Some(OK), Some(ALARM), Some(OK)]),
                ("- - - - 0", [Some(OK), Some(OK), Some(ALARM), Some(OK)]),
                ("- - - X -", [Some(ALARM), None, Some(ALARM), Some(OK)]),
            ],
        );
    }

    /// Source: as above, "Avoiding premature transitions to alarm state".
    #[test]
    fn a_young_breach_in_a_silent_metric_does_not_alarm_before_m_periods() {
        let alarm = MetricAlarm::example().with_periods(3, 3).treating(TreatMissingData::Missing);
        for (points, basis) in [
            ("- - - - X", Basis::Premature),
            ("- - - X -", Basis::Premature),
            ("- - X - -", Basis::Sustained),
            ("- X - - -", Basis::Sustained),
        ] {
            let evaluation = evaluate(&alarm, &EvaluationWindow::parse(points), OK);
            assert_eq!(evaluation.basis, basis, "{points}");
        }
    }

    #[test]
    fn late_data_of_a_one_period_alarm_is_covered_by_an_older_point() {
        let alarm = MetricAlarm::example().with_periods(1, 1);
        let state = |points| evaluate(&alarm, &EvaluationWindow::parse(points), UNKNOWN).state;
        assert_eq!(state("- X -"), ALARM);
        assert_eq!(state("X 0 -"), OK);
        assert_eq!(state("- - -"), UNKNOWN);
    }

    #[test]
    fn each_operator_has_the_datapoint_on_its_left() {
        for (operator, below, equal, above) in [
            (ComparisonOperator::GreaterThanThreshold, false, false, true),
            (ComparisonOperator::GreaterThanOrEqualToThreshold, false, true, true),
            (ComparisonOperator::LessThanThreshold, true, false, false),
            (ComparisonOperator::LessThanOrEqualToThreshold, true, true, false),
        ] {
            let alarm = MetricAlarm { comparison: operator, ..MetricAlarm::example() };
            for (value, expected) in [(0.4, below), (0.5, equal), (0.6, above)] {
                let breaching = breaches(&alarm, &Datapoint::new(value, 1.0));
                assert_eq!(breaching, Some(expected), "{value} {operator}");
            }
        }
    }

    #[test]
    fn a_band_alarm_without_a_trained_band_has_no_datapoints() {
        let alarm = MetricAlarm {
            comparison: ComparisonOperator::LessThanLowerOrGreaterThanUpperThreshold,
            threshold: Threshold::Band("ad1".into()),
            ..MetricAlarm::example()
        };
        assert_eq!(evaluate(&alarm, &EvaluationWindow::parse("X X X X X"), OK).state, UNKNOWN);
    }

    #[test]
    fn a_percentile_of_too_few_samples_keeps_the_state_only_when_asked() {
        let p99 = Statistic::Percentile(99.0);
        let mut alarm = MetricAlarm::example().with_periods(1, 1).with_statistic(p99);
        let state = |alarm: &MetricAlarm, samples| {
            let slots = vec![None, None, Some(Datapoint::new(9.0, samples))];
            let window = EvaluationWindow::new(Timestamp::EPOCH, Period::MINUTE, slots);
            evaluate(alarm, &window, OK).state
        };
        assert_eq!(state(&alarm, 1.0), ALARM);
        alarm.low_sample_count = Some(LowSampleCount::Ignore);
        assert_eq!(state(&alarm, 999.0), OK);
        assert_eq!(state(&alarm, 1_000.0), ALARM);
    }

    /// The user guide's sentences, word by word and slowly: an independent reading of the rules.
    fn reference(
        points: &[Option<bool>],
        (m, n): (usize, usize),
        mode: TreatMissingData,
        current: StateValue,
    ) -> StateValue {
        let newest_first: Vec<Option<bool>> = points.iter().rev().copied().collect();
        let mut judged: Vec<bool> = newest_first.iter().flatten().copied().take(n).collect();
        let breaches = |judged: &[bool]| judged.iter().filter(|breaching| **breaching).count();
        let by_count = |judged: &[bool]| if breaches(judged) >= m { ALARM } else { OK };
        if judged.len() == n {
            return by_count(&judged);
        }
        let fill = match mode {
            TreatMissingData::Breaching => Some(true),
            TreatMissingData::NotBreaching => Some(false),
            TreatMissingData::Missing | TreatMissingData::Ignore => None,
        };
        if let Some(fill) = fill {
            judged.resize(n, fill);
            return by_count(&judged);
        }
        if by_count(&judged) == ALARM {
            return ALARM;
        }
        if judged.contains(&false) {
            return OK;
        }
        let ignores = mode == TreatMissingData::Ignore;
        // Only breaches and gaps are left. From the oldest breach on, are there M periods?
        match newest_first.iter().rposition(Option::is_some) {
            None if ignores => current,
            None => UNKNOWN,
            Some(age) if age + 1 >= m && !ignores => ALARM,
            Some(_) => current,
        }
    }

    /// T25: states over time, with the state stored and read back in the middle, are those of the
    /// reference; a restart is no transition.
    #[test]
    fn random_series_follow_an_independent_reading_of_the_rules() {
        let mut random = fastrand::Rng::with_seed(25);
        for _ in 0..1_000 {
            let n = random.u32(1..=6);
            let m = random.u32(1..=n);
            let gaps = random.f64();
            let series: Vec<Option<bool>> =
                (0..40).map(|_| (random.f64() > gaps).then(|| random.bool())).collect();
            for mode in TreatMissingData::ALL {
                let alarm = MetricAlarm::example().with_periods(m, n).treating(*mode);
                let range = usize::try_from(alarm.evaluation_range()).unwrap();
                let counts = (usize::try_from(m).unwrap(), usize::try_from(n).unwrap());
                let mut state = AlarmState::initial(Timestamp::EPOCH);
                let mut expected = UNKNOWN;
                for end in range..=series.len() {
                    let points = &series[end - range..end];
                    expected = reference(points, counts, *mode, expected);
                    let word = |point: &Option<bool>| match point {
                        Some(true) => "X",
                        Some(false) => "0",
                        None => "-",
                    };
                    let words: Vec<&str> = points.iter().map(word).collect();
                    let window = EvaluationWindow::parse(&words.join(" "));
                    let evaluation = evaluate(&alarm, &window, state.value);
                    let at = Timestamp::from_secs(600);
                    let text = || (evaluation.reason(&alarm, &window), None);
                    if let Some(transition) = state.transition(evaluation.state, at, text) {
                        state = transition.to;
                    }
                    assert_eq!(state.value, expected, "{words:?}, {m} of {n}, {mode}");
                    if end == 20 {
                        let stored = serde_json::to_string(&state).unwrap();
                        state = serde_json::from_str(&stored).unwrap();
                    }
                }
            }
        }
    }

    #[test]
    fn one_more_breach_never_turns_an_alarm_off() {
        // Every window of five slots, every mode, every M of 3.
        let words = ["0", "X", "-"];
        for number in 0..3_usize.pow(5) {
            let points: Vec<&str> = (0..5).map(|i| words[number / 3_usize.pow(i) % 3]).collect();
            for (at, word) in points.iter().enumerate() {
                if *word != "0" {
                    continue;
                }
                let mut worse = points.clone();
                worse[at] = "X";
                for m in 1..=3 {
                    for mode in TreatMissingData::ALL {
                        let alarm = MetricAlarm::example().with_periods(m, 3).treating(*mode);
                        let state = |points: &[&str]| {
                            let window = EvaluationWindow::parse(&points.join(" "));
                            evaluate(&alarm, &window, ALARM).state
                        };
                        if state(&points) == ALARM {
                            assert_eq!(
                                state(&worse),
                                ALARM,
                                "{points:?} -> {worse:?}, {m}, {mode}"
                            );
                        }
                    }
                }
            }
        }
    }
}
