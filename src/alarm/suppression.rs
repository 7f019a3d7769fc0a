use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ActionsSuppressor, StateValue};
use crate::time::Timestamp;

/// Whether, and by what, the actions of a composite are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Suppression {
    /// They are not.
    #[default]
    None,
    /// Until the suppressor had its time to go to ALARM.
    WaitPeriod {
        /// When that is over.
        until: Timestamp,
    },
    /// By the suppressor, which is in ALARM.
    Alarm,
    /// For a while after the suppressor has left ALARM.
    ExtensionPeriod {
        /// When that is over.
        until: Timestamp,
    },
}

/// What a composite's suppression reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressionChange {
    /// The composite changed its state.
    Composite,
    /// The suppressor changed its state, or time passed.
    Suppressor,
    /// The definition was replaced.
    Definition,
}

/// What becomes of the actions of the composite's current state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldActions {
    /// Nothing: they stay held, or none are due.
    Hold,
    /// They are done now.
    Run,
}

/// One step of a suppression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuppressionStep {
    /// What holds the actions from now on.
    pub next: Suppression,
    /// What becomes of them now.
    pub actions: HeldActions,
}

impl Suppression {
    /// `WaitPeriod`, `ExtensionPeriod` or `Alarm`, as `ActionsSuppressedBy` names it.
    pub const fn suppressed_by(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::WaitPeriod { .. } => Some("WaitPeriod"),
            Self::Alarm => Some("Alarm"),
            Self::ExtensionPeriod { .. } => Some("ExtensionPeriod"),
        }
    }

    /// When it must be looked at again although nothing changed.
    pub const fn due(self) -> Option<Timestamp> {
        match self {
            Self::WaitPeriod { until } | Self::ExtensionPeriod { until } => Some(until),
            Self::None | Self::Alarm => None,
        }
    }

    /// What a change makes of it, `suppressor_state` being the suppressor's state at `at`.
    ///
    /// Source: CloudWatch User Guide, "Suppressing composite alarm actions", with its timelines.
    /// Differs: what a suppressor that returns to ALARM during an extension does is not said; it
    /// suppresses again.
    #[must_use]
    pub fn step(
        self,
        change: SuppressionChange,
        suppressor: Option<&ActionsSuppressor>,
        suppressor_state: Option<StateValue>,
        at: Timestamp,
    ) -> SuppressionStep {
        let hold = |next| SuppressionStep { next, actions: HeldActions::Hold };
        let run = SuppressionStep { next: Self::None, actions: HeldActions::Run };
        let Some(suppressor) = suppressor else {
            // Timers of a suppressor that was removed are discarded.
            let due = change == SuppressionChange::Composite;
            return if due { run } else { hold(Self::None) };
        };
        let after = |seconds| at.plus(Duration::from_secs(u64::from(seconds)));
        let suppressing = suppressor_state == Some(StateValue::Alarm);
        match (change, self) {
            (SuppressionChange::Definition, _) => hold(Self::None),
            (SuppressionChange::Composite, _) if suppressing => hold(Self::Alarm),
            (SuppressionChange::Composite, _) if suppressor.wait_secs == 0 => run,
            (SuppressionChange::Composite, _) => {
                hold(Self::WaitPeriod { until: after(suppressor.wait_secs) })
            }
            (SuppressionChange::Suppressor, Self::None) => hold(Self::None),
            (SuppressionChange::Suppressor, _) if suppressing => hold(Self::Alarm),
            (SuppressionChange::Suppressor, Self::Alarm) if suppressor.extension_secs == 0 => run,
            (SuppressionChange::Suppressor, Self::Alarm) => {
                hold(Self::ExtensionPeriod { until: after(suppressor.extension_secs) })
            }
            (
                SuppressionChange::Suppressor,
                Self::WaitPeriod { until } | Self::ExtensionPeriod { until },
            ) if until <= at => run,
            (SuppressionChange::Suppressor, timer) => hold(timer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a timeline second by second: `C` the composite changes, `S` the suppressor goes to
    /// ALARM, `s` it leaves. Gives the seconds at which actions run, and what holds them at last.
    fn play(suppressed_at_first: bool, events: &[(i64, char)]) -> (Vec<i64>, Suppression) {
        let suppressor = ActionsSuppressor { alarm: "s".into(), wait_secs: 2, extension_secs: 3 };
        let mut state = if suppressed_at_first { StateValue::Alarm } else { StateValue::Ok };
        let mut suppression = Suppression::None;
        let mut runs = Vec::new();
        for second in 0..20 {
            let mut changes = vec![SuppressionChange::Suppressor];
            for (_, event) in events.iter().filter(|(at, _)| *at == second) {
                match event {
                    'C' => changes.push(SuppressionChange::Composite),
                    'S' => state = StateValue::Alarm,
                    _ => state = StateValue::Ok,
                }
            }
            for change in changes {
                let at = Timestamp::from_secs(second);
                let step = suppression.step(change, Some(&suppressor), Some(state), at);
                suppression = step.next;
                if step.actions == HeldActions::Run {
                    runs.push(second);
                }
            }
        }
        (runs, suppression)
    }

    /// Source: CloudWatch User Guide, "Suppressing composite alarm actions", the six timelines.
    #[test]
    fn actions_run_when_the_published_timelines_say() {
        for (number, suppressed, events, runs, held) in [
            (1, false, &[(2, 'C')][..], vec![4], Suppression::None),
            (2, false, &[(2, 'C'), (3, 'S')], vec![], Suppression::Alarm),
            (3, false, &[(2, 'C'), (3, 'C')], vec![5], Suppression::None),
            (4, true, &[(2, 'C')], vec![], Suppression::Alarm),
            (5, false, &[(2, 'C'), (3, 'S'), (6, 's')], vec![9], Suppression::None),
            (6, false, &[(2, 'C'), (3, 'S'), (6, 's'), (7, 'C')], vec![9], Suppression::None),
        ] {
            assert_eq!(play(suppressed, events), (runs, held), "timeline {number}");
        }
    }

    #[test]
    fn a_suppressor_without_anything_to_hold_changes_nothing() {
        assert_eq!(play(false, &[(2, 'S'), (5, 's')]), (vec![], Suppression::None));
    }

    #[test]
    fn a_suppressor_that_returns_during_an_extension_suppresses_again() {
        let events = [(2, 'C'), (3, 'S'), (6, 's'), (7, 'S')];
        assert_eq!(play(false, &events), (vec![], Suppression::Alarm));
    }

    #[test]
    fn without_a_suppressor_actions_run_at_once() {
        let step =
            Suppression::None.step(SuppressionChange::Composite, None, None, Timestamp::EPOCH);
        assert_eq!(step.actions, HeldActions::Run);
    }
}
