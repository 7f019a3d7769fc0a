use std::collections::BTreeSet;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::fault::{
    EXTENDED_STATISTIC, LOW_SAMPLE_PARAMETER, Must, QueriesFault, TREAT_MISSING_DATA,
};
use super::{
    AlarmActions, AlarmFault, AlarmOrigin, ComparisonOperator, Constraint, LowSampleCount,
    MetricAlarm, MetricDataQuery, NamedStatistic, SingleMetric, Tag, Threshold, TreatMissingData,
    Watched,
};
use crate::telemetry::{Dimensions, MetricId, StandardUnit};
use crate::time::{Period, Timestamp};

/// The input of PutMetricAlarm as it came over the wire: anything may be absent or wrong.
///
/// Source: CloudWatch API Reference, `PutMetricAlarm`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "each field is the API's member of the same name")]
pub struct PutMetricAlarm {
    pub alarm_name: Option<Arc<str>>,
    pub alarm_description: Option<Arc<str>>,
    pub actions_enabled: Option<bool>,
    #[serde(rename = "OKActions")]
    pub ok_actions: Vec<Arc<str>>,
    pub alarm_actions: Vec<Arc<str>>,
    pub insufficient_data_actions: Vec<Arc<str>>,
    pub metric_name: Option<Arc<str>>,
    pub namespace: Option<Arc<str>>,
    pub statistic: Option<Arc<str>>,
    pub extended_statistic: Option<Arc<str>>,
    pub dimensions: Dimensions,
    pub period: Option<i64>,
    pub unit: Option<Arc<str>>,
    pub evaluation_periods: Option<i64>,
    pub datapoints_to_alarm: Option<i64>,
    pub threshold: Option<f64>,
    pub comparison_operator: Option<Arc<str>>,
    pub treat_missing_data: Option<Arc<str>>,
    pub evaluate_low_sample_count_percentile: Option<Arc<str>>,
    pub metrics: Vec<MetricDataQuery>,
    pub threshold_metric_id: Option<Arc<str>>,
    pub tags: Vec<Tag>,
    pub evaluation_window: Option<EvaluationWindowKind>,
    #[serde(skip_serializing)]
    pub warm_up_configuration: Option<IgnoredAny>,
    #[serde(skip_serializing)]
    pub action_configuration: Option<IgnoredAny>,
    #[serde(skip_serializing)]
    pub evaluation_criteria: Option<IgnoredAny>,
    pub evaluation_interval: Option<i64>,
}

/// How the window of an alarm moves: sliding, as it always does here, or with the clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "each field is the API's member of the same name")]
pub struct EvaluationWindowKind {
    #[serde(skip_serializing)]
    pub sliding_window: Option<IgnoredAny>,
    #[serde(skip_serializing)]
    pub wall_clock_window: Option<IgnoredAny>,
}

const NAME_MAX: usize = 255;
const DESCRIPTION_MAX: usize = 1_024;
const ACTIONS_MAX: usize = 5;
const TAGS_MAX: usize = 50;
const QUERIES_MAX: usize = 10;
const DAY_SECS: u32 = 86_400;
const WEEK_SECS: u32 = 604_800;

const OPERATORS: &str = "GreaterThanOrEqualToThreshold, GreaterThanThreshold, \
     GreaterThanUpperThreshold, LessThanLowerOrGreaterThanUpperThreshold, \
     LessThanLowerThreshold, LessThanOrEqualToThreshold, LessThanThreshold";
const STATISTICS: &str = "SampleCount, Sum, Average, Maximum, Minimum";

impl PutMetricAlarm {
    /// Turns the input into an alarm, or says why AWS would refuse it.
    ///
    /// Errors: constraints of the API model first and all at once, then the first rule that is
    /// broken, in the order AWS checks them.
    pub fn validate(self, at: Timestamp) -> Result<MetricAlarm, AlarmFault> {
        self.check_constraints()?;
        self.check_support()?;
        let comparison = self.comparison_operator.as_deref().and_then(ComparisonOperator::parse);
        let (Some(name), Some(comparison)) = (self.alarm_name.clone(), comparison) else {
            // Both were just checked.
            return Err(AlarmFault::Missing { parameter: "AlarmName" });
        };
        let treat_missing_data = self
            .treat_missing_data
            .as_ref()
            .map(|text| known(TREAT_MISSING_DATA, text, TreatMissingData::parse))
            .transpose()?;
        let watched = self.watched(comparison)?;
        let threshold = self.threshold(comparison, &watched)?;
        let low_sample_count = self.low_sample_count(&watched)?;
        let (evaluation_periods, datapoints_to_alarm) = self.periods(watched.period())?;
        let actions = AlarmActions {
            enabled: self.actions_enabled.unwrap_or(true),
            ok: self.ok_actions,
            alarm: self.alarm_actions,
            insufficient_data: self.insufficient_data_actions,
        };
        Ok(MetricAlarm {
            name,
            description: self.alarm_description,
            actions,
            watched,
            evaluation_periods,
            datapoints_to_alarm,
            comparison,
            threshold,
            treat_missing_data,
            low_sample_count,
            origin: AlarmOrigin::Api,
            tags: self.tags,
            configured: at,
        })
    }

    fn check_constraints(&self) -> Result<(), AlarmFault> {
        let mut found = Vec::new();
        check_name(&mut found, "alarmName", self.alarm_name.as_deref());
        check_length(
            &mut found,
            "alarmDescription",
            self.alarm_description.as_deref(),
            DESCRIPTION_MAX,
        );
        check_actions(&mut found, "oKActions", &self.ok_actions);
        check_actions(&mut found, "alarmActions", &self.alarm_actions);
        check_actions(&mut found, "insufficientDataActions", &self.insufficient_data_actions);
        check_length(&mut found, "metricName", self.metric_name.as_deref(), NAME_MAX);
        check_length(&mut found, "namespace", self.namespace.as_deref(), NAME_MAX);
        check_from_one(&mut found, "period", self.period);
        check_from_one(&mut found, "evaluationPeriods", self.evaluation_periods);
        check_from_one(&mut found, "datapointsToAlarm", self.datapoints_to_alarm);
        let mut push = |member, value, must| found.push(Constraint { member, value, must });
        if self.evaluation_periods.is_none() {
            push("evaluationPeriods", None, Must::BePresent);
        }
        match self.comparison_operator.as_deref() {
            None => push("comparisonOperator", None, Must::BePresent),
            Some(text) if ComparisonOperator::parse(text).is_none() => {
                push("comparisonOperator", Some(text.to_owned()), Must::BeIn(OPERATORS));
            }
            Some(_) => {}
        }
        if let Some(text) = self.statistic.as_deref()
            && basic(text).is_none()
        {
            push("statistic", Some(text.to_owned()), Must::BeIn(STATISTICS));
        }
        if let Some(text) = self.unit.as_deref()
            && text.parse::<StandardUnit>().is_err()
        {
            push("unit", Some(text.to_owned()), Must::BeIn(UNITS));
        }
        if self.tags.len() > TAGS_MAX {
            push("tags", Some(format!("{} tags", self.tags.len())), Must::HaveLengthTo(TAGS_MAX));
        }
        if found.is_empty() { Ok(()) } else { Err(AlarmFault::Constraints(found)) }
    }

    /// What is not carried out here is refused: an alarm that is judged by other rules than those
    /// that were asked for would be a silent wrong answer.
    fn check_support(&self) -> Result<(), AlarmFault> {
        let wall_clock = self.evaluation_window.as_ref().and_then(|w| w.wall_clock_window);
        let asked = [
            ("EvaluationCriteria", self.evaluation_criteria.is_some()),
            ("EvaluationInterval", self.evaluation_interval.is_some()),
            ("EvaluationWindow.WallClockWindow", wall_clock.is_some()),
            ("WarmUpConfiguration", self.warm_up_configuration.is_some()),
            ("ActionConfiguration", self.action_configuration.is_some()),
        ];
        match asked.into_iter().find(|(_, given)| *given) {
            Some((parameter, _)) => Err(AlarmFault::NotSupported { parameter }),
            None => Ok(()),
        }
    }

    fn watched(&self, comparison: ComparisonOperator) -> Result<Watched, AlarmFault> {
        if self.metrics.is_empty() {
            return self.single_metric().map(Watched::Metric);
        }
        let excluded = [
            ("MetricName", self.metric_name.is_some()),
            ("Namespace", self.namespace.is_some()),
            ("Dimensions", !self.dimensions.is_empty()),
            ("Period", self.period.is_some()),
            ("Statistic", self.statistic.is_some()),
            (EXTENDED_STATISTIC, self.extended_statistic.is_some()),
            ("Unit", self.unit.is_some()),
        ];
        if let Some((other, _)) = excluded.into_iter().find(|(_, given)| *given) {
            return Err(AlarmFault::Exclusive { one: "Metrics", other });
        }
        let period = queries_period(&self.metrics, comparison).map_err(AlarmFault::Queries)?;
        Ok(Watched::Queries { queries: self.metrics.clone(), period: alarm_period(period)? })
    }

    fn single_metric(&self) -> Result<SingleMetric, AlarmFault> {
        let metric_name = required("MetricName", self.metric_name.clone())?;
        let namespace = required("Namespace", self.namespace.clone())?;
        let statistic = match (self.statistic.as_deref(), self.extended_statistic.as_ref()) {
            (Some(_), Some(_)) => {
                return Err(AlarmFault::Exclusive { one: "Statistic", other: EXTENDED_STATISTIC });
            }
            (None, None) => return Err(AlarmFault::Missing { parameter: "Statistic" }),
            (Some(text), None) => required("Statistic", basic(text))?,
            (None, Some(text)) => known(EXTENDED_STATISTIC, text, extended)?,
        };
        let seconds = required("Period", self.period)?;
        let seconds = u32::try_from(seconds).map_err(|_large| AlarmFault::Period)?;
        let unit = self.unit.as_deref().and_then(|text| text.parse().ok());
        let dimensions = self.dimensions.clone();
        Ok(SingleMetric {
            metric: MetricId { namespace, metric_name, dimensions },
            statistic,
            period: alarm_period(seconds)?,
            unit,
        })
    }

    fn threshold(
        &self,
        comparison: ComparisonOperator,
        watched: &Watched,
    ) -> Result<Threshold, AlarmFault> {
        match (self.threshold, self.threshold_metric_id.as_ref()) {
            (Some(_), Some(_)) => {
                Err(AlarmFault::Exclusive { one: "Threshold", other: "ThresholdMetricId" })
            }
            (Some(limit), None) if !comparison.needs_band() => Ok(Threshold::Static(limit)),
            (None, Some(id)) if comparison.needs_band() => match watched {
                Watched::Queries { queries, .. } if queries.iter().any(|q| q.id == *id) => {
                    Ok(Threshold::Band(Arc::clone(id)))
                }
                _ => Err(AlarmFault::Queries(QueriesFault::UnknownThreshold)),
            },
            _ if comparison.needs_band() => {
                Err(AlarmFault::Missing { parameter: "ThresholdMetricId" })
            }
            _ => Err(AlarmFault::Missing { parameter: "Threshold" }),
        }
    }

    fn low_sample_count(&self, watched: &Watched) -> Result<Option<LowSampleCount>, AlarmFault> {
        let Some(text) = self.evaluate_low_sample_count_percentile.as_ref() else {
            return Ok(None);
        };
        let value = known(LOW_SAMPLE_PARAMETER, text, LowSampleCount::parse)?;
        match watched {
            Watched::Metric(single) if !single.statistic.statistic().is_extended() => {
                Err(AlarmFault::Exclusive { one: LOW_SAMPLE_PARAMETER, other: "Statistic" })
            }
            _ => Ok(Some(value)),
        }
    }

    /// N and M, checked against each other and against the longest window of `period`.
    fn periods(&self, period: Period) -> Result<(u32, Option<u32>), AlarmFault> {
        let max_secs = span_secs_max(period);
        let too_long = AlarmFault::Span { max_secs };
        let evaluated = required("EvaluationPeriods", self.evaluation_periods)?;
        let evaluated = u32::try_from(evaluated).map_err(|_large| too_long.clone())?;
        if u64::from(evaluated) * u64::from(period.as_secs()) > u64::from(max_secs) {
            return Err(too_long);
        }
        let to_alarm = match self.datapoints_to_alarm.map(u32::try_from) {
            None => None,
            Some(Ok(count)) if count <= evaluated => Some(count),
            Some(_) => return Err(AlarmFault::MoreToAlarmThanEvaluated),
        };
        Ok((evaluated, to_alarm))
    }
}

const UNITS: &str = "Hours, Minutes, Days, Seconds, Microseconds, Milliseconds, Bytes, Kilobytes, \
     Megabytes, Gigabytes, Terabytes, Bits, Kilobits, Megabits, Gigabits, Terabits, Percent, \
     Count, Bytes/Second, Kilobytes/Second, Megabytes/Second, Gigabytes/Second, \
     Terabytes/Second, Bits/Second, Kilobits/Second, Megabits/Second, Gigabits/Second, \
     Terabits/Second, Count/Second, None";

/// Checks an alarm's name: it is there, of a fitting length, and free of control characters.
pub(super) fn check_name(found: &mut Vec<Constraint>, member: &'static str, name: Option<&str>) {
    let Some(name) = name else {
        found.push(Constraint { member, value: None, must: Must::BePresent });
        return;
    };
    let length = name.chars().count();
    let must = match length {
        0 => Must::HaveLengthFrom(1),
        _ if length > NAME_MAX => Must::HaveLengthTo(NAME_MAX),
        _ if name.chars().any(|c| c.is_ascii_control()) => Must::MatchPattern("[^\\x00-\\x1F]+"),
        _ => return,
    };
    found.push(Constraint { member, value: Some(name.to_owned()), must });
}

/// Checks that a text has at most `max` characters.
pub(super) fn check_length(
    found: &mut Vec<Constraint>,
    member: &'static str,
    text: Option<&str>,
    max: usize,
) {
    if let Some(text) = text
        && text.chars().count() > max
    {
        let must = Must::HaveLengthTo(max);
        found.push(Constraint { member, value: Some(text.to_owned()), must });
    }
}

/// Checks that a state has at most five actions.
pub(super) fn check_actions(
    found: &mut Vec<Constraint>,
    member: &'static str,
    actions: &[Arc<str>],
) {
    if actions.len() > ACTIONS_MAX {
        let value = Some(format!("[{}]", actions.join(", ")));
        found.push(Constraint { member, value, must: Must::HaveLengthTo(ACTIONS_MAX) });
    }
}

fn check_from_one(found: &mut Vec<Constraint>, member: &'static str, value: Option<i64>) {
    if let Some(value) = value
        && value < 1
    {
        found.push(Constraint { member, value: Some(value.to_string()), must: Must::BeFrom(1) });
    }
}

fn required<T>(parameter: &'static str, value: Option<T>) -> Result<T, AlarmFault> {
    value.ok_or(AlarmFault::Missing { parameter })
}

fn known<T>(
    parameter: &'static str,
    text: &Arc<str>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, AlarmFault> {
    parse(text).ok_or_else(|| AlarmFault::Unsupported { parameter, value: Arc::clone(text) })
}

fn basic(text: &str) -> Option<NamedStatistic> {
    text.parse().ok().filter(|named: &NamedStatistic| !named.statistic().is_extended())
}

fn extended(text: &str) -> Option<NamedStatistic> {
    text.parse().ok().filter(|named: &NamedStatistic| named.statistic().is_extended())
}

/// The longest window of an alarm on datapoints this wide, in seconds.
pub(super) const fn span_secs_max(period: Period) -> u32 {
    if period.as_secs() < 3_600 { DAY_SECS } else { WEEK_SECS }
}

/// The period of an alarm: narrower choice than a metric's.
pub(super) fn alarm_period(seconds: u32) -> Result<Period, AlarmFault> {
    let published = matches!(seconds, 10 | 20 | 30) || seconds.is_multiple_of(60);
    match Period::new(seconds) {
        Ok(period) if published => Ok(period),
        _ => Err(AlarmFault::Period),
    }
}

/// Checks an alarm's `Metrics` and gives the period they share.
fn queries_period(
    queries: &[MetricDataQuery],
    comparison: ComparisonOperator,
) -> Result<u32, QueriesFault> {
    if queries.len() > QUERIES_MAX {
        return Err(QueriesFault::TooMany);
    }
    let returned = queries.iter().filter(|query| query.returns_data()).count();
    match comparison.needs_band() {
        true if returned != 2 => return Err(QueriesFault::NotTwoReturned),
        false if returned != 1 => return Err(QueriesFault::NotOneReturned),
        _ => {}
    }
    let mut ids = BTreeSet::new();
    let mut periods = BTreeSet::new();
    for query in queries {
        if !is_query_id(&query.id) {
            return Err(QueriesFault::BadId);
        }
        if !ids.insert(&query.id) {
            return Err(QueriesFault::DuplicateId);
        }
        if query.metric_stat.is_some() == query.expression.is_some() {
            return Err(QueriesFault::NotOneSource);
        }
        let searches = |text: &str| text.to_ascii_uppercase().contains("SEARCH(");
        if query.expression.as_deref().is_some_and(searches) {
            return Err(QueriesFault::Search);
        }
        periods.extend(query.period_secs());
    }
    match (periods.len(), periods.first()) {
        (1, Some(period)) => Ok(*period),
        (0, _) => Err(QueriesFault::NoPeriod),
        _ => Err(QueriesFault::MixedPeriods),
    }
}

fn is_query_id(id: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
    id.len() <= NAME_MAX && id.starts_with(|c: char| c.is_ascii_lowercase()) && id.chars().all(rest)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::alarm::FaultCode;

    fn input(changes: &Value) -> PutMetricAlarm {
        let mut input = json!({
            "AlarmName": "cpu", "MetricName": "CPU", "Namespace": "App", "Statistic": "Average",
            "Period": 60, "EvaluationPeriods": 3, "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanThreshold"
        });
        for (key, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(input.as_object_mut().unwrap().remove(key)),
                value => input[key] = value.clone(),
            }
        }
        serde_json::from_value(input).unwrap()
    }

    fn fault(changes: &Value) -> AlarmFault {
        input(changes).validate(Timestamp::EPOCH).unwrap_err()
    }

    #[test]
    fn a_plain_alarm_takes_the_published_defaults() {
        let alarm = input(&json!({})).validate(Timestamp::from_secs(7)).unwrap();
        assert!(alarm.actions.enabled);
        assert_eq!(alarm.datapoints_to_alarm(), 3);
        assert_eq!(alarm.datapoints_to_alarm, None);
        assert_eq!(alarm.treat_missing_data(), TreatMissingData::Missing);
        assert_eq!(alarm.configured, Timestamp::from_secs(7));
    }

    #[test]
    fn recorded_messages_are_repeated_word_for_word() {
        use FaultCode::{InvalidParameterValue, ValidationError};
        for (changes, code, message) in [
            (json!({"Period": 45}), ValidationError, "Period must be 10, 30 or a multiple of 60"),
            (
                json!({"TreatMissingData": "bad"}),
                ValidationError,
                "The value bad is not supported for TreatMissingData parameter. Supported values \
                 are [breaching, notBreaching, ignore, missing].",
            ),
            (
                json!({"EvaluateLowSampleCountPercentile": "x"}),
                ValidationError,
                "Option x is not supported. Supported options for parameter \
                 EvaluateLowSampleCountPercentile are evaluate and ignore.",
            ),
            (
                json!({"Statistic": null, "ExtendedStatistic": "p101"}),
                InvalidParameterValue,
                "The value p101 for parameter ExtendedStatistic is not supported.",
            ),
            (
                json!({"EvaluationPeriods": 1441}),
                ValidationError,
                "Metrics cannot be checked across more than a day (EvaluationPeriods * Period \
                 must be <= 86400).",
            ),
            (
                json!({"AlarmName": null}),
                ValidationError,
                "1 validation error detected: Value null at 'alarmName' failed to satisfy \
                 constraint: Member must not be null",
            ),
        ] {
            let fault = fault(&changes);
            assert_eq!(fault.to_string(), message);
            assert_eq!(fault.code(), code, "{changes}");
        }
    }

    #[test]
    fn every_broken_constraint_is_reported_at_once() {
        let fault = fault(&json!({"Period": 0, "EvaluationPeriods": -1, "Statistic": "Mean"}));
        let AlarmFault::Constraints(found) = &fault else { panic!("{fault}") };
        let members: Vec<&str> = found.iter().map(|constraint| constraint.member).collect();
        assert_eq!(members, ["period", "evaluationPeriods", "statistic"]);
        assert!(fault.to_string().starts_with("3 validation errors detected: Value '0' at"));
    }

    #[test]
    fn parameters_that_exclude_each_other_are_named() {
        for (changes, one, other) in [
            (json!({"ExtendedStatistic": "p9"}), "Statistic", "ExtendedStatistic"),
            (json!({"ThresholdMetricId": "a"}), "Threshold", "ThresholdMetricId"),
            (json!({"Metrics": [{"Id": "a", "Expression": "1"}]}), "Metrics", "MetricName"),
        ] {
            assert_eq!(fault(&changes), AlarmFault::Exclusive { one, other });
        }
    }

    #[test]
    fn the_span_is_a_week_from_one_hour_periods_on() {
        let alarm = |period, periods| {
            input(&json!({"Period": period, "EvaluationPeriods": periods}))
                .validate(Timestamp::EPOCH)
                .map(drop)
        };
        assert_eq!(alarm(60, 1_440), Ok(()));
        assert_eq!(alarm(3_600, 168), Ok(()));
        assert_eq!(alarm(3_600, 169), Err(AlarmFault::Span { max_secs: WEEK_SECS }));
        assert_eq!(alarm(20, 3), Ok(()));
        assert_eq!(alarm(5, 3), Err(AlarmFault::Period));
    }

    #[test]
    fn metrics_must_make_one_series_of_one_period() {
        let metric = json!({"Namespace": "N", "MetricName": "M"});
        let stat = |period: u32| json!({"Metric": metric, "Period": period, "Stat": "Sum"});
        let off =
            |id: &str, period| json!({"Id": id, "MetricStat": stat(period), "ReturnData": false});
        for (metrics, expected) in [
            (json!([off("a", 60)]), Err(QueriesFault::NotOneReturned)),
            (json!([off("a", 60), {"Id": "e", "Expression": "a*2"}]), Ok(())),
            (
                json!([off("a", 60), off("b", 300), {"Id": "e", "Expression": "a*b"}]),
                Err(QueriesFault::MixedPeriods),
            ),
            (
                json!([off("a", 60), off("a", 60), {"Id": "e", "Expression": "a"}]),
                Err(QueriesFault::DuplicateId),
            ),
            (json!([{"Id": "E", "Expression": "1"}]), Err(QueriesFault::BadId)),
            (json!([{"Id": "e", "Expression": "TIME_SERIES(1)"}]), Err(QueriesFault::NoPeriod)),
            (
                json!([{"Id": "e", "Expression": "SUM(SEARCH('x','Sum'))", "Period": 60}]),
                Err(QueriesFault::Search),
            ),
        ] {
            let input = input(&json!({
                "MetricName": null, "Namespace": null, "Statistic": null, "Period": null,
                "Metrics": metrics
            }));
            let outcome = input.validate(Timestamp::EPOCH).map(drop);
            assert_eq!(outcome, expected.map_err(AlarmFault::Queries), "{metrics}");
        }
    }
}
