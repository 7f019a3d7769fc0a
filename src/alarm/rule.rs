use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{RuleFault, StateValue};

/// A composite's rule: an expression over the states of other alarms.
///
/// It is stored and shown as the text it was written in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AlarmRule {
    text: Arc<str>,
    expression: Expression,
}

/// One node of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Constant(bool),
    State(StateTerm),
    Not(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    AtLeast { quorum: Quorum, wanted: Wanted, alarms: Vec<Arc<str>> },
}

/// `ALARM("checkout")`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateTerm {
    /// The state that is asked for.
    pub state: StateValue,
    /// The alarm's name.
    pub alarm: Arc<str>,
}

/// How many alarms of a list are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quorum {
    Count(u32),
    Percent(u32),
}

/// What an `AT_LEAST` asks of each alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    In(StateValue),
    NotIn(StateValue),
}

impl AlarmRule {
    pub(super) const fn new(text: Arc<str>, expression: Expression) -> Self {
        Self { text, expression }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Names of the alarms it mentions.
    pub fn alarms(&self) -> BTreeSet<Arc<str>> {
        let mut found = BTreeSet::new();
        self.expression.collect(&mut found);
        found
    }

    /// Whether it holds, given the states of the alarms it mentions.
    ///
    /// Source: CloudWatch User Guide, "Create a composite alarm". Differs: a term on an alarm that
    /// is gone is false; the guide does not say.
    pub fn holds(&self, state_of: &dyn Fn(&str) -> Option<StateValue>) -> bool {
        self.expression.holds(state_of)
    }
}

impl Expression {
    fn holds(&self, state_of: &dyn Fn(&str) -> Option<StateValue>) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::State(term) => state_of(&term.alarm) == Some(term.state),
            Self::Not(inner) => !inner.holds(state_of),
            Self::And(all) => all.iter().all(|inner| inner.holds(state_of)),
            Self::Or(any) => any.iter().any(|inner| inner.holds(state_of)),
            Self::AtLeast { quorum, wanted, alarms } => {
                let fits = |alarm: &&Arc<str>| match (state_of(alarm), wanted) {
                    (Some(state), Wanted::In(wanted)) => state == *wanted,
                    (Some(state), Wanted::NotIn(unwanted)) => state != *unwanted,
                    (None, _) => false,
                };
                let fitting = alarms.iter().filter(fits).count();
                match quorum {
                    Quorum::Count(count) => u32::try_from(fitting).is_ok_and(|n| n >= *count),
                    Quorum::Percent(percent) => {
                        fitting * 100 >= usize::try_from(*percent).unwrap_or(100) * alarms.len()
                    }
                }
            }
        }
    }

    fn collect(&self, found: &mut BTreeSet<Arc<str>>) {
        match self {
            Self::Constant(_) => {}
            Self::State(term) => drop(found.insert(Arc::clone(&term.alarm))),
            Self::Not(inner) => inner.collect(found),
            Self::And(all) | Self::Or(all) => all.iter().for_each(|inner| inner.collect(found)),
            Self::AtLeast { alarms, .. } => found.extend(alarms.iter().cloned()),
        }
    }
}

impl TryFrom<String> for AlarmRule {
    type Error = RuleFault;

    fn try_from(text: String) -> Result<Self, RuleFault> {
        Self::parse(&text)
    }
}

impl From<AlarmRule> for String {
    fn from(rule: AlarmRule) -> Self {
        rule.text.as_ref().to_owned()
    }
}

impl fmt::Display for AlarmRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(rule: &str) -> bool {
        let states = [
            ("red", StateValue::Alarm),
            ("redder", StateValue::Alarm),
            ("green", StateValue::Ok),
            ("grey", StateValue::InsufficientData),
        ];
        let state_of =
            |name: &str| states.iter().find(|(known, _)| *known == name).map(|(_, state)| *state);
        AlarmRule::parse(rule).unwrap().holds(&state_of)
    }

    #[test]
    fn rules_combine_the_states_of_their_alarms() {
        for (rule, expected) in [
            ("ALARM(red)", true),
            ("ALARM(green)", false),
            ("OK(green) AND INSUFFICIENT_DATA(grey)", true),
            ("ALARM(red) AND NOT ALARM(green)", true),
            ("ALARM(green) OR ALARM(red) AND ALARM(grey)", false),
            ("(ALARM(green) OR ALARM(red)) AND NOT (OK(red))", true),
            ("TRUE", true),
            ("NOT false", true),
            ("ALARM(gone)", false),
            ("NOT ALARM(gone)", true),
            ("AT_LEAST(2, ALARM, (red, redder, green))", true),
            ("AT_LEAST(3, ALARM, (red, redder, green))", false),
            ("AT_LEAST(50%, ALARM, (red, redder, green, grey))", true),
            ("AT_LEAST(75%, NOT OK, (red, redder, green, grey))", true),
            ("AT_LEAST(76%, NOT OK, (red, redder, green, grey))", false),
        ] {
            assert_eq!(holds(rule), expected, "{rule}");
        }
    }

    #[test]
    fn every_alarm_that_is_mentioned_is_found_once() {
        let rule = AlarmRule::parse("ALARM(b) OR NOT OK(a) OR AT_LEAST(1, OK, (c, a))").unwrap();
        let names: Vec<_> = rule.alarms().into_iter().collect();
        assert_eq!(names, ["a".into(), "b".into(), Arc::<str>::from("c")]);
    }

    #[test]
    fn a_rule_is_stored_as_its_text() {
        let rule = AlarmRule::parse(" ALARM( \"a b\" ) ").unwrap();
        let stored = serde_json::to_string(&rule).unwrap();
        assert_eq!(stored, r#"" ALARM( \"a b\" ) ""#);
        assert_eq!(serde_json::from_str::<AlarmRule>(&stored).unwrap(), rule);
    }
}
