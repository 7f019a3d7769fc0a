use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::time::Timestamp;

/// The state of an alarm.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum StateValue {
    /// The condition does not hold.
    #[serde(rename = "OK")]
    Ok,
    /// The condition holds.
    #[serde(rename = "ALARM")]
    Alarm,
    /// Nobody knows.
    #[default]
    #[serde(rename = "INSUFFICIENT_DATA")]
    InsufficientData,
}

/// A text that names no state.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a state is OK, ALARM or INSUFFICIENT_DATA")]
pub struct UnknownState;

impl StateValue {
    /// The state's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

impl fmt::Display for StateValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StateValue {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        [Self::Ok, Self::Alarm, Self::InsufficientData]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(UnknownState)
    }
}

/// What is remembered of an alarm beside its definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmState {
    /// The state.
    pub value: StateValue,
    /// Why, for people.
    pub reason: Arc<str>,
    /// Why, for programs: a JSON text.
    pub reason_data: Option<Arc<str>>,
    /// When value or reason were last written.
    pub updated: Timestamp,
    /// When the value last changed.
    pub transitioned: Timestamp,
    /// How many times the value has changed; names each transition for ever.
    pub sequence: u64,
}

impl AlarmState {
    /// The state of an alarm that was just created.
    ///
    /// Source: recorded DescribeAlarms answers after PutMetricAlarm.
    pub fn initial(at: Timestamp) -> Self {
        Self {
            value: StateValue::InsufficientData,
            reason: "Unchecked: Initial alarm creation".into(),
            reason_data: None,
            updated: at,
            transitioned: at,
            sequence: 0,
        }
    }

    /// The transition to `value`, or `None` when that is the state already: AWS records nothing
    /// then, and an old reason may stand for a long time.
    pub fn transition(
        &self,
        value: StateValue,
        at: Timestamp,
        reason: impl FnOnce() -> (String, Option<String>),
    ) -> Option<StateTransition> {
        if value == self.value {
            return None;
        }
        let (reason, reason_data) = reason();
        let to = Self {
            value,
            reason: reason.into(),
            reason_data: reason_data.map(Into::into),
            updated: at,
            transitioned: at,
            sequence: self.sequence + 1,
        };
        Some(StateTransition { from: self.clone(), to })
    }
}

/// One change of an alarm's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateTransition {
    /// The state before.
    pub from: AlarmState,
    /// The state since `to.transitioned`.
    pub to: AlarmState,
}

impl StateTransition {
    /// When it happened.
    pub fn at(&self) -> Timestamp {
        self.to.transitioned
    }

    /// Names this transition of `alarm` for receivers: equal in every retry, different from every
    /// other transition.
    pub fn idempotency_key(&self, alarm: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(alarm.as_bytes()).update(&[0]);
        hasher.update(&self.to.sequence.to_be_bytes());
        hasher.update(&self.at().as_millis().to_be_bytes());
        hasher.finalize().to_hex().chars().take(32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_state_again_is_no_transition() {
        let state = AlarmState::initial(Timestamp::EPOCH);
        let never = || unreachable!("no reason is asked for");
        assert_eq!(state.transition(StateValue::InsufficientData, Timestamp::EPOCH, never), None);
    }

    #[test]
    fn every_transition_has_a_key_of_its_own_and_keeps_it() {
        let first = AlarmState::initial(Timestamp::EPOCH)
            .transition(StateValue::Ok, Timestamp::from_secs(1), || (String::new(), None))
            .unwrap();
        let second = first
            .to
            .transition(StateValue::Alarm, Timestamp::from_secs(1), || (String::new(), None))
            .unwrap();
        assert_eq!(second.to.sequence, 2);
        assert_eq!(first.idempotency_key("a"), first.clone().idempotency_key("a"));
        assert_ne!(first.idempotency_key("a"), second.idempotency_key("a"));
        assert_ne!(first.idempotency_key("a"), first.idempotency_key("b"));
    }

    #[test]
    fn states_are_read_back_from_their_names() {
        assert_eq!("INSUFFICIENT_DATA".parse(), Ok(StateValue::InsufficientData));
        assert_eq!("alarm".parse::<StateValue>(), Err(UnknownState));
    }
}
