use std::sync::Arc;

use super::BusHandle;
use super::carry::function_name;
use super::deliver::{Delivery, Receiver};
use super::handle::in_arn;
use super::rule::{RetrySettings, Target};
use super::topic::{Published, TopicError, TopicMessage};
use crate::store::{AppendError, SortKey};
use crate::telemetry::{Scope, TelemetryBatch};

/// Actions of alarms: what is named by an ARN and is no rule's target.
impl BusHandle {
    /// Whether there is a topic of that ARN.
    pub fn has_topic(&self, arn: &str) -> bool {
        in_arn(arn, "sns").is_some_and(|(scope, name)| self.topics.topic(&scope, name).is_ok())
    }

    /// Publishes to the topic of an ARN.
    ///
    /// Errors: as [`super::topic::Topics::publish`].
    pub async fn publish_to(
        &self,
        arn: &str,
        message: &TopicMessage,
    ) -> Result<Published, TopicError> {
        let (scope, name) = in_arn(arn, "sns").ok_or(TopicError::NoTopic)?;
        self.topics.publish(&scope, name, message).await
    }

    /// Whether a command is configured for the function of that ARN.
    pub fn has_function(&self, arn: &str) -> bool {
        let name = function_name(arn);
        self.functions.contains(arn) || name.is_some_and(|name| self.functions.contains(name))
    }

    /// Owes the function of an ARN a call with `event`, for `owner`; it is durable once this
    /// answers, and is tried as a rule's target is.
    ///
    /// Errors: the store's.
    pub async fn call_function(
        &self,
        scope: &Scope,
        (arn, owner): (&Arc<str>, &str),
        event: &str,
    ) -> Result<(), AppendError> {
        let at = self.clock.now();
        let target = Target { id: "action".into(), arn: Arc::clone(arn), ..Target::default() };
        let delivery = Delivery {
            id: SortKey::at(at, uuid::Uuid::new_v4()).as_str().into(),
            came: at,
            payload: event.into(),
            event: None,
            owner: owner.into(),
            dead_letter: None,
            retry: RetrySettings::default(),
            to: Receiver::Target(Box::new(target)),
            attempts: 0,
            fault: None,
        };
        let following = self.router.following(scope, vec![delivery]);
        self.store.append_with(TelemetryBatch::new(scope.clone()), following.changes).await?;
        following.taken.into_iter().for_each(|taken| taken());
        Ok(())
    }
}
