//! What the templates of a run can look up.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::policy::Trust;
use super::secrets::RunSecrets;
use super::settings::Environment;
use crate::canary::definition::{Canary, Combination, Variable};
use crate::canary::secret::SecretText;
use crate::canary::template::{
    Binding, LookupError, RenderError, RenderFault, Rendered, TemplateContext,
};
use crate::time::{Clock, Timestamp};

/// Variables, parameters and captures of one attempt, with secrets and environment behind them.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    held: BTreeMap<Arc<str>, Held>,
    secrets: Arc<RunSecrets>,
    environment: Environment,
    trust: Trust,
    clock: Arc<dyn Clock>,
}

/// A value and the secrets it was made of.
#[derive(Clone, Debug)]
struct Held {
    value: Value,
    secrets: Vec<Arc<str>>,
}

/// Where a scope looks beyond its own values.
#[derive(Clone, Debug)]
pub(super) struct Outside {
    pub(super) secrets: Arc<RunSecrets>,
    pub(super) environment: Environment,
    pub(super) trust: Trust,
    pub(super) clock: Arc<dyn Clock>,
}

impl Scope {
    /// The scope at the start of an attempt: parameters first, then the canary's variables in
    /// order, each replaced by the one `given`, if there is one.
    ///
    /// Errors: the first variable that cannot be rendered, or that nobody gave.
    pub(super) fn start(
        canary: &Canary,
        parameters: &Combination,
        given: &BTreeMap<Arc<str>, Value>,
        outside: Outside,
    ) -> Result<Self, RenderError> {
        let Outside { secrets, environment, trust, clock } = outside;
        let mut scope = Self { held: BTreeMap::new(), secrets, environment, trust, clock };
        for (name, value) in parameters {
            scope.hold(Arc::clone(name), Rendered::clean(value.clone()));
        }
        for variable in &canary.variables {
            if scope.held.contains_key(&variable.name) {
                continue;
            }
            let value = scope.value_of(variable, given.get(&variable.name))?;
            scope.hold(Arc::clone(&variable.name), value);
        }
        for (name, value) in given {
            if !scope.held.contains_key(name) {
                scope.hold(Arc::clone(name), Rendered::clean(value.clone()));
            }
        }
        Ok(scope)
    }

    fn value_of(
        &self,
        variable: &Variable,
        given: Option<&Value>,
    ) -> Result<Rendered<Value>, RenderError> {
        match (given, variable.value.as_literal()) {
            (Some(given), Some(literal)) => Ok(Rendered::clean(retyped(given, literal))),
            (Some(given), None) => Ok(Rendered::clean(given.clone())),
            (None, Some(Value::Null)) => Err(RenderError {
                fault: RenderFault::UndefinedVariable {
                    name: Arc::clone(&variable.name),
                    guess: None,
                },
                span: variable.span,
            }),
            (None, _) => variable.value.evaluate(self),
        }
    }

    /// Keeps a value under a name from here on.
    pub(super) fn hold(&mut self, name: Arc<str>, value: Rendered<Value>) {
        let secrets = value.taint.names.into_iter().collect();
        self.held.insert(name, Held { value: value.value, secrets });
    }

    /// Keeps a secret under a name; it taints what is made of it.
    pub(super) fn hold_secret(&mut self, name: Arc<str>, value: Value) {
        self.held.insert(Arc::clone(&name), Held { value, secrets: vec![name] });
    }

    /// Everything that is held at the moment.
    pub(super) fn values(&self) -> BTreeMap<Arc<str>, Value> {
        let values = self.held.iter();
        values.map(|(name, held)| (Arc::clone(name), held.value.clone())).collect()
    }

    /// The declared secrets.
    pub(super) fn secrets(&self) -> &RunSecrets {
        &self.secrets
    }
}

/// A value given as text by the caller, in the type of the variable's own literal.
fn retyped(given: &Value, literal: &Value) -> Value {
    let Value::String(text) = given else { return given.clone() };
    let parsed = match literal {
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            serde_json::from_str::<Value>(text).ok()
        }
        Value::String(_) | Value::Null => None,
    };
    parsed
        .filter(|value| std::mem::discriminant(value) == std::mem::discriminant(literal))
        .unwrap_or_else(|| given.clone())
}

impl TemplateContext for Scope {
    fn variable(&self, name: &str) -> Option<Binding<'_>> {
        let held = self.held.get(name)?;
        Some(Binding { value: &held.value, secrets: &held.secrets })
    }

    fn variable_names(&self) -> Vec<&str> {
        self.held.keys().map(|name| &**name).collect()
    }

    fn environment(&self, name: &str) -> Result<String, LookupError> {
        match self.trust {
            Trust::Full => self.environment.get(name).ok_or(LookupError::Undefined),
            Trust::PullRequest => self.environment.get_listed(name),
        }
        .map(str::to_owned)
    }

    fn secret(&self, name: &str) -> Result<SecretText, LookupError> {
        self.secrets.get(name)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn random(&self) -> u64 {
        fastrand::u64(..)
    }
}
