use serde_json::{Map, Value, json};

use super::evaluate::breaches;
use super::wording::{counted, cut, instant, java_double, short_date, was};
use super::{
    Basis, ComparisonOperator, Datapoint, Evaluation, EvaluationWindow, MetricAlarm, StateValue,
    Threshold, TreatMissingData, Watched,
};
use crate::time::Timestamp;

const REASON_MAX: usize = 1_023;
const REASON_DATA_MAX: usize = 4_000;

/// One datapoint that an evaluation looked at.
struct Looked<'a> {
    at: Timestamp,
    point: &'a Datapoint,
    breaching: bool,
}

impl Evaluation {
    /// Why, for people: AWS's `StateReason`.
    ///
    /// Source: recorded DescribeAlarms answers. Differs: how AWS words a mix of real and filled
    /// datapoints is unpublished; both are named here.
    pub fn reason(&self, alarm: &MetricAlarm, window: &EvaluationWindow) -> String {
        let looked = looked_at(alarm, window);
        let evaluated = usize::try_from(alarm.evaluation_periods).unwrap_or(usize::MAX);
        if self.state == StateValue::InsufficientData {
            let unknown = counted(evaluated, "datapoint");
            return format!("Insufficient Data: {unknown} {} unknown.", was(evaluated));
        }
        let filled = match (self.basis, alarm.treat_missing_data()) {
            (Basis::Counted, TreatMissingData::Breaching) => Some("Breaching"),
            (Basis::Counted, TreatMissingData::NotBreaching) => Some("NonBreaching"),
            _ => None,
        };
        let missing = if filled.is_some() { evaluated.saturating_sub(looked.len()) } else { 0 };
        let treated = filled.filter(|_| missing > 0).map(|kind| {
            let count = counted(missing, "missing datapoint");
            format!("{count} {} treated as [{kind}]", was(missing))
        });
        if looked.is_empty() {
            let periods = counted(evaluated, "period");
            let treated = treated.unwrap_or_default();
            return format!(
                "Threshold Crossed: no datapoints were received for {periods} and {treated}."
            );
        }
        let text = self.threshold_text(alarm, &looked, missing, treated.as_deref());
        cut(&text, REASON_MAX).to_owned()
    }

    fn threshold_text(
        &self,
        alarm: &MetricAlarm,
        looked: &[Looked<'_>],
        missing: usize,
        treated: Option<&str>,
    ) -> String {
        let alarming = self.state == StateValue::Alarm;
        let shown: Vec<&Looked<'_>> =
            looked.iter().filter(|look| look.breaching == alarming).collect();
        let (head, threshold) = comparison_text(alarm, &shown);
        if shown.is_empty() {
            // The state rests on the filled datapoints alone.
            return format!("{head}: {}.", treated.unwrap_or_default());
        }
        let not = if alarming { "" } else { "not " };
        let (minimum, change) = if alarming {
            (alarm.datapoints_to_alarm(), "OK -> ALARM")
        } else {
            (alarm.evaluation_periods - alarm.datapoints_to_alarm() + 1, "ALARM -> OK")
        };
        let minimum = counted(usize::try_from(minimum).unwrap_or(usize::MAX), "datapoint");
        let (count, of, is) = (shown.len(), looked.len() + missing, was(shown.len()));
        let also = treated.map(|treated| format!(" and {treated}")).unwrap_or_default();
        let list = datapoint_list(&shown);
        format!(
            "{head}: {count} out of the last {of} datapoints [{list}] {is} {not}{threshold}{also} \
             (minimum {minimum} for {change} transition)."
        )
    }

    /// Why, for programs: AWS's `StateReasonData`, a JSON text.
    ///
    /// Shape: `recentDatapoints` oldest first, `evaluatedDatapoints` newest first; a missing one
    /// has only its timestamp.
    pub fn reason_data(
        &self,
        alarm: &MetricAlarm,
        window: &EvaluationWindow,
        queried: Timestamp,
    ) -> String {
        let mut shown = usize::try_from(alarm.evaluation_periods).unwrap_or(usize::MAX);
        loop {
            let text = reason_data_of(alarm, window, queried, shown).to_string();
            // BOUND: AWS's field holds 4,000 characters; the oldest datapoints are left out.
            if text.len() <= REASON_DATA_MAX || shown <= 1 {
                return text;
            }
            shown /= 2;
        }
    }
}

/// The newest N datapoints that are there, newest first.
fn looked_at<'a>(alarm: &MetricAlarm, window: &'a EvaluationWindow) -> Vec<Looked<'a>> {
    let evaluated = usize::try_from(alarm.evaluation_periods).unwrap_or(usize::MAX);
    window
        .newest_first()
        .filter_map(|(at, slot)| {
            let point = slot?;
            Some(Looked { at, point, breaching: breaches(alarm, point)? })
        })
        .take(evaluated)
        .collect()
}

fn datapoint_list(shown: &[&Looked<'_>]) -> String {
    // BOUND: more would not fit in the 1,023 characters of a reason.
    const LISTED_MAX: usize = 20;
    let listed: Vec<String> = shown
        .iter()
        .take(LISTED_MAX)
        .map(|look| format!("{} ({})", java_double(look.point.value), short_date(look.at)))
        .collect();
    listed.join(", ")
}

/// The opening words and what the datapoints were compared with.
fn comparison_text(alarm: &MetricAlarm, shown: &[&Looked<'_>]) -> (&'static str, String) {
    if let Threshold::Static(limit) = alarm.threshold {
        let operator = match alarm.comparison {
            ComparisonOperator::GreaterThanOrEqualToThreshold => "greater than or equal to",
            ComparisonOperator::LessThanThreshold => "less than",
            ComparisonOperator::LessThanOrEqualToThreshold => "less than or equal to",
            _ => "greater than",
        };
        return ("Threshold Crossed", format!("{operator} the threshold ({})", java_double(limit)));
    }
    let ends = |end: fn(&Datapoint) -> Option<f64>| {
        let all: Vec<String> =
            shown.iter().filter_map(|look| end(look.point)).map(java_double).collect();
        all.join(", ")
    };
    let lower = format!("less than the lower thresholds [{}]", ends(|p| p.band.map(|b| b.lower)));
    let upper =
        format!("greater than the upper thresholds [{}]", ends(|p| p.band.map(|b| b.upper)));
    let text = match alarm.comparison {
        ComparisonOperator::LessThanLowerThreshold => lower,
        ComparisonOperator::GreaterThanUpperThreshold => upper,
        _ => format!("{lower} or {upper}"),
    };
    ("Thresholds Crossed", text)
}

fn reason_data_of(
    alarm: &MetricAlarm,
    window: &EvaluationWindow,
    queried: Timestamp,
    shown: usize,
) -> Value {
    let mut real: Vec<Looked<'_>> = looked_at(alarm, window);
    real.truncate(shown);
    let mut data = Map::new();
    data.insert("version".into(), "1.0".into());
    data.insert("queryDate".into(), instant(queried).into());
    if let Some(oldest) = real.last() {
        data.insert("startDate".into(), instant(oldest.at).into());
    }
    if let Watched::Metric(single) = &alarm.watched {
        if let Some(unit) = single.unit {
            data.insert("unit".into(), unit.as_str().into());
        }
        data.insert("statistic".into(), single.statistic.name().into());
    }
    data.insert("period".into(), alarm.period().as_secs().into());
    let recent = |of: fn(&Datapoint) -> Option<f64>| -> Value {
        real.iter().rev().filter_map(|look| of(look.point)).collect::<Vec<f64>>().into()
    };
    data.insert("recentDatapoints".into(), recent(|point| Some(point.value)));
    match alarm.threshold {
        Threshold::Static(limit) => drop(data.insert("threshold".into(), limit.into())),
        Threshold::Band(_) => {
            data.insert("recentLowerThresholds".into(), recent(|p| p.band.map(|b| b.lower)));
            data.insert("recentUpperThresholds".into(), recent(|p| p.band.map(|b| b.upper)));
        }
    }
    data.insert("evaluatedDatapoints".into(), evaluated_datapoints(alarm, window, &real, shown));
    Value::Object(data)
}

/// What was looked at, newest first, and the newest gaps up to N.
fn evaluated_datapoints(
    alarm: &MetricAlarm,
    window: &EvaluationWindow,
    real: &[Looked<'_>],
    shown: usize,
) -> Value {
    let mut gaps = shown.saturating_sub(real.len());
    let mut left = real.len();
    let mut all = Vec::new();
    for (at, slot) in window.newest_first() {
        let comparable = slot.filter(|point| breaches(alarm, point).is_some());
        match comparable {
            Some(point) if left > 0 => {
                left -= 1;
                let mut item = json!({"timestamp": instant(at)});
                if let (Some(count), Some(item)) = (point.sample_count, item.as_object_mut()) {
                    item.insert("sampleCount".into(), count.into());
                }
                if let Some(item) = item.as_object_mut() {
                    item.insert("value".into(), point.value.into());
                }
                all.push(item);
            }
            None if gaps > 0 => {
                gaps -= 1;
                all.push(json!({"timestamp": instant(at)}));
            }
            _ => {}
        }
    }
    all.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::{Band, evaluate};
    use crate::time::Period;

    fn window(values: &[Option<f64>]) -> EvaluationWindow {
        let end = Timestamp::parse("2019-10-02T17:04:00Z").unwrap();
        let slots = values.iter().map(|v| v.map(|v| Datapoint::new(v, 1.0))).collect();
        EvaluationWindow::new(end, Period::FIVE_MINUTES, slots)
    }

    fn alarm(m: u32, n: u32) -> MetricAlarm {
        MetricAlarm {
            threshold: Threshold::Static(50.0),
            ..MetricAlarm::example().with_period(300).with_periods(m, n)
        }
    }

    fn reason(alarm: &MetricAlarm, window: &EvaluationWindow, current: StateValue) -> String {
        evaluate(alarm, window, current).reason(alarm, window)
    }

    #[test]
    fn an_alarm_names_the_breaching_datapoints_newest_first() {
        let text = reason(&alarm(1, 1), &window(&[None, None, Some(99.5)]), StateValue::Ok);
        assert_eq!(
            text,
            "Threshold Crossed: 1 out of the last 1 datapoints [99.5 (02/10/19 16:59:00)] was \
             greater than the threshold (50.0) (minimum 1 datapoint for OK -> ALARM transition)."
        );
        let points = [None, None, Some(60.0), Some(1.0), Some(70.0)];
        assert_eq!(
            reason(&alarm(2, 3), &window(&points), StateValue::Ok),
            "Threshold Crossed: 2 out of the last 3 datapoints [70.0 (02/10/19 16:59:00), 60.0 \
             (02/10/19 16:49:00)] were greater than the threshold (50.0) (minimum 2 datapoints \
             for OK -> ALARM transition)."
        );
    }

    #[test]
    fn an_ok_names_the_good_datapoints_and_the_other_minimum() {
        let text = reason(&alarm(1, 1), &window(&[None, None, Some(1.0)]), StateValue::Alarm);
        assert_eq!(
            text,
            "Threshold Crossed: 1 out of the last 1 datapoints [1.0 (02/10/19 16:59:00)] was not \
             greater than the threshold (50.0) (minimum 1 datapoint for ALARM -> OK transition)."
        );
    }

    #[test]
    fn filled_and_unknown_datapoints_are_counted() {
        let nothing = window(&[None; 5]);
        for (mode, n, expected) in [
            (
                TreatMissingData::Breaching,
                2,
                "Threshold Crossed: no datapoints were received for 2 periods and 2 missing \
                 datapoints were treated as [Breaching].",
            ),
            (
                TreatMissingData::NotBreaching,
                1,
                "Threshold Crossed: no datapoints were received for 1 period and 1 missing \
                 datapoint was treated as [NonBreaching].",
            ),
            (TreatMissingData::Missing, 5, "Insufficient Data: 5 datapoints were unknown."),
            (TreatMissingData::Missing, 1, "Insufficient Data: 1 datapoint was unknown."),
        ] {
            let alarm = alarm(1, n).treating(mode);
            assert_eq!(reason(&alarm, &nothing, StateValue::InsufficientData), expected);
        }
    }

    #[test]
    fn a_mix_of_real_and_filled_datapoints_names_both() {
        let alarm = alarm(3, 3).treating(TreatMissingData::Breaching);
        let text = reason(&alarm, &window(&[None, None, None, Some(60.0), None]), StateValue::Ok);
        assert_eq!(
            text,
            "Threshold Crossed: 1 out of the last 3 datapoints [60.0 (02/10/19 16:54:00)] was \
             greater than the threshold (50.0) and 2 missing datapoints were treated as \
             [Breaching] (minimum 3 datapoints for OK -> ALARM transition)."
        );
    }

    #[test]
    fn a_band_alarm_names_both_ends() {
        let alarm = MetricAlarm {
            comparison: ComparisonOperator::LessThanLowerOrGreaterThanUpperThreshold,
            threshold: Threshold::Band("ad1".into()),
            ..alarm(1, 1)
        };
        let band = Some(Band { lower: 1.0, upper: 2.0 });
        let point = Datapoint { value: 9.0, sample_count: None, band };
        let window = EvaluationWindow::new(
            Timestamp::parse("2019-10-02T17:04:00Z").unwrap(),
            Period::FIVE_MINUTES,
            vec![None, None, Some(point)],
        );
        assert_eq!(
            reason(&alarm, &window, StateValue::Ok),
            "Thresholds Crossed: 1 out of the last 1 datapoints [9.0 (02/10/19 16:59:00)] was \
             less than the lower thresholds [1.0] or greater than the upper thresholds [2.0] \
             (minimum 1 datapoint for OK -> ALARM transition)."
        );
    }

    #[test]
    fn reason_data_lists_recent_oldest_first_and_evaluated_newest_first() {
        let alarm = alarm(2, 3);
        let window = window(&[None, None, Some(60.0), None, Some(70.0)]);
        let queried = Timestamp::parse("2019-10-02T17:04:40.985Z").unwrap();
        let text = evaluate(&alarm, &window, StateValue::Ok).reason_data(&alarm, &window, queried);
        assert_eq!(
            text,
            concat!(
                r#"{"version":"1.0","queryDate":"2019-10-02T17:04:40.985+0000","#,
                r#""startDate":"2019-10-02T16:49:00.000+0000","statistic":"Average","#,
                r#""period":300,"recentDatapoints":[60.0,70.0],"threshold":50.0,"#,
                r#""evaluatedDatapoints":[{"timestamp":"2019-10-02T16:59:00.000+0000","#,
                r#""sampleCount":1.0,"value":70.0},{"timestamp":"2019-10-02T16:54:00.000+0000"},"#,
                r#"{"timestamp":"2019-10-02T16:49:00.000+0000","sampleCount":1.0,"value":60.0}]}"#
            )
        );
    }

    #[test]
    fn reasons_of_wide_windows_stay_within_awss_fields() {
        let alarm = alarm(1, 288);
        let window = window(&[Some(60.0); 384]);
        let evaluation = evaluate(&alarm, &window, StateValue::Ok);
        assert!(evaluation.reason(&alarm, &window).chars().count() <= REASON_MAX);
        let data = evaluation.reason_data(&alarm, &window, Timestamp::EPOCH);
        assert!(data.len() <= REASON_DATA_MAX);
        assert!(serde_json::from_str::<Value>(&data).is_ok());
    }
}
