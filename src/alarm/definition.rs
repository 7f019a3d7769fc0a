use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::StateValue;
use crate::query::statistic::{Statistic, StatisticError};
use crate::telemetry::{Dimensions, MetricId, Scope, StandardUnit};
use crate::time::{Period, TimeRange, Timestamp};

macro_rules! named {
    (
        $(#[$doc:meta])* $name:ident {
            $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of the API reference.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The value with that name.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

named! {
    /// How a datapoint, on the left, is compared with the threshold.
    ComparisonOperator {
        /// `>=`
        GreaterThanOrEqualToThreshold = "GreaterThanOrEqualToThreshold",
        /// `>`
        GreaterThanThreshold = "GreaterThanThreshold",
        /// `<`
        LessThanThreshold = "LessThanThreshold",
        /// `<=`
        LessThanOrEqualToThreshold = "LessThanOrEqualToThreshold",
        /// Outside the band.
        LessThanLowerOrGreaterThanUpperThreshold = "LessThanLowerOrGreaterThanUpperThreshold",
        /// Below the band.
        LessThanLowerThreshold = "LessThanLowerThreshold",
        /// Above the band.
        GreaterThanUpperThreshold = "GreaterThanUpperThreshold",
    }
}

impl ComparisonOperator {
    /// How people write it.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::GreaterThanOrEqualToThreshold => ">=",
            Self::GreaterThanThreshold => ">",
            Self::LessThanThreshold => "<",
            Self::LessThanOrEqualToThreshold => "<=",
            Self::LessThanLowerOrGreaterThanUpperThreshold => "outside",
            Self::LessThanLowerThreshold => "below",
            Self::GreaterThanUpperThreshold => "above",
        }
    }

    /// Whether it compares with a band instead of a number.
    pub const fn needs_band(self) -> bool {
        matches!(
            self,
            Self::LessThanLowerOrGreaterThanUpperThreshold
                | Self::LessThanLowerThreshold
                | Self::GreaterThanUpperThreshold
        )
    }
}

named! {
    /// What a missing datapoint counts as.
    TreatMissingData {
        /// As bad.
        Breaching = "breaching",
        /// As good.
        NotBreaching = "notBreaching",
        /// As nothing; the state is kept.
        Ignore = "ignore",
        /// As nothing; without any datapoint the state is INSUFFICIENT_DATA.
        Missing = "missing",
    }
}

named! {
    /// What a percentile of too few samples counts as.
    LowSampleCount {
        /// As any other datapoint.
        Evaluate = "evaluate",
        /// As a reason to keep the state.
        Ignore = "ignore",
    }
}

/// A statistic under the name it was asked for by: `TM(:90%)` stays that, though it is `tm90`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamedStatistic {
    name: Arc<str>,
    statistic: Statistic,
}

impl NamedStatistic {
    /// Its name, as it was written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is computed.
    pub const fn statistic(&self) -> Statistic {
        self.statistic
    }
}

impl From<Statistic> for NamedStatistic {
    fn from(statistic: Statistic) -> Self {
        Self { name: statistic.to_string().into(), statistic }
    }
}

impl FromStr for NamedStatistic {
    type Err = StatisticError;

    fn from_str(text: &str) -> Result<Self, StatisticError> {
        Ok(Self { name: text.into(), statistic: text.parse()? })
    }
}

impl TryFrom<String> for NamedStatistic {
    type Error = StatisticError;

    fn try_from(text: String) -> Result<Self, StatisticError> {
        text.parse()
    }
}

impl From<NamedStatistic> for String {
    fn from(named: NamedStatistic) -> Self {
        named.name.as_ref().to_owned()
    }
}

/// What an alarm compares its datapoints with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Threshold {
    /// A number.
    Static(f64),
    /// The band that the query with this id yields.
    Band(Arc<str>),
}

/// One metric, as the API names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Metric {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub metric_name: Arc<str>,
    /// Its exact dimensions.
    #[serde(default)]
    pub dimensions: Dimensions,
}

/// One statistic of one metric, as the API names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetricStat {
    /// The metric.
    pub metric: Metric,
    /// The width of a datapoint, in seconds.
    pub period: u32,
    /// The statistic.
    pub stat: Arc<str>,
    /// Only samples in this unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<StandardUnit>,
}

/// One item of an alarm's `Metrics`: a metric, or an expression over other items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetricDataQuery {
    /// Names the item for expressions.
    pub id: Arc<str>,
    /// The metric, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_stat: Option<MetricStat>,
    /// The expression, when it is one; its text is `query`'s to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<Arc<str>>,
    /// What to call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Arc<str>>,
    /// Whether the alarm watches it; absent means yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_data: Option<bool>,
    /// The width of a datapoint, for expressions that have no metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<u32>,
    /// The account the metric is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Arc<str>>,
}

impl MetricDataQuery {
    /// Whether the alarm watches it.
    pub fn returns_data(&self) -> bool {
        self.return_data.unwrap_or(true)
    }

    /// The width of its datapoints, where it says one.
    pub fn period_secs(&self) -> Option<u32> {
        self.metric_stat.as_ref().map(|stat| stat.period).or(self.period)
    }
}

/// One metric that an alarm watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SingleMetric {
    /// The metric.
    pub metric: MetricId,
    /// Which statistic of it.
    pub statistic: NamedStatistic,
    /// The width of a datapoint.
    pub period: Period,
    /// Only samples in this unit; a wrong unit leaves the alarm without data for ever.
    pub unit: Option<StandardUnit>,
}

/// What an alarm watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Watched {
    /// One metric.
    Metric(SingleMetric),
    /// Metrics joined by an expression, or a query.
    Queries {
        /// The items; their texts are not interpreted here.
        queries: Vec<MetricDataQuery>,
        /// The width of a datapoint, the same throughout.
        period: Period,
    },
}

impl Watched {
    /// The width of a datapoint.
    pub const fn period(&self) -> Period {
        match self {
            Self::Metric(single) => single.period,
            Self::Queries { period, .. } => *period,
        }
    }
}

/// What is done on a transition; ARNs, at most five a state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmActions {
    /// Whether any of them is done.
    pub enabled: bool,
    /// On a transition to OK.
    pub ok: Vec<Arc<str>>,
    /// On a transition to ALARM.
    pub alarm: Vec<Arc<str>>,
    /// On a transition to INSUFFICIENT_DATA.
    pub insufficient_data: Vec<Arc<str>>,
}

impl AlarmActions {
    /// What is to be done on a transition to `state`.
    pub fn of(&self, state: StateValue) -> &[Arc<str>] {
        match state {
            _ if !self.enabled => &[],
            StateValue::Ok => &self.ok,
            StateValue::Alarm => &self.alarm,
            StateValue::InsufficientData => &self.insufficient_data,
        }
    }
}

/// A tag of an alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    /// Its key.
    pub key: Arc<str>,
    /// Its value.
    pub value: Arc<str>,
}

/// Where an alarm comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlarmOrigin {
    /// Somebody put it through the API; it behaves as in AWS in everything.
    #[default]
    Api,
    /// A canary file declares it; it lives as long as the declaration.
    ///
    /// Differs: the current period counts as soon as it has a sample, where AWS waits for its end,
    /// so that a failed run alarms within a second; and its first OK is not told to anybody.
    CanaryFile {
        /// The canary.
        canary: Arc<str>,
    },
}

/// An alarm on a metric, valid by construction: see [`super::PutMetricAlarm::validate`].
///
/// Optional fields that AWS returns only when they were set stay `None`; the accessors know the
/// defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricAlarm {
    /// Its name, unique in its scope over all kinds of alarms.
    pub name: Arc<str>,
    /// What it is for.
    pub description: Option<Arc<str>>,
    /// What is done on a transition.
    pub actions: AlarmActions,
    /// What it watches.
    pub watched: Watched,
    /// N: how many datapoints are looked at.
    pub evaluation_periods: u32,
    /// M: how many of them must breach.
    pub datapoints_to_alarm: Option<u32>,
    /// How a datapoint is compared.
    pub comparison: ComparisonOperator,
    /// With what.
    pub threshold: Threshold,
    /// What a missing datapoint counts as.
    pub treat_missing_data: Option<TreatMissingData>,
    /// What a percentile of too few samples counts as.
    pub low_sample_count: Option<LowSampleCount>,
    /// Where it comes from.
    pub origin: AlarmOrigin,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// When the definition was last written.
    pub configured: Timestamp,
}

impl MetricAlarm {
    /// M: how many datapoints must breach.
    pub fn datapoints_to_alarm(&self) -> u32 {
        self.datapoints_to_alarm.unwrap_or(self.evaluation_periods)
    }

    /// What a missing datapoint counts as.
    pub fn treat_missing_data(&self) -> TreatMissingData {
        self.treat_missing_data.unwrap_or(TreatMissingData::Missing)
    }

    /// The width of a datapoint.
    pub const fn period(&self) -> Period {
        self.watched.period()
    }

    /// R: how many datapoints are fetched, so that a late or missing one can be stood in for.
    ///
    /// Source: CloudWatch User Guide, "How alarm state is evaluated when data is missing": more
    /// than N. Differs: the exact number is unpublished; the worked examples have N = 3 and R = 5.
    pub fn evaluation_range(&self) -> u32 {
        self.evaluation_periods.saturating_add((self.evaluation_periods / 3).max(2))
    }

    /// How often the alarm is evaluated, and what the end of its window is aligned to.
    ///
    /// Source: CloudWatch User Guide, "Evaluating an alarm": every minute; every 10 seconds for
    /// high-resolution alarms; once an hour when the window is longer than a day.
    pub fn cadence(&self) -> Period {
        const DAY: u64 = 86_400;
        let period = self.period();
        match u64::from(period.as_secs()) * u64::from(self.evaluation_periods) {
            _ if period.is_high_resolution() => TEN_SECONDS,
            span if span > DAY => Period::HOUR,
            _ => Period::MINUTE,
        }
    }

    /// The evaluation range at `at`: R periods up to the last boundary of the cadence.
    ///
    /// Windows are not aligned to multiples of the period: a five-minute alarm looks at another
    /// five minutes each minute.
    pub fn window(&self, at: Timestamp) -> TimeRange {
        self.window_ending(at.floor(self.cadence()))
    }

    /// The evaluation range that takes in the step of the cadence that is not over yet; for
    /// alarms of canary files, once that step has a sample.
    pub fn prompt_window(&self, at: Timestamp) -> TimeRange {
        self.window_ending(at.floor(self.cadence()).plus(self.cadence().as_duration()))
    }

    fn window_ending(&self, end: Timestamp) -> TimeRange {
        let width = self.period().as_millis().saturating_mul(i64::from(self.evaluation_range()));
        TimeRange::new(end.plus_millis(-width), end)
    }

    /// Its ARN in `scope`.
    pub fn arn(&self, scope: &Scope) -> String {
        scope.arn("cloudwatch", format_args!("alarm:{}", self.name))
    }
}

const TEN_SECONDS: Period = match Period::new(10) {
    Ok(period) => period,
    Err(_) => Period::SECOND,
};

#[cfg(test)]
impl MetricAlarm {
    /// Average of `CPU` over 0.5 for three minutes.
    pub(crate) fn example() -> Self {
        Self {
            name: "cpu".into(),
            description: None,
            actions: AlarmActions { enabled: true, ..AlarmActions::default() },
            watched: Watched::Metric(SingleMetric {
                metric: MetricId {
                    namespace: "App".into(),
                    metric_name: "CPU".into(),
                    dimensions: Dimensions::none(),
                },
                statistic: Statistic::Average.into(),
                period: Period::MINUTE,
                unit: None,
            }),
            evaluation_periods: 3,
            datapoints_to_alarm: None,
            comparison: ComparisonOperator::GreaterThanThreshold,
            threshold: Threshold::Static(0.5),
            treat_missing_data: None,
            low_sample_count: None,
            origin: AlarmOrigin::Api,
            tags: Vec::new(),
            configured: Timestamp::EPOCH,
        }
    }

    pub(crate) fn with_periods(mut self, to_alarm: u32, evaluated: u32) -> Self {
        self.evaluation_periods = evaluated;
        self.datapoints_to_alarm = Some(to_alarm);
        self
    }

    pub(crate) fn with_period(mut self, seconds: u32) -> Self {
        if let Watched::Metric(single) = &mut self.watched {
            single.period = Period::new(seconds).unwrap();
        }
        self
    }

    pub(crate) fn with_statistic(mut self, statistic: Statistic) -> Self {
        if let Watched::Metric(single) = &mut self.watched {
            single.statistic = statistic.into();
        }
        self
    }

    pub(crate) fn treating(&self, missing: TreatMissingData) -> Self {
        Self { treat_missing_data: Some(missing), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    /// Source: CloudWatch User Guide and recorded state reasons: evaluated at 17:04:40, the newest
    /// five-minute point is stamped 16:59:00.
    #[test]
    fn a_five_minute_window_ends_at_the_last_full_minute() {
        let alarm = MetricAlarm::example().with_period(300).with_periods(1, 1);
        let window = alarm.window(at("2019-10-02T17:04:40Z"));
        assert_eq!(window.end, at("2019-10-02T17:04:00Z"));
        assert_eq!(window.start, at("2019-10-02T16:49:00Z"));
    }

    #[test]
    fn the_cadence_follows_resolution_and_span() {
        for (period, periods, cadence) in [
            (10, 3, 10),
            (30, 1, 10),
            (60, 3, 60),
            (300, 288, 60),
            (3600, 24, 60),
            (3600, 25, 3600),
            (86_400, 7, 3600),
        ] {
            let alarm = MetricAlarm::example().with_period(period).with_periods(1, periods);
            assert_eq!(alarm.cadence().as_secs(), cadence, "{periods} x {period}");
        }
    }

    #[test]
    fn more_datapoints_are_fetched_than_evaluated_even_for_one() {
        for (periods, range) in [(1, 3), (2, 4), (3, 5), (6, 8), (12, 16), (60, 80)] {
            assert_eq!(MetricAlarm::example().with_periods(1, periods).evaluation_range(), range);
        }
    }

    #[test]
    fn a_statistic_keeps_the_name_it_was_asked_for_by() {
        let named: NamedStatistic = "TM(:90%)".parse().unwrap();
        let stored = serde_json::to_string(&named).unwrap();
        assert_eq!(stored, "\"TM(:90%)\"");
        assert_eq!(serde_json::from_str::<NamedStatistic>(&stored).unwrap(), named);
    }
}
