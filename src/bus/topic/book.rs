use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Semaphore;

use super::TopicError;
use super::document::{Protocol, Subscription, Topic};
use crate::bus::kind;
use crate::bus::route::Router;
use crate::bus::rule::Tag;
use crate::store::{ReadError, ResourceChanges, Store};
use crate::telemetry::{Scope, TelemetryBatch};
use crate::time::{Clock, Timestamp};

/// Every topic. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Topics {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) router: Router,
    /// What links in messages begin with.
    pub(super) link_base: Option<Arc<str>>,
    shelves: Arc<RwLock<HashMap<Scope, Shelf>>>,
    /// Changes are made one after another.
    turn: Arc<Semaphore>,
    sequence: Arc<AtomicU64>,
    has_mail: bool,
}

/// The topics and subscriptions of a scope.
#[derive(Debug, Default)]
struct Shelf {
    topics: BTreeMap<Arc<str>, Topic>,
    subscriptions: BTreeMap<Arc<str>, Subscription>,
}

/// What topics work with, beside the store.
#[derive(Debug)]
pub(in crate::bus) struct TopicParts {
    pub(in crate::bus) store: Store,
    pub(in crate::bus) clock: Arc<dyn Clock>,
    pub(in crate::bus) router: Router,
    pub(in crate::bus) link_base: Option<Arc<str>>,
    pub(in crate::bus) has_mail: bool,
}

impl Topics {
    /// Reads every topic.
    ///
    /// Errors: as the store's reads.
    pub(in crate::bus) async fn load(parts: TopicParts) -> Result<Self, ReadError> {
        let TopicParts { store, clock, router, link_base, has_mail } = parts;
        let mut shelves: HashMap<Scope, Shelf> = HashMap::new();
        for (scope, name, topic) in store.resources().everywhere::<Topic>(kind::TOPIC).await? {
            shelves.entry(scope).or_default().topics.insert(name.into(), topic);
        }
        let subscriptions = store.resources().everywhere::<Subscription>(kind::SUBSCRIPTION);
        for (scope, arn, subscription) in subscriptions.await? {
            shelves.entry(scope).or_default().subscriptions.insert(arn.into(), subscription);
        }
        Ok(Self {
            store,
            clock,
            router,
            link_base,
            shelves: Arc::new(RwLock::new(shelves)),
            turn: Arc::new(Semaphore::new(1)),
            sequence: Arc::default(),
            has_mail,
        })
    }

    fn read<T>(&self, scope: &Scope, read: impl FnOnce(&Shelf) -> T) -> Option<T> {
        let shelves = self.shelves.read().unwrap_or_else(PoisonError::into_inner);
        shelves.get(scope).map(read)
    }

    fn write(&self, scope: &Scope, write: impl FnOnce(&mut Shelf)) {
        let mut shelves = self.shelves.write().unwrap_or_else(PoisonError::into_inner);
        write(shelves.entry(scope.clone()).or_default());
    }

    /// A sequence number that grows, also over restarts.
    pub(super) fn next_sequence(&self, at: Timestamp) -> String {
        let by_time = u64::try_from(at.as_millis()).unwrap_or(0).saturating_mul(1_000_000);
        let old = self.sequence.fetch_max(by_time, Ordering::Relaxed).max(by_time);
        self.sequence.fetch_add(1, Ordering::Relaxed);
        format!("{:020}", old + 10_000_000_000_000_000_000)
    }

    /// A topic and its subscriptions.
    ///
    /// Errors: `NoTopic`.
    pub fn topic(
        &self,
        scope: &Scope,
        name: &str,
    ) -> Result<(Topic, Vec<Subscription>), TopicError> {
        let found = self.read(scope, |shelf| {
            let topic = shelf.topics.get(name)?.clone();
            let own = shelf.subscriptions.values().filter(|s| *s.topic == *name).cloned();
            Some((topic, own.collect()))
        });
        found.flatten().ok_or(TopicError::NoTopic)
    }

    /// Names of the topics of a scope.
    pub fn names(&self, scope: &Scope) -> Vec<Arc<str>> {
        self.read(scope, |shelf| shelf.topics.keys().cloned().collect()).unwrap_or_default()
    }

    /// Every subscription of a scope, by ARN.
    pub fn subscriptions(&self, scope: &Scope) -> Vec<Subscription> {
        let all = self.read(scope, |shelf| shelf.subscriptions.values().cloned().collect());
        all.unwrap_or_default()
    }

    /// A subscription.
    ///
    /// Errors: `NoSubscription`.
    pub fn subscription(&self, scope: &Scope, arn: &str) -> Result<Subscription, TopicError> {
        let found = self.read(scope, |shelf| shelf.subscriptions.get(arn).cloned());
        found.flatten().ok_or(TopicError::NoSubscription)
    }

    /// Makes a topic; one of the same name and attributes is there already.
    ///
    /// Errors: `Parameter`.
    pub async fn create(
        &self,
        scope: &Scope,
        name: &Arc<str>,
        attributes: &BTreeMap<String, String>,
        tags: Vec<Tag>,
    ) -> Result<(), TopicError> {
        let _turn = self.turn.acquire().await;
        let stem = name.strip_suffix(".fifo").unwrap_or(name);
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if stem.is_empty() || name.len() > 256 || !stem.bytes().all(allowed) {
            return Err(TopicError::parameter("Topic Name"));
        }
        let wants_fifo = attributes.get("FifoTopic").is_some_and(|value| value == "true");
        if wants_fifo != name.ends_with(".fifo") {
            let reason = if wants_fifo {
                "Fifo Topic names must end with .fifo and must be made up of only uppercase and \
                 lowercase ASCII letters, numbers, underscores, and hyphens, and must be between \
                 1 and 256 characters long."
            } else {
                "Topic Name"
            };
            return Err(TopicError::parameter(reason));
        }
        if let Ok((there, _)) = self.topic(scope, name) {
            let differs = attributes
                .iter()
                .any(|(name, value)| there.attributes.get(name).is_some_and(|held| held != value));
            if differs {
                let reason = "Attributes Reason: Topic already exists with different attributes";
                return Err(TopicError::parameter(reason));
            }
            if tags.iter().any(|tag| !there.tags.contains(tag)) {
                let reason = "Tags Reason: Topic already exists with different tags";
                return Err(TopicError::parameter(reason));
            }
            return Ok(());
        }
        let created = self.clock.now();
        let mut topic =
            Topic { name: Arc::clone(name), attributes: BTreeMap::new(), tags, created };
        attributes.iter().try_for_each(|(name, value)| topic.set(name, value))?;
        self.keep_topic(scope, topic).await
    }

    async fn keep_topic(&self, scope: &Scope, topic: Topic) -> Result<(), TopicError> {
        self.store.resources().put(scope, kind::TOPIC, &topic.name, &topic).await?;
        self.write(scope, |shelf| drop(shelf.topics.insert(Arc::clone(&topic.name), topic)));
        Ok(())
    }

    /// Sets an attribute of a topic.
    ///
    /// Errors: `NoTopic`, `Parameter`.
    pub async fn set_attribute(
        &self,
        scope: &Scope,
        topic: &str,
        (name, value): (&str, &str),
    ) -> Result<(), TopicError> {
        let _turn = self.turn.acquire().await;
        let (mut topic, _) = self.topic(scope, topic)?;
        topic.set(name, value)?;
        self.keep_topic(scope, topic).await
    }

    /// Changes the tags of a topic.
    ///
    /// Errors: `NoTopic`.
    pub async fn change_tags(
        &self,
        scope: &Scope,
        topic: &str,
        change: impl FnOnce(&mut Vec<Tag>),
    ) -> Result<(), TopicError> {
        let _turn = self.turn.acquire().await;
        let (mut topic, _) = self.topic(scope, topic)?;
        change(&mut topic.tags);
        self.keep_topic(scope, topic).await
    }

    /// Deletes a topic with its subscriptions; one that is not there is deleted already.
    ///
    /// Errors: the store's.
    pub async fn delete(&self, scope: &Scope, topic: &str) -> Result<(), TopicError> {
        let _turn = self.turn.acquire().await;
        let Ok((_, subscriptions)) = self.topic(scope, topic) else { return Ok(()) };
        let mut changes = ResourceChanges::new().delete(kind::TOPIC, topic);
        for subscription in &subscriptions {
            changes = changes.delete(kind::SUBSCRIPTION, &subscription.arn);
        }
        self.store.resources().apply(scope, changes).await?;
        self.write(scope, |shelf| {
            shelf.topics.remove(topic);
            shelf.subscriptions.retain(|_, subscription| *subscription.topic != *topic);
        });
        Ok(())
    }

    /// Subscribes to a topic; an HTTP receiver is asked to confirm.
    ///
    /// Errors: `NoTopic`, `Parameter`.
    pub async fn subscribe(
        &self,
        scope: &Scope,
        topic: &str,
        (protocol, endpoint): (&str, &str),
        attributes: &BTreeMap<String, String>,
    ) -> Result<Subscription, TopicError> {
        let _turn = self.turn.acquire().await;
        let (topic, subscriptions) = self.topic(scope, topic)?;
        let protocol = Protocol::parse(protocol)?;
        self.check_endpoint(protocol, endpoint)?;
        let there = subscriptions
            .into_iter()
            .find(|held| held.protocol == protocol && *held.endpoint == *endpoint);
        if let Some(there) = there {
            let differs = attributes.iter().any(|(n, v)| there.attributes.get(n) != Some(v));
            if differs {
                let reason = "Attributes Reason: Subscription already exists with different \
                              attributes";
                return Err(TopicError::parameter(reason));
            }
            return Ok(there);
        }
        let id = uuid::Uuid::new_v4();
        let arn: Arc<str> = scope.arn("sns", format_args!("{}:{id}", topic.name)).into();
        let token =
            || format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let mut subscription = Subscription {
            arn: Arc::clone(&arn),
            topic: topic.name,
            protocol,
            endpoint: endpoint.into(),
            attributes: BTreeMap::new(),
            token: protocol.must_confirm().then(|| token().into()),
        };
        attributes.iter().try_for_each(|(name, value)| subscription.set(name, value))?;
        let asked = subscription.token.is_some().then(|| self.confirmation(scope, &subscription));
        let following = self.router.following(scope, asked.into_iter().collect());
        let changes = following.changes.put(kind::SUBSCRIPTION, &arn, &subscription)?;
        self.store.append_with(TelemetryBatch::new(scope.clone()), changes).await?;
        self.write(scope, |shelf| drop(shelf.subscriptions.insert(arn, subscription.clone())));
        following.taken.into_iter().for_each(|taken| taken());
        Ok(subscription)
    }

    /// Differs: mail needs a mail channel in the configuration, and is not confirmed, since the
    /// operator named the server.
    fn check_endpoint(&self, protocol: Protocol, endpoint: &str) -> Result<(), TopicError> {
        let fits = match protocol {
            Protocol::Sqs => crate::bus::queue::Queues::of_arn(endpoint).is_some(),
            Protocol::Lambda => endpoint.starts_with("arn:") && endpoint.contains(":lambda:"),
            Protocol::Http => endpoint.starts_with("http://"),
            Protocol::Https => endpoint.starts_with("https://"),
            Protocol::Email | Protocol::EmailJson => {
                if !self.has_mail {
                    let reason = "Endpoint Reason: no mail channel is configured here";
                    return Err(TopicError::parameter(reason));
                }
                endpoint.contains('@')
            }
        };
        if fits {
            return Ok(());
        }
        let reason = match protocol {
            Protocol::Sqs => "SQS endpoint ARN".to_owned(),
            Protocol::Lambda => "Lambda endpoint ARN".to_owned(),
            Protocol::Http => "Endpoint must match the specified protocol".to_owned(),
            Protocol::Https => "Endpoint must match the specified protocol".to_owned(),
            Protocol::Email | Protocol::EmailJson => "Email address".to_owned(),
        };
        Err(TopicError::parameter(reason))
    }

    /// Confirms a subscription by the token that its receiver was sent.
    ///
    /// Errors: `NoTopic`, `Parameter` for a token that nobody was sent.
    pub async fn confirm(
        &self,
        scope: &Scope,
        topic: &str,
        token: &str,
    ) -> Result<Arc<str>, TopicError> {
        let _turn = self.turn.acquire().await;
        let (_, subscriptions) = self.topic(scope, topic)?;
        let found = subscriptions.into_iter().find(|held| held.token.as_deref() == Some(token));
        let Some(mut subscription) = found else {
            return Err(TopicError::parameter("Token"));
        };
        subscription.token = None;
        let arn = Arc::clone(&subscription.arn);
        self.keep_subscription(scope, subscription).await?;
        Ok(arn)
    }

    async fn keep_subscription(
        &self,
        scope: &Scope,
        subscription: Subscription,
    ) -> Result<(), TopicError> {
        let arn = Arc::clone(&subscription.arn);
        self.store.resources().put(scope, kind::SUBSCRIPTION, &arn, &subscription).await?;
        self.write(scope, |shelf| drop(shelf.subscriptions.insert(arn, subscription)));
        Ok(())
    }

    /// Sets an attribute of a subscription.
    ///
    /// Errors: `NoSubscription`, `Parameter`.
    pub async fn set_subscription_attribute(
        &self,
        scope: &Scope,
        arn: &str,
        (name, value): (&str, &str),
    ) -> Result<(), TopicError> {
        let _turn = self.turn.acquire().await;
        let mut subscription = self.subscription(scope, arn)?;
        subscription.set(name, value)?;
        self.keep_subscription(scope, subscription).await
    }

    /// Ends a subscription; one that is not there has ended already.
    ///
    /// Errors: the store's.
    pub async fn unsubscribe(&self, scope: &Scope, arn: &str) -> Result<(), TopicError> {
        let _turn = self.turn.acquire().await;
        self.store.resources().delete(scope, kind::SUBSCRIPTION, arn).await?;
        self.write(scope, |shelf| drop(shelf.subscriptions.remove(arn)));
        Ok(())
    }
}
