use std::sync::Arc;

use serde::Deserialize;

use super::NOT_FOUND;
use crate::alarm::{MetricAlarm, PutMetricAlarm};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::fault::VALIDATION;
use crate::api::wire::Instant;
use crate::monitor::AlarmDefinition;
use crate::monitor::backtest::{Backtest, BacktestError, BacktestRequest, backtest};
use crate::time::{TimeRange, Timestamp};

/// Which alarm (exactly one of the first three), what to change, over which time.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    /// A stored alarm.
    alarm_name: Option<Arc<str>>,
    /// An alarm in the shape of PutMetricAlarm's input.
    alarm: Option<PutMetricAlarm>,
    /// An alarm of a canary file, as the monitor keeps it: a JSON text.
    document: Option<String>,
    #[serde(default)]
    settings: Vec<Setting>,
    start_time: Instant,
    end_time: Instant,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Setting {
    name: String,
    value: String,
}

/// BOUND: so many evaluations take seconds, not minutes: a year by the minute.
const EVALUATIONS_MAX: i64 = 600_000;

/// Replays an alarm over what is stored; changes nothing.
pub(super) async fn run(call: Call, input: Input) -> Answer<Backtest> {
    let alarm = alarm(&call, &input)?;
    let (start, end): (Timestamp, Timestamp) = (input.start_time.0, input.end_time.0);
    if end <= start {
        return Err(VALIDATION.because("The end must be after the start."));
    }
    let cadence = match &alarm {
        AlarmDefinition::Metric(alarm) => alarm.cadence().as_millis(),
        AlarmDefinition::Composite(_) => 10_000,
    };
    if end.millis_since(start) / cadence > EVALUATIONS_MAX {
        let most = EVALUATIONS_MAX;
        return Err(VALIDATION.because(format!("At most {most} evaluations are replayed.")));
    }
    let range = TimeRange::new(start, end);
    let settings = input.settings.into_iter().map(|s| (s.name, s.value)).collect();
    let state = call.state();
    let request = BacktestRequest { alarm, settings, range };
    let replayed = backtest(&state.store, state.monitor.alarms(), call.scope(), &request).await;
    replayed.map_err(ApiError::from)
}

fn alarm(call: &Call, input: &Input) -> Answer<AlarmDefinition> {
    match (&input.alarm_name, &input.alarm, &input.document) {
        (Some(name), None, None) => {
            let known = call.state().monitor.alarms().get(call.scope(), name);
            let unknown = || NOT_FOUND.because(format!("no alarm is called {name}"));
            known.map(|snapshot| snapshot.definition.clone()).ok_or_else(unknown)
        }
        (None, Some(put), None) => {
            let alarm = put.clone().validate(call.now()).map_err(ApiError::from)?;
            Ok(AlarmDefinition::Metric(Arc::new(alarm)))
        }
        (None, None, Some(document)) => {
            let alarm: MetricAlarm = serde_json::from_str(document)
                .map_err(|fault| VALIDATION.because(format!("Document is no alarm: {fault}")))?;
            Ok(AlarmDefinition::Metric(Arc::new(alarm)))
        }
        _ => Err(VALIDATION.because("Exactly one of AlarmName, Alarm and Document is needed.")),
    }
}

impl From<BacktestError> for ApiError {
    fn from(error: BacktestError) -> Self {
        match error {
            BacktestError::Read(error) => error.into(),
            BacktestError::NoData { .. } | BacktestError::NoSuchChild { .. } => {
                NOT_FOUND.because(error.to_string())
            }
            BacktestError::Edit(_) | BacktestError::Queries(_) | BacktestError::Cycle { .. } => {
                VALIDATION.because(error.to_string())
            }
        }
    }
}
