use std::fmt;
use std::sync::Arc;

use super::RuleFault;
use crate::query::metric_math::MathError;

/// Which AWS error a fault is; the API turns it into the code of each protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultCode {
    /// `ValidationError`.
    ValidationError,
    /// `MissingParameter`.
    MissingParameter,
    /// `InvalidParameterValue`.
    InvalidParameterValue,
    /// `InvalidParameterCombination`.
    InvalidParameterCombination,
}

/// Why AWS would refuse an alarm's definition.
///
/// Its text is AWS's own where that was recorded: sentences, with a full stop.
#[derive(Clone, Debug, PartialEq)]
pub enum AlarmFault {
    /// Members that break the constraints of the API model, all of them.
    Constraints(Vec<Constraint>),
    /// A parameter that is required here is absent.
    Missing {
        /// The parameter.
        parameter: &'static str,
    },
    /// Two parameters that exclude each other.
    Exclusive {
        /// The one.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// A value that the parameter does not take.
    Unsupported {
        /// The parameter.
        parameter: &'static str,
        /// What was given.
        value: Arc<str>,
    },
    /// A period that alarms do not take.
    Period,
    /// A window that is too long.
    Span {
        /// The longest window for this period.
        max_secs: u32,
    },
    /// M over N.
    MoreToAlarmThanEvaluated,
    /// Items of `Metrics` that do not make one series of one period.
    Queries(QueriesFault),
    /// A composite's rule.
    Rule(RuleFault),
    /// An alarm of the other kind has that name.
    NameTaken(Arc<str>),
    /// Children that do not exist.
    NoSuchChildren(Vec<Arc<str>>),
    /// A tag that says how people are told, and cannot be read.
    Care {
        /// The tag's key.
        tag: &'static str,
        /// Its value.
        value: Arc<str>,
    },
    /// A parameter of AWS that this server does not carry out.
    NotSupported {
        /// The parameter.
        parameter: &'static str,
    },
    /// A composite that would depend on itself.
    ///
    /// Differs: AWS accepts a cycle and stops evaluating the composites on it.
    Cycle(Vec<Arc<str>>),
}

/// What is wrong with an alarm's `Metrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueriesFault {
    /// None or several are watched.
    NotOneReturned,
    /// A band alarm watches the metric and its band.
    NotTwoReturned,
    /// More than the limit.
    TooMany,
    /// The same id twice.
    DuplicateId,
    /// An id with characters that expressions cannot name.
    BadId,
    /// Neither or both.
    NotOneSource,
    /// Different periods.
    MixedPeriods,
    /// Nobody says how wide a datapoint is.
    NoPeriod,
    /// SEARCH yields an unknown number of series.
    Search,
    /// `ThresholdMetricId` names no item.
    UnknownThreshold,
    /// A statistic that does not exist.
    Statistic,
    /// An expression refers to no item, or to itself.
    UnknownReference,
    /// An expression that cannot be read or computed.
    Expression(MathError),
}

impl fmt::Display for AlarmFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constraints(all) => write_constraints(f, all),
            Self::Missing { parameter } => write!(f, "The parameter {parameter} is required."),
            Self::Exclusive { one, other } => write!(
                f,
                "The parameters {one} and {other} are mutually exclusive and you have specified \
                 both."
            ),
            Self::Unsupported { parameter, value } => write_unsupported(f, parameter, value),
            Self::Period => f.write_str("Period must be 10, 30 or a multiple of 60"),
            Self::Span { max_secs } => {
                let span = if *max_secs == 86_400 { "a day" } else { "a week" };
                write!(
                    f,
                    "Metrics cannot be checked across more than {span} \
                     (EvaluationPeriods * Period must be <= {max_secs})."
                )
            }
            Self::MoreToAlarmThanEvaluated => f.write_str(
                "The parameter DatapointsToAlarm must be less than or equal to EvaluationPeriods.",
            ),
            Self::Queries(QueriesFault::Expression(fault)) => {
                write!(f, "Invalid metrics list: {fault}")
            }
            Self::Queries(fault) => f.write_str(fault.text()),
            Self::Rule(fault) => write!(f, "Error in AlarmRule: {fault}"),
            Self::NameTaken(name) => {
                write!(f, "An alarm of another type already has the name {name}.")
            }
            Self::NoSuchChildren(names) => write!(
                f,
                "Could not save the composite alarm as alarms [{}] in the alarm rule do not exist",
                names.join(", ")
            ),
            Self::Care { tag, value } => write!(
                f,
                "The value {value} of tag {tag} is not a duration between 10s and 7d, such as 5m."
            ),
            Self::NotSupported { parameter } => {
                write!(f, "The parameter {parameter} is not supported by this server.")
            }
            Self::Cycle(path) => write!(f, "The alarm rule forms a cycle: {}", path.join(" -> ")),
        }
    }
}

impl std::error::Error for AlarmFault {}

impl From<RuleFault> for AlarmFault {
    fn from(fault: RuleFault) -> Self {
        Self::Rule(fault)
    }
}

impl QueriesFault {
    const fn text(&self) -> &'static str {
        match self {
            Self::NotOneReturned => "Exactly one element of the metrics list should return data.",
            Self::NotTwoReturned => "Exactly two elements of the metrics list should return data.",
            Self::TooMany => "The collection Metrics must not have a size greater than 10.",
            Self::DuplicateId => "Duplicate id in the metrics list.",
            Self::BadId => {
                "An id must start with a lowercase letter and hold only letters, digits and _."
            }
            Self::NotOneSource => {
                "Each element of the metrics list must have either MetricStat or Expression."
            }
            Self::MixedPeriods => "All elements of the metrics list must have the same period.",
            Self::NoPeriod => "Period must not be null.",
            Self::Search => "SEARCH is not supported on Metric Alarms.",
            Self::UnknownThreshold => {
                "ThresholdMetricId must be the id of an element of the metrics list."
            }
            Self::Statistic => "The Stat of an element of the metrics list is not supported.",
            Self::UnknownReference => {
                "An expression of the metrics list refers to an unknown id or to itself."
            }
            Self::Expression(_) => "An expression of the metrics list is invalid.",
        }
    }
}

impl AlarmFault {
    /// Which AWS error it is.
    pub fn code(&self) -> FaultCode {
        match self {
            Self::Missing { .. } => FaultCode::MissingParameter,
            Self::Exclusive { .. } => FaultCode::InvalidParameterCombination,
            Self::Unsupported { parameter, .. } if *parameter == EXTENDED_STATISTIC => {
                FaultCode::InvalidParameterValue
            }
            _ => FaultCode::ValidationError,
        }
    }
}

pub(super) const EXTENDED_STATISTIC: &str = "ExtendedStatistic";
pub(super) const TREAT_MISSING_DATA: &str = "TreatMissingData";
pub(super) const LOW_SAMPLE_PARAMETER: &str = "EvaluateLowSampleCountPercentile";

/// One member that breaks a constraint of the API model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// The member, as the model spells it: `alarmName`.
    pub member: &'static str,
    /// Its value; `None` when it is absent.
    pub value: Option<String>,
    /// What it must be.
    pub must: Must,
}

/// A constraint of the API model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Must {
    /// Be there.
    BePresent,
    /// Have at least so many characters or items.
    HaveLengthFrom(usize),
    /// Have at most so many characters or items.
    HaveLengthTo(usize),
    /// Be at least.
    BeFrom(i64),
    /// Be one of the values.
    BeIn(&'static str),
    /// Hold no control characters.
    MatchPattern(&'static str),
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "Value '{value}'")?,
            None => f.write_str("Value null")?,
        }
        write!(f, " at '{}' failed to satisfy constraint: Member must ", self.member)?;
        match self.must {
            Must::BePresent => f.write_str("not be null"),
            Must::HaveLengthFrom(min) => write!(f, "have length greater than or equal to {min}"),
            Must::HaveLengthTo(max) => write!(f, "have length less than or equal to {max}"),
            Must::BeFrom(min) => write!(f, "have value greater than or equal to {min}"),
            Must::BeIn(values) => write!(f, "satisfy enum value set: [{values}]"),
            Must::MatchPattern(pattern) => {
                write!(f, "satisfy regular expression pattern: {pattern}")
            }
        }
    }
}

fn write_constraints(f: &mut fmt::Formatter<'_>, all: &[Constraint]) -> fmt::Result {
    let errors = if all.len() == 1 { "error" } else { "errors" };
    let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
    write!(f, "{} validation {errors} detected: {}", all.len(), texts.join("; "))
}

fn write_unsupported(f: &mut fmt::Formatter<'_>, parameter: &str, value: &str) -> fmt::Result {
    match parameter {
        TREAT_MISSING_DATA => write!(
            f,
            "The value {value} is not supported for TreatMissingData parameter. \
             Supported values are [breaching, notBreaching, ignore, missing]."
        ),
        LOW_SAMPLE_PARAMETER => write!(
            f,
            "Option {value} is not supported. Supported options for parameter \
             EvaluateLowSampleCountPercentile are evaluate and ignore."
        ),
        _ => write!(f, "The value {value} for parameter {parameter} is not supported."),
    }
}
