use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use super::document::{Rule, RuleState};
use crate::pattern::{EventPattern, PatternSet};
use crate::telemetry::Scope;

/// A bus of a scope.
pub(in crate::bus) type BusName = (Scope, Arc<str>);

/// Every rule in memory, and for each bus the table that finds the rules of an event.
///
/// A table is made when the first event after a change comes.
#[derive(Debug, Default)]
pub(in crate::bus) struct RuleBook {
    buses: RwLock<HashMap<BusName, Shelf>>,
}

#[derive(Debug, Default)]
struct Shelf {
    rules: BTreeMap<Arc<str>, Arc<Rule>>,
    table: Option<Arc<Table>>,
}

/// The enabled rules of a bus behind one index.
pub(in crate::bus) type Table = PatternSet<Arc<Rule>>;

impl RuleBook {
    /// Adds or replaces a rule.
    pub(in crate::bus) fn put(&self, scope: &Scope, rule: Rule) {
        let mut buses = self.buses.write().unwrap_or_else(PoisonError::into_inner);
        let shelf = buses.entry((scope.clone(), Arc::clone(&rule.bus))).or_default();
        shelf.rules.insert(Arc::clone(&rule.name), Arc::new(rule));
        shelf.table = None;
    }

    /// Takes a rule out.
    pub(in crate::bus) fn remove(&self, scope: &Scope, bus: &Arc<str>, rule: &str) {
        let mut buses = self.buses.write().unwrap_or_else(PoisonError::into_inner);
        let key = (scope.clone(), Arc::clone(bus));
        if let Some(shelf) = buses.get_mut(&key) {
            shelf.rules.remove(rule);
            shelf.table = None;
            if shelf.rules.is_empty() {
                buses.remove(&key);
            }
        }
    }

    /// A rule.
    pub(in crate::bus) fn get(
        &self,
        scope: &Scope,
        bus: &Arc<str>,
        rule: &str,
    ) -> Option<Arc<Rule>> {
        let buses = self.buses.read().unwrap_or_else(PoisonError::into_inner);
        buses.get(&(scope.clone(), Arc::clone(bus)))?.rules.get(rule).cloned()
    }

    /// The rules of a bus, by name.
    pub(in crate::bus) fn of_bus(&self, scope: &Scope, bus: &Arc<str>) -> Vec<Arc<Rule>> {
        let buses = self.buses.read().unwrap_or_else(PoisonError::into_inner);
        let shelf = buses.get(&(scope.clone(), Arc::clone(bus)));
        shelf.map(|shelf| shelf.rules.values().cloned().collect()).unwrap_or_default()
    }

    /// Every enabled rule with a schedule.
    pub(in crate::bus) fn scheduled(&self) -> Vec<(Scope, Arc<Rule>)> {
        let buses = self.buses.read().unwrap_or_else(PoisonError::into_inner);
        let of_shelf = |((scope, _), shelf): (&BusName, &Shelf)| {
            let due =
                |rule: &&Arc<Rule>| rule.schedule.is_some() && rule.state != RuleState::Disabled;
            let found = shelf.rules.values().filter(due).cloned().collect::<Vec<_>>();
            found.into_iter().map(|rule| (scope.clone(), rule)).collect::<Vec<_>>()
        };
        buses.iter().flat_map(of_shelf).collect()
    }

    /// The table of a bus; none when it has no rules.
    pub(in crate::bus) fn table(&self, bus: &BusName) -> Option<Arc<Table>> {
        let buses = self.buses.read().unwrap_or_else(PoisonError::into_inner);
        let shelf = buses.get(bus)?;
        if let Some(table) = &shelf.table {
            return Some(Arc::clone(table));
        }
        drop(buses);
        let mut buses = self.buses.write().unwrap_or_else(PoisonError::into_inner);
        let shelf = buses.get_mut(bus)?;
        let table = Arc::new(compile(&shelf.rules));
        shelf.table = Some(Arc::clone(&table));
        Some(table)
    }
}

fn compile(rules: &BTreeMap<Arc<str>, Arc<Rule>>) -> Table {
    let enabled = rules.values().filter(|rule| rule.state != RuleState::Disabled);
    let patterns = enabled.filter_map(|rule| {
        let pattern = EventPattern::parse(rule.pattern.as_deref()?).ok()?;
        Some((Arc::clone(rule), pattern))
    });
    patterns.collect()
}
