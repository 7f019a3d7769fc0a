//! Alarm rules: what an alarm is, and which state its datapoints put it in.
//!
//! Main types: [`MetricAlarm`] and [`EvaluationWindow`], joined by [`evaluate`]; [`CompositeAlarm`]
//! over other alarms; [`Condition`], the one-line form of canary files. Everything here is a pure
//! function of its arguments: fetching datapoints, storing states and running actions belong to
//! `monitor`, wire protocols to `api`.

mod care;
mod composite;
mod condition;
mod configuration_event;
mod definition;
mod edit;
mod evaluate;
mod event;
mod fault;
mod fill;
mod history;
mod math;
mod put;
mod reason;
pub mod replay;
mod rule;
mod rule_parser;
mod sns;
mod state;
mod suppression;
#[cfg(test)]
mod tables;
mod window;
mod wording;

pub use care::{AlarmCare, DWELL_TAG, Message, REMIND_TAG, Told};
pub use composite::{ActionsSuppressor, CompositeAlarm, PutCompositeAlarm, find_cycle};
pub use condition::{Condition, ConditionAlarm};
pub use configuration_event::configuration_change_event;
pub use definition::{
    AlarmActions, AlarmOrigin, ComparisonOperator, LowSampleCount, Metric, MetricAlarm,
    MetricDataQuery, MetricStat, NamedStatistic, SingleMetric, Tag, Threshold, TreatMissingData,
    Watched,
};
pub use edit::EditFault;
pub use evaluate::{Basis, Evaluation, evaluate};
pub use event::{AlarmRef, state_change_event};
pub use fault::{AlarmFault, Constraint, FaultCode, Must, QueriesFault};
pub use history::{ActionOutcome, AlarmType, ConfigurationChange, HistoryItem, HistoryItemType};
pub use math::{MathPlan, PlannedMetric};
pub use put::{EvaluationWindowKind, PutMetricAlarm};
pub use rule::{AlarmRule, StateTerm};
pub use rule_parser::RuleFault;
pub use sns::{AfterMute, TopicText, function_event};
pub use state::{AlarmState, StateTransition, StateValue, UnknownState};
pub use suppression::{HeldActions, Suppression, SuppressionChange, SuppressionStep};
pub use window::{Band, Datapoint, EvaluationWindow};
pub use wording::instant;
