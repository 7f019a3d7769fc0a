//! Published examples of alarms, and what follows from their rules for windows they do not show.

use super::*;
use crate::query::statistic::Statistic;
use crate::time::{Period, TimeRange, Timestamp};

const OK: StateValue = StateValue::Ok;
const ALARM: StateValue = StateValue::Alarm;
const UNKNOWN: StateValue = StateValue::InsufficientData;

/// A row: the window, newest rightmost, then the state for missing, ignore, breaching and
/// notBreaching; `None` keeps the state.
type Row = (&'static str, [Option<StateValue>; 4]);

fn follows(alarm: &MetricAlarm, rows: &[Row]) {
    for (points, expected) in rows {
        let window = EvaluationWindow::parse(points);
        assert_eq!(window.len(), usize::try_from(alarm.evaluation_range()).unwrap(), "{points}");
        let modes = [
            TreatMissingData::Missing,
            TreatMissingData::Ignore,
            TreatMissingData::Breaching,
            TreatMissingData::NotBreaching,
        ];
        for (mode, expected) in modes.into_iter().zip(expected) {
            for current in [OK, ALARM, UNKNOWN] {
                let state = evaluate(&alarm.treating(mode), &window, current).state;
                assert_eq!(state, expected.unwrap_or(current), "{points}, {mode}, from {current}");
            }
        }
    }
}

/// Source: CloudWatch User Guide, "How alarm state is evaluated when data is missing", the rules
/// of its tables for another M and N: seven points are fetched.
#[test]
fn three_of_five_follows_the_rules_of_the_published_tables() {
    let alarm = MetricAlarm::example().with_periods(3, 5);
    follows(
        &alarm,
        &[
            // Enough real points: the newest five of them decide, and nobody asks what is missing.
            ("0 0 0 0 X X X", [Some(ALARM); 4]),
            ("X X X 0 0 0 0", [Some(OK); 4]),
            ("X X X 0 - 0 0", [Some(OK); 4]),
            ("X X X - 0 - 0", [Some(ALARM); 4]),
            ("X 0 X - 0 X -", [Some(ALARM); 4]),
            // Too few, but three of them breach.
            ("X - X - X - -", [Some(ALARM); 4]),
            ("0 X X X - - -", [Some(ALARM); 4]),
            // A good point among too few.
            ("0 X X - - - -", [Some(OK), Some(OK), Some(ALARM), Some(OK)]),
            ("0 0 - X - - -", [Some(OK), Some(OK), Some(ALARM), Some(OK)]),
            ("0 0 0 - - - -", [Some(OK); 4]),
            ("- - - - - - 0", [Some(OK), Some(OK), Some(ALARM), Some(OK)]),
            // Only breaches: old ones alarm, young ones do not yet.
            ("X X - - - - -", [Some(ALARM), None, Some(ALARM), Some(OK)]),
            ("- - - - X - X", [Some(ALARM), None, Some(ALARM), Some(OK)]),
            ("- - - - - X X", [None, None, Some(ALARM), Some(OK)]),
            ("- - - - - - X", [None, None, Some(ALARM), Some(OK)]),
            ("- - - - - - -", [Some(UNKNOWN), None, Some(ALARM), Some(OK)]),
        ],
    );
}

/// One of one fetches three points: one that comes late is stood in for by the one before it.
#[test]
fn one_of_one_is_judged_by_the_newest_point_that_is_there() {
    follows(
        &MetricAlarm::example().with_periods(1, 1),
        &[
            ("0 0 X", [Some(ALARM); 4]),
            ("X X 0", [Some(OK); 4]),
            ("0 X -", [Some(ALARM); 4]),
            ("X 0 -", [Some(OK); 4]),
            ("X - -", [Some(ALARM); 4]),
            ("- - -", [Some(UNKNOWN), None, Some(ALARM), Some(OK)]),
        ],
    );
}

#[test]
fn one_of_three_alarms_on_any_breach_among_the_newest_three_that_are_there() {
    follows(
        &MetricAlarm::example().with_periods(1, 3),
        &[
            ("X 0 - 0 0", [Some(OK); 4]),
            ("X - - 0 0", [Some(ALARM); 4]),
            ("- - - - X", [Some(ALARM); 4]),
            ("X - - - -", [Some(ALARM); 4]),
            ("0 - - - -", [Some(OK), Some(OK), Some(ALARM), Some(OK)]),
        ],
    );
}

/// One breach, then silence: what an alarm of three of three does minute by minute.
///
/// Source: CloudWatch User Guide, "Avoiding premature transitions to alarm state".
#[test]
fn a_lone_breach_alarms_when_it_is_three_periods_old_and_is_forgotten_with_the_window() {
    for (mode, expected) in [
        (TreatMissingData::Missing, [OK, OK, ALARM, ALARM, ALARM, UNKNOWN, UNKNOWN]),
        (TreatMissingData::Ignore, [OK; 7]),
        (TreatMissingData::NotBreaching, [OK; 7]),
        (TreatMissingData::Breaching, [ALARM; 7]),
    ] {
        let alarm = MetricAlarm::example().with_periods(3, 3).treating(mode);
        let mut state = OK;
        let mut seen = Vec::new();
        for age in 0..7 {
            let slot = |at: usize| if at + age == 4 { "X" } else { "-" };
            let points: Vec<&str> = (0..5).map(slot).collect();
            state = evaluate(&alarm, &EvaluationWindow::parse(&points.join(" ")), state).state;
            seen.push(state);
        }
        assert_eq!(seen, expected, "{mode}");
    }
}

/// Source: CloudWatch User Guide, "Percentile-based alarms and low data samples": 10/(1-p) from
/// the median up, 10/p below it. The maximum and trimmed means are always judged.
#[test]
fn a_percentile_needs_as_many_samples_as_published() {
    let statistic = |text: &str| text.parse::<NamedStatistic>().unwrap();
    for (name, needed) in [
        ("p50", 20.0),
        ("p75", 40.0),
        ("p90", 100.0),
        ("p99", 1_000.0),
        ("p99.9", 10_000.0),
        ("p10", 100.0),
        ("p25", 40.0),
        ("p1", 1_000.0),
        ("p100", 0.0),
        ("tm99", 0.0),
    ] {
        let mut alarm = MetricAlarm::example().with_periods(1, 1);
        alarm.low_sample_count = Some(LowSampleCount::Ignore);
        let Watched::Metric(single) = &mut alarm.watched else { unreachable!() };
        single.statistic = statistic(name);
        let basis = |samples: f64| {
            let slots = vec![None, None, Some(Datapoint::new(9.0, samples))];
            let window = EvaluationWindow::new(Timestamp::EPOCH, Period::MINUTE, slots);
            evaluate(&alarm, &window, OK).basis
        };
        assert_eq!(basis(needed), Basis::Counted, "{name}");
        if needed > 0.0 {
            assert_eq!(basis(needed - 1.0), Basis::FewSamples, "{name}");
        } else {
            assert_eq!(basis(1.0), Basis::Counted, "{name}");
        }
    }
}

#[test]
fn few_samples_in_a_point_that_is_not_evaluated_do_not_matter() {
    let p99 = Statistic::Percentile(99.0);
    let mut alarm = MetricAlarm::example().with_periods(1, 1).with_statistic(p99);
    alarm.low_sample_count = Some(LowSampleCount::Ignore);
    let slots = vec![Some(Datapoint::new(9.0, 1.0)), None, Some(Datapoint::new(9.0, 5_000.0))];
    let window = EvaluationWindow::new(Timestamp::EPOCH, Period::MINUTE, slots);
    assert_eq!(evaluate(&alarm, &window, OK).state, ALARM);
}

/// Points of each metric of an expression by minute, and what the expression comes to; `-` is a
/// minute without a point.
///
/// Source: CloudWatch User Guide, "Using metric math": arithmetic takes what is missing as 0 where
/// the other side has a point, and FILL makes points of its own.
#[test]
fn expressions_have_points_where_their_inputs_do() {
    for (expression, m, n, expected) in [
        ("m + n", "1 - 3 -", "1 2 - -", "2 2 3 -"),
        ("100 * m / n", "1 2 - -", "4 8 2 -", "25 25 0 -"),
        ("FILL(m, 7)", "1 - - 2", "- - - -", "1 7 7 2"),
        ("IF(n > 2, m)", "1 2 3 4", "1 2 3 4", "- - 3 4"),
    ] {
        let queries = serde_json::json!([
            {"Id": "m", "ReturnData": false, "MetricStat": {"Period": 60, "Stat": "Sum",
                "Metric": {"Namespace": "N", "MetricName": "m"}}},
            {"Id": "n", "ReturnData": false, "MetricStat": {"Period": 60, "Stat": "Sum",
                "Metric": {"Namespace": "N", "MetricName": "n"}}},
            {"Id": "e", "Expression": expression},
        ]);
        let queries: Vec<MetricDataQuery> = serde_json::from_value(queries).unwrap();
        let plan = MathPlan::of(&queries, Period::MINUTE).unwrap();
        let points = |text: &str| -> Vec<(Timestamp, f64)> {
            let minutes = text.split(' ').zip(0..);
            let point = |(word, minute): (&str, i64)| {
                Some((Timestamp::from_secs(minute * 60), word.parse().ok()?))
            };
            minutes.filter_map(point).collect()
        };
        let range = TimeRange::new(Timestamp::EPOCH, Timestamp::from_secs(240));
        let window = plan.window(vec![points(m), points(n)], (range, Period::MINUTE));
        let mut shown: Vec<String> = window
            .newest_first()
            .map(|(_, point)| point.map_or("-".to_owned(), |point| point.value.to_string()))
            .collect();
        shown.reverse();
        assert_eq!(shown.join(" "), expected, "{expression}");
    }
}

#[test]
fn a_composite_of_a_quorum_follows_its_children() {
    let rule = AlarmRule::parse("AT_LEAST(2, ALARM, (a, b, c)) AND NOT ALARM(deploy)").unwrap();
    for (alarms, expected) in [
        (&["a"][..], false),
        (&["a", "b"], true),
        (&["a", "b", "c"], true),
        (&["a", "b", "deploy"], false),
    ] {
        let state = |name: &str| Some(if alarms.contains(&name) { ALARM } else { OK });
        assert_eq!(rule.holds(&state), expected, "{alarms:?}");
    }
}

#[test]
fn a_quorum_that_cannot_be_reached_is_refused() {
    for rule in [
        "AT_LEAST(0, ALARM, (a, b))",
        "AT_LEAST(3, ALARM, (a, b))",
        "AT_LEAST(0%, ALARM, (a, b))",
        "AT_LEAST(101%, ALARM, (a, b))",
    ] {
        let fault = AlarmRule::parse(rule).unwrap_err();
        assert!(matches!(fault, RuleFault::Quorum { listed: 2, .. }), "{rule}: {fault}");
    }
}

#[test]
fn what_is_not_carried_out_is_refused_by_name() {
    for (member, value, named) in [
        ("EvaluationWindow", serde_json::json!({"WallClockWindow": {}}), "WallClockWindow"),
        ("WarmUpConfiguration", serde_json::json!({}), "WarmUpConfiguration"),
        ("ActionConfiguration", serde_json::json!({}), "ActionConfiguration"),
        ("EvaluationCriteria", serde_json::json!({}), "EvaluationCriteria"),
    ] {
        let mut input = serde_json::json!({
            "AlarmName": "a", "Namespace": "N", "MetricName": "m", "Statistic": "Sum",
            "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanThreshold",
        });
        input[member] = value;
        let put: PutMetricAlarm = serde_json::from_value(input.clone()).unwrap();
        let fault = put.validate(Timestamp::EPOCH).unwrap_err().to_string();
        assert!(fault.contains(named), "{fault}");
        input[member] = serde_json::json!(null);
        input["EvaluationWindow"] = serde_json::json!({"SlidingWindow": {}});
        let put: PutMetricAlarm = serde_json::from_value(input).unwrap();
        assert!(put.validate(Timestamp::EPOCH).is_ok());
    }
}
