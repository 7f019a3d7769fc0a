use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::canary::template::{Reference, ReferenceKind};
use crate::diagnostic::{Diagnostic, Span, did_you_mean};

/// Words that mean something else in a template.
const RESERVED: &[&str] =
    &["env", "secret", "true", "false", "null", "now", "uuid", "random", "canary", "run"];

/// What templates may look up at the place that is being read.
#[derive(Debug, Default)]
pub(super) struct Names {
    variables: BTreeMap<Arc<str>, Span>,
    secrets: BTreeSet<Arc<str>>,
    /// Captures of steps further down, to say more than "not defined".
    pub(super) later: BTreeSet<String>,
}

impl Names {
    /// Makes a variable known; says what is wrong with its name.
    pub(super) fn define(&mut self, name: &str, span: Span) -> Result<(), Diagnostic> {
        check(name, span)?;
        self.variables.insert(name.into(), span);
        Ok(())
    }

    pub(super) fn declare_secret(&mut self, name: &str) {
        self.secrets.insert(name.into());
    }

    /// What is wrong with a reference, if anything is.
    pub(super) fn fault(&self, reference: &Reference<'_>) -> Option<Diagnostic> {
        let Reference { name, kind, has_default, span } = *reference;
        match kind {
            ReferenceKind::Environment => None,
            // `canary.name`, `run.id`: given by the runner.
            ReferenceKind::Variable if matches!(name, "canary" | "run") => None,
            ReferenceKind::Variable if has_default || self.variables.contains_key(name) => None,
            ReferenceKind::Variable => Some(self.undefined(name, span)),
            ReferenceKind::Secret if self.secrets.contains(name) => None,
            ReferenceKind::Secret => {
                let message = format!("secret `{name}` is not declared");
                let fault = Diagnostic::error("undeclared-secret", message, span);
                let guess = did_you_mean(name, self.secrets.iter().map(|name| &**name));
                Some(match guess {
                    Some(guess) => fault.label(format!("did you mean `{guess}`?")),
                    None => fault.help(format!("add it to the canary: `secrets: [{name}]`")),
                })
            }
        }
    }

    fn undefined(&self, name: &str, span: Span) -> Diagnostic {
        let message = format!("variable `{name}` is not defined");
        let fault = Diagnostic::error("undefined-variable", message, span);
        if self.later.contains(name) {
            return fault.label("a later step captures it").help("move that step up");
        }
        let known = self.variables.keys().map(|name| &**name);
        match did_you_mean(name, known) {
            Some(guess) => fault.label(format!("did you mean `{guess}`?")),
            None => fault.help("define it under `vars`, or capture it in an earlier step"),
        }
    }
}

fn check(name: &str, span: Span) -> Result<(), Diagnostic> {
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let goes_on = chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if !starts || !goes_on || name.ends_with('-') || name.len() > 64 {
        let message = format!("`{name}` cannot be the name of a variable");
        let fault = Diagnostic::error("variable-name", message, span);
        return Err(fault.help("a name is a letter or `_`, then letters, digits, `_` and `-`"));
    }
    if RESERVED.contains(&name) {
        let message = format!("`{name}` means something else in a template");
        return Err(Diagnostic::error("variable-name", message, span));
    }
    Ok(())
}
