use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};

use super::kind;
use super::queue::Queues;
use super::refusal::{BusError, RefusalKind};
use super::replay::ReplayStops;
use super::route::Router;
use super::rule::{EventBus, RuleBook, Tag};
use super::schema::Discovery;
use super::topic::Topics;
use crate::store::{AppendError, Page, ResourceChanges, Store};
use crate::task::TaskGroup;
use crate::telemetry::{AccountId, DEFAULT_EVENT_BUS, Region, Scope};
use crate::time::Clock;

/// Asks the bus. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BusHandle {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) book: Arc<RuleBook>,
    pub(super) queues: Queues,
    pub(super) topics: Topics,
    pub(super) router: Router,
    pub(super) discovery: Discovery,
    /// Names and ARNs of the functions that a command is configured for.
    pub(super) functions: Arc<BTreeSet<Arc<str>>>,
    pub(super) tasks: TaskGroup,
    pub(super) replay_stops: Arc<ReplayStops>,
    /// Told when rules changed.
    pub(super) changed: Arc<Notify>,
    /// Changes of documents are made one after another.
    pub(super) turn: Arc<Semaphore>,
}

/// `arn:aws:events:<region>:<account>:event-bus/<name>`.
pub fn bus_arn(scope: &Scope, name: &str) -> String {
    scope.arn("events", format_args!("event-bus/{name}"))
}

/// The scope and name in a bus's ARN.
pub fn bus_of_arn(arn: &str) -> Option<(Scope, Arc<str>)> {
    let (scope, resource) = in_arn(arn, "events")?;
    Some((scope, resource.strip_prefix("event-bus/")?.into()))
}

/// The scope in the ARN of a topic or subscription.
pub fn topic_scope(arn: &str) -> Option<Scope> {
    in_arn(arn, "sns").map(|(scope, _)| scope)
}

/// The scope and resource in an ARN of `service`.
pub(super) fn in_arn<'a>(arn: &'a str, service: &str) -> Option<(Scope, &'a str)> {
    let mut parts = arn.splitn(6, ':');
    if parts.next() != Some("arn") || parts.nth(1) != Some(service) {
        return None;
    }
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let account = AccountId::new(account).ok()?;
    Some((Scope { account, region: Region::new(region) }, resource))
}

impl BusHandle {
    /// Queues.
    pub const fn queues(&self) -> &Queues {
        &self.queues
    }

    /// Topics.
    pub const fn topics(&self) -> &Topics {
        &self.topics
    }

    /// A bus; the default one is always there.
    ///
    /// Errors: `NotFound`.
    pub async fn bus(&self, scope: &Scope, name: &str) -> Result<EventBus, BusError> {
        match self.store.resources().get(scope, kind::EVENT_BUS, name).await? {
            Some(bus) => Ok(bus),
            None if name == DEFAULT_EVENT_BUS => Ok(EventBus::new(crate::time::Timestamp::EPOCH)),
            None => {
                let why = format!("Event bus {name} does not exist.");
                Err(RefusalKind::NotFound.because(why))
            }
        }
    }

    /// The buses of a scope, by name, the default one first.
    ///
    /// Errors: the store's.
    pub async fn buses(
        &self,
        scope: &Scope,
        prefix: &str,
    ) -> Result<Vec<(String, EventBus)>, BusError> {
        let mut buses = Vec::new();
        if DEFAULT_EVENT_BUS.starts_with(prefix) {
            buses.push((DEFAULT_EVENT_BUS.to_owned(), self.bus(scope, DEFAULT_EVENT_BUS).await?));
        }
        let page = Page { prefix, ..Page::ALL };
        let found = self.store.resources().list(scope, kind::EVENT_BUS, &page).await?;
        buses.extend(found.into_iter().filter(|(name, _)| name != DEFAULT_EVENT_BUS));
        Ok(buses)
    }

    /// Makes a bus.
    ///
    /// Errors: `AlreadyExists`.
    pub async fn create_bus(
        &self,
        scope: &Scope,
        name: &str,
        bus: &EventBus,
    ) -> Result<(), BusError> {
        let taken =
            || RefusalKind::AlreadyExists.because(format!("Event bus {name} already exists."));
        if name == DEFAULT_EVENT_BUS {
            return Err(taken());
        }
        let changes = ResourceChanges::new().put_new(kind::EVENT_BUS, name, bus)?;
        match self.store.resources().apply(scope, changes).await {
            Ok(_) => Ok(()),
            Err(AppendError::Conflict { .. }) => Err(taken()),
            Err(other) => Err(other.into()),
        }
    }

    /// Changes a bus.
    ///
    /// Errors: `NotFound`, and what `change` says.
    pub async fn change_bus(
        &self,
        scope: &Scope,
        name: &str,
        change: impl FnOnce(&mut EventBus) -> Result<(), BusError>,
    ) -> Result<EventBus, BusError> {
        let _turn = self.turn.acquire().await;
        let mut bus = self.bus(scope, name).await?;
        change(&mut bus)?;
        bus.modified = self.clock.now();
        self.store.resources().put(scope, kind::EVENT_BUS, name, &bus).await?;
        Ok(bus)
    }

    /// Deletes a bus without rules; one that is not there is deleted already.
    ///
    /// Errors: `Invalid` for the default bus and for one with rules.
    pub async fn delete_bus(&self, scope: &Scope, name: &Arc<str>) -> Result<(), BusError> {
        if &**name == DEFAULT_EVENT_BUS {
            return Err(RefusalKind::Invalid.because("Cannot delete event bus default."));
        }
        let _turn = self.turn.acquire().await;
        if !self.book.of_bus(scope, name).is_empty() {
            let why = "Event bus can't be deleted since it has rules.";
            return Err(RefusalKind::Invalid.because(why));
        }
        self.store.resources().delete(scope, kind::EVENT_BUS, name).await?;
        Ok(())
    }

    /// Whether `caller` may put events on a bus of another account.
    ///
    /// Errors: `NotFound`, `AccessDenied`.
    pub async fn check_put(&self, bus: (&Scope, &str), caller: &Scope) -> Result<(), BusError> {
        let (scope, name) = bus;
        let found = self.bus(scope, name).await?;
        if scope.account != caller.account && !super::policy::allows(found.policy.as_ref(), caller)
        {
            let arn = bus_arn(scope, name);
            let why = format!("{} is not authorized to put events on {arn}.", caller.account);
            return Err(RefusalKind::AccessDenied.because(why));
        }
        Ok(())
    }

    /// Reads the tags of a rule or bus.
    ///
    /// Errors: `NotFound`.
    pub async fn tags(&self, scope: &Scope, arn: &str) -> Result<Vec<Tag>, BusError> {
        match Tagged::of(scope, arn)? {
            Tagged::Bus(bus) => Ok(self.bus(scope, &bus).await?.tags),
            Tagged::Rule(bus, rule) => Ok(self.rule(scope, &bus, &rule)?.tags.clone()),
        }
    }

    /// Changes the tags of a rule or bus.
    ///
    /// Errors: `NotFound`, `LimitExceeded` over 50 tags.
    pub async fn change_tags(
        &self,
        scope: &Scope,
        arn: &str,
        change: impl FnOnce(&mut Vec<Tag>),
    ) -> Result<(), BusError> {
        const TAGS_MAX: usize = 50;
        let change = |tags: &mut Vec<Tag>| {
            change(tags);
            if tags.len() > TAGS_MAX {
                let why = "The requested resource exceeds the maximum number of tags allowed.";
                return Err(RefusalKind::LimitExceeded.because(why));
            }
            Ok(())
        };
        match Tagged::of(scope, arn)? {
            Tagged::Bus(bus) => {
                self.change_bus(scope, &bus, |bus| change(&mut bus.tags)).await?;
            }
            Tagged::Rule(bus, rule) => {
                self.change_rule(scope, (&bus, &rule), |rule| change(&mut rule.tags)).await?;
            }
        }
        Ok(())
    }
}

/// What has tags.
enum Tagged {
    Bus(Arc<str>),
    Rule(Arc<str>, Arc<str>),
}

impl Tagged {
    fn of(scope: &Scope, arn: &str) -> Result<Self, BusError> {
        let own = in_arn(arn, "events").filter(|(owner, _)| owner == scope);
        let parts = own.and_then(|(_, resource)| resource.split_once('/'));
        match parts {
            Some(("event-bus", bus)) => Ok(Self::Bus(bus.into())),
            Some(("rule", rule)) => {
                let (bus, rule) = rule.rsplit_once('/').unwrap_or((DEFAULT_EVENT_BUS, rule));
                Ok(Self::Rule(bus.into(), rule.into()))
            }
            _ => {
                let why = format!("Parameter ResourceARN is not valid: {arn}");
                Err(RefusalKind::Invalid.because(why))
            }
        }
    }
}
