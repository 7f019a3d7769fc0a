use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;

use super::{
    AlarmFault, AlarmOrigin, CompositeAlarm, MetricAlarm, PutCompositeAlarm, PutMetricAlarm,
    Threshold, Watched,
};
use crate::telemetry::Dimension;

/// Why an alarm cannot be changed so.
#[derive(Debug, Error)]
pub enum EditFault {
    /// There is no such setting.
    #[error("alarms of this kind have no setting `{name}`; there are {}", .known.join(", "))]
    Unknown {
        /// As given.
        name: String,
        /// What can be set.
        known: &'static [&'static str],
    },
    /// The value is not of the setting's type.
    #[error("`{value}` is no value for `{name}`")]
    Value {
        /// The setting.
        name: String,
        /// As given.
        value: String,
    },
    /// AWS would refuse the alarm.
    #[error("{0}")]
    Refused(AlarmFault),
}

const METRIC_SETTINGS: &[&str] = &[
    "Threshold",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Period",
    "Statistic",
    "ExtendedStatistic",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
    "Unit",
];
const COMPOSITE_SETTINGS: &[&str] = &[
    "AlarmRule",
    "ActionsSuppressor",
    "ActionsSuppressorWaitPeriod",
    "ActionsSuppressorExtensionPeriod",
];

impl MetricAlarm {
    /// The same alarm with some settings changed, by their names in PutMetricAlarm.
    ///
    /// Errors: as PutMetricAlarm's. Where an alarm comes from, and what that means for it, stays.
    pub fn edited(&self, settings: &[(String, String)]) -> Result<Self, EditFault> {
        let mut input = PutMetricAlarm::from(self);
        for (name, value) in settings {
            // One kind of statistic replaces the other, and either may be called by either name.
            if name == "Statistic" || name == "ExtendedStatistic" {
                (input.statistic, input.extended_statistic) = statistic(value);
                continue;
            }
            input = set(&input, METRIC_SETTINGS, (name, value))?;
        }
        let alarm = input.validate(self.configured).map_err(EditFault::Refused)?;
        Ok(Self { origin: self.origin.clone(), ..alarm })
    }

    /// The condition in one line: `Average SuccessPercent{CanaryName=shop} < 100 for 2 of 3 ..`.
    pub fn in_words(&self) -> String {
        let watched = match &self.watched {
            Watched::Metric(single) => {
                let pair =
                    |dimension: &Dimension| format!("{}={}", dimension.name, dimension.value);
                let pairs: Vec<String> = single.metric.dimensions.iter().map(pair).collect();
                let shown = if pairs.is_empty() {
                    String::new()
                } else {
                    format!("{{{}}}", pairs.join(","))
                };
                format!("{} {}{shown}", single.statistic.name(), single.metric.metric_name)
            }
            Watched::Queries { queries, .. } => {
                let watched = queries.iter().find(|query| query.returns_data());
                let text = watched.and_then(|query| query.expression.as_deref());
                text.or_else(|| watched.map(|query| &*query.id)).unwrap_or("").to_owned()
            }
        };
        let limit = match &self.threshold {
            Threshold::Static(limit) => limit.to_string(),
            Threshold::Band(id) => id.to_string(),
        };
        let (m, n, period) = (self.datapoints_to_alarm(), self.evaluation_periods, self.period());
        let noun = if n == 1 { "period" } else { "periods" };
        let (sign, missing) = (self.comparison.sign(), self.treat_missing_data());
        format!("{watched} {sign} {limit} for {m} of {n} {noun} of {period}, missing: {missing}")
    }
}

impl CompositeAlarm {
    /// The same alarm with some settings changed, by their names in PutCompositeAlarm.
    ///
    /// Errors: as PutCompositeAlarm's.
    pub fn edited(&self, settings: &[(String, String)]) -> Result<Self, EditFault> {
        let mut input = PutCompositeAlarm::from(self);
        for (name, value) in settings {
            input = set(&input, COMPOSITE_SETTINGS, (name, value))?;
        }
        input.validate(self.configured).map_err(EditFault::Refused)
    }
}

fn set<T>(
    input: &T,
    known: &'static [&'static str],
    (name, value): (&str, &str),
) -> Result<T, EditFault>
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    if !known.contains(&name) {
        return Err(EditFault::Unknown { name: name.to_owned(), known });
    }
    let refused = || EditFault::Value { name: name.to_owned(), value: value.to_owned() };
    let mut document = serde_json::to_value(input).map_err(|_never| refused())?;
    let with = |value: Value, document: &mut Value| {
        document.as_object_mut()?.insert(name.to_owned(), value);
        serde_json::from_value(document.clone()).ok()
    };
    // A number where the setting is one, else a text.
    let number = serde_json::from_str::<Value>(value).ok().filter(Value::is_number);
    number
        .and_then(|number| with(number, &mut document))
        .or_else(|| with(Value::String(value.to_owned()), &mut document))
        .ok_or_else(refused)
}

fn statistic(text: &str) -> (Option<Arc<str>>, Option<Arc<str>>) {
    const BASIC: [&str; 5] = ["SampleCount", "Sum", "Average", "Maximum", "Minimum"];
    if BASIC.contains(&text) { (Some(text.into()), None) } else { (None, Some(text.into())) }
}

impl From<&MetricAlarm> for PutMetricAlarm {
    /// The input that makes the alarm what it is.
    fn from(alarm: &MetricAlarm) -> Self {
        let mut input = Self {
            alarm_name: Some(Arc::clone(&alarm.name)),
            alarm_description: alarm.description.clone(),
            actions_enabled: Some(alarm.actions.enabled),
            ok_actions: alarm.actions.ok.clone(),
            alarm_actions: alarm.actions.alarm.clone(),
            insufficient_data_actions: alarm.actions.insufficient_data.clone(),
            evaluation_periods: Some(i64::from(alarm.evaluation_periods)),
            datapoints_to_alarm: alarm.datapoints_to_alarm.map(i64::from),
            comparison_operator: Some(alarm.comparison.as_str().into()),
            treat_missing_data: alarm.treat_missing_data.map(|mode| mode.as_str().into()),
            evaluate_low_sample_count_percentile: alarm.low_sample_count.map(|l| l.as_str().into()),
            tags: alarm.tags.clone(),
            ..Self::default()
        };
        match &alarm.threshold {
            Threshold::Static(limit) => input.threshold = Some(*limit),
            Threshold::Band(id) => input.threshold_metric_id = Some(Arc::clone(id)),
        }
        match &alarm.watched {
            Watched::Metric(single) => {
                input.namespace = Some(Arc::clone(&single.metric.namespace));
                input.metric_name = Some(Arc::clone(&single.metric.metric_name));
                input.dimensions = single.metric.dimensions.clone();
                input.period = Some(i64::from(single.period.as_secs()));
                input.unit = single.unit.map(|unit| unit.as_str().into());
                (input.statistic, input.extended_statistic) = statistic(single.statistic.name());
            }
            Watched::Queries { queries, .. } => input.metrics = queries.clone(),
        }
        input
    }
}

impl From<&CompositeAlarm> for PutCompositeAlarm {
    /// The input that makes the alarm what it is.
    fn from(alarm: &CompositeAlarm) -> Self {
        let suppressor = alarm.suppressor.as_ref();
        Self {
            alarm_name: Some(Arc::clone(&alarm.name)),
            alarm_description: alarm.description.clone(),
            actions_enabled: Some(alarm.actions.enabled),
            ok_actions: alarm.actions.ok.clone(),
            alarm_actions: alarm.actions.alarm.clone(),
            insufficient_data_actions: alarm.actions.insufficient_data.clone(),
            alarm_rule: Some(alarm.rule.text().into()),
            actions_suppressor: suppressor.map(|s| Arc::clone(&s.alarm)),
            actions_suppressor_wait_period: suppressor.map(|s| i64::from(s.wait_secs)),
            actions_suppressor_extension_period: suppressor.map(|s| i64::from(s.extension_secs)),
            tags: alarm.tags.clone(),
            action_configuration: None,
        }
    }
}

impl AlarmOrigin {
    /// The canary whose file declares the alarm.
    pub const fn canary(&self) -> Option<&Arc<str>> {
        match self {
            Self::Api => None,
            Self::CanaryFile { canary } => Some(canary),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(settings: &[(&str, &str)]) -> Result<MetricAlarm, EditFault> {
        let settings: Vec<_> =
            settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let canary = AlarmOrigin::CanaryFile { canary: "shop".into() };
        MetricAlarm { origin: canary, ..MetricAlarm::example().with_periods(2, 3) }
            .edited(&settings)
    }

    #[test]
    fn an_alarm_is_changed_in_what_is_named_and_in_nothing_else() {
        let changed = edited(&[("Threshold", "90"), ("Statistic", "p99"), ("Period", "300")]);
        let changed = changed.unwrap();
        let words = changed.in_words();
        assert!(words.starts_with("p99 "), "{words}");
        assert!(words.ends_with("> 90 for 2 of 3 periods of 5m, missing: missing"), "{words}");
        assert_eq!(changed.origin.canary().map(|c| &**c), Some("shop"));
        assert_eq!(edited(&[]).unwrap(), {
            let canary = AlarmOrigin::CanaryFile { canary: "shop".into() };
            MetricAlarm { origin: canary, ..MetricAlarm::example().with_periods(2, 3) }
        });
    }

    #[test]
    fn what_cannot_be_set_is_named() {
        for (setting, fault) in [
            (("Treshold", "90"), "alarms of this kind have no setting `Treshold`; there are "),
            (("Threshold", "high"), "`high` is no value for `Threshold`"),
            (("DatapointsToAlarm", "4"), ""),
            (("TreatMissingData", "maybe"), "The value maybe is not supported"),
        ] {
            let found = edited(&[setting]).unwrap_err().to_string();
            assert!(found.starts_with(fault), "{setting:?}: {found}");
        }
    }
}
