//! Secrets of a run: where their values come from, and to which hosts they may go.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fault;
use super::policy::Trust;
use super::settings::Environment;
use crate::canary::definition::Canary;
use crate::canary::report::{Failure, Verdict};
use crate::canary::secret::SecretText;
use crate::canary::template::{LookupError, Taint};

/// Values of secrets by name, with the operator's own word on where they may go.
///
/// A declared secret that is not stored here is looked up in the environment.
#[derive(Clone, Debug, Default)]
pub struct SecretStore {
    stored: Arc<BTreeMap<Arc<str>, StoredSecret>>,
}

/// One stored secret.
#[derive(Clone, Debug)]
pub struct StoredSecret {
    /// Its value.
    pub value: SecretText,
    /// Hosts it may be sent to, beside what a canary says; empty means any.
    pub hosts: Vec<Arc<str>>,
}

impl SecretStore {
    /// A store of these secrets.
    pub fn new(stored: BTreeMap<Arc<str>, StoredSecret>) -> Self {
        Self { stored: Arc::new(stored) }
    }
}

/// Hosts that something may be sent to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostScope {
    /// Any.
    #[default]
    Any,
    /// Only these: names, or `*.` and a domain.
    Only(Vec<Arc<str>>),
}

impl HostScope {
    fn of(hosts: &[Arc<str>]) -> Self {
        if hosts.is_empty() { Self::Any } else { Self::Only(hosts.to_vec()) }
    }

    /// Whether `host` is one of them.
    pub fn allows(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        let matches = |pattern: &Arc<str>| match pattern.strip_prefix("*.") {
            Some(domain) => host
                .len()
                .checked_sub(domain.len() + 1)
                .and_then(|at| host.split_at_checked(at))
                .is_some_and(|(label, rest)| {
                    !label.is_empty()
                        && rest.strip_prefix('.').is_some_and(|r| r.eq_ignore_ascii_case(domain))
                }),
            None => host.eq_ignore_ascii_case(pattern),
        };
        match self {
            Self::Any => true,
            Self::Only(hosts) => hosts.iter().any(matches),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, other) | (other, Self::Any) => other,
            // Both must allow a host, and each side is a list: keep what the other side covers.
            (own @ Self::Only(_), Self::Only(hosts)) => {
                let bare = |host: &str| host.trim_start_matches("*.").to_owned();
                let both = |host: &Arc<str>| own.allows(host) || own.allows(&bare(host));
                Self::Only(hosts.into_iter().filter(both).collect())
            }
        }
    }
}

/// The secrets that one canary may use in one run.
#[derive(Clone, Debug)]
pub(super) struct RunSecrets {
    trust: Trust,
    known: BTreeMap<Arc<str>, Known>,
}

#[derive(Clone, Debug)]
struct Known {
    value: Option<SecretText>,
    scope: HostScope,
}

impl RunSecrets {
    /// Looks up what `canary` declares. In `pr` trust nothing is looked up.
    pub(super) fn of(
        canary: &Canary,
        trust: Trust,
        store: &SecretStore,
        environment: &Environment,
    ) -> Self {
        let known = |declared: &crate::canary::definition::SecretDeclaration| {
            let stored = store.stored.get(&declared.name);
            let from_environment = || environment.get(&declared.name).map(SecretText::new);
            let value = match trust {
                Trust::PullRequest => None,
                Trust::Full => stored.map(|s| s.value.clone()).or_else(from_environment),
            };
            let operators = stored.map_or(HostScope::Any, |stored| HostScope::of(&stored.hosts));
            let scope = operators.and(HostScope::of(&declared.hosts));
            (Arc::clone(&declared.name), Known { value, scope })
        };
        Self { trust, known: canary.secrets.iter().map(known).collect() }
    }

    /// Every value, for the redactor.
    pub(super) fn values(&self) -> impl Iterator<Item = &SecretText> {
        self.known.values().filter_map(|known| known.value.as_ref())
    }

    /// The value of one secret.
    pub(super) fn get(&self, name: &str) -> Result<SecretText, LookupError> {
        let Some(known) = self.known.get(name) else {
            let reason = "the canary does not declare it under `secrets`".into();
            return Err(LookupError::Denied { reason });
        };
        if self.trust == Trust::PullRequest {
            return Err(LookupError::Denied { reason: "`pr` trust resolves no secrets".into() });
        }
        known.value.clone().ok_or(LookupError::Undefined)
    }

    /// Where a request with this taint may go.
    ///
    /// Errors: a policy failure when that is not `host`.
    pub(super) fn scope_at(&self, taint: &Taint, host: &str) -> Result<HostScope, Box<Failure>> {
        let mut scope = HostScope::Any;
        for name in &taint.names {
            // A captured secret has no declaration: it goes where its canary sends it.
            let Some(known) = self.known.get(name) else { continue };
            if !known.scope.allows(host) {
                let message = format!("secret `{name}` may not be sent to {host}");
                return Err(Box::new(fault::failure(Verdict::Policy, message)));
            }
            scope = scope.and(known.scope.clone());
        }
        Ok(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(hosts: &[&str]) -> HostScope {
        HostScope::Only(hosts.iter().map(|host| Arc::from(*host)).collect())
    }

    #[test]
    fn a_pattern_covers_its_subdomains_and_nothing_that_only_ends_alike() {
        let scope = only(&["api.example.com", "*.corp.example"]);
        for host in ["api.example.com", "API.example.com.", "a.corp.example", "a.b.corp.example"] {
            assert!(scope.allows(host), "{host}");
        }
        for host in ["example.com", "corp.example", ".corp.example", "evilcorp.example", "é"] {
            assert!(!scope.allows(host), "{host}");
        }
        assert!(HostScope::Any.allows("anything"));
    }

    #[test]
    fn operator_and_canary_must_both_allow_a_host() {
        let both = only(&["*.example.com"]).and(only(&["api.example.com", "evil.test"]));
        assert_eq!(both, only(&["api.example.com"]));
        assert_eq!(only(&["a.test"]).and(HostScope::Any), only(&["a.test"]));
        assert!(!only(&["a.test"]).and(only(&["b.test"])).allows("b.test"));
    }
}
