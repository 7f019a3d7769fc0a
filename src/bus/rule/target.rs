use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bus::refusal::{BusError, RefusalKind};
use crate::pattern::InputTransformer;

/// Where the events of a rule go, as PutTargets takes it and ListTargetsByRule shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Target {
    /// Its id in the rule.
    pub id: Arc<str>,
    /// What receives.
    pub arn: Arc<str>,
    /// Taken on trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<Arc<str>>,
    /// A constant that is sent in place of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Arc<str>>,
    /// The part of the event that is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_path: Option<Arc<str>>,
    /// What is made of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_transformer: Option<InputMap>,
    /// For streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinesis_parameters: Option<Value>,
    /// For queues with groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqs_parameters: Option<SqsParameters>,
    /// For API destinations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_parameters: Option<HttpParameters>,
    /// Kept as it was given, as every one that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_command_parameters: Option<Value>,
    /// For containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecs_parameters: Option<Value>,
    /// For batch jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_parameters: Option<Value>,
    /// For Redshift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redshift_data_parameters: Option<Value>,
    /// For SageMaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sage_maker_pipeline_parameters: Option<Value>,
    /// For AppSync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_sync_parameters: Option<Value>,
    /// Where events go that cannot be delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_config: Option<DeadLetterConfig>,
    /// How often and how long it is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetrySettings>,
}

/// The queue of events that could not be delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeadLetterConfig {
    /// The queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<Arc<str>>,
}

/// How often and how long a delivery is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RetrySettings {
    /// So often after the first attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_retry_attempts: Option<i64>,
    /// So long after the event came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_event_age_in_seconds: Option<i64>,
}

/// The paths and the template of an input transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InputMap {
    /// Paths by the names the template uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_paths_map: Option<BTreeMap<String, String>>,
    /// The template.
    pub input_template: Arc<str>,
}

impl InputMap {
    /// Reads it.
    pub(in crate::bus) fn transformer(
        &self,
    ) -> Result<InputTransformer, crate::pattern::TransformError> {
        let paths = self.input_paths_map.iter().flatten();
        let paths = paths.map(|(name, path)| (name.as_str(), path.as_str()));
        InputTransformer::parse(paths, &self.input_template)
    }
}

/// For queues with groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SqsParameters {
    /// The group of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_group_id: Option<Arc<str>>,
}

/// For API destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HttpParameters {
    /// What the `*` of the endpoint's path stand for, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_parameter_values: Option<Vec<String>>,
    /// Further headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header_parameters: Option<BTreeMap<String, String>>,
    /// Further query parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_string_parameters: Option<BTreeMap<String, String>>,
}

/// A target that was not put or not removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTarget {
    /// Its id.
    pub id: Arc<str>,
    /// AWS's code.
    pub code: &'static str,
    /// Why.
    pub message: String,
}

impl RetrySettings {
    const ATTEMPTS: i64 = 185;
    const AGE_SECONDS: i64 = 86_400;

    /// How many retries.
    pub(in crate::bus) fn attempts(self) -> u32 {
        let attempts = self.maximum_retry_attempts.unwrap_or(Self::ATTEMPTS);
        u32::try_from(attempts).unwrap_or(0)
    }

    /// How old the event may be, in milliseconds.
    pub(in crate::bus) fn age_millis(self) -> i64 {
        self.maximum_event_age_in_seconds.unwrap_or(Self::AGE_SECONDS).saturating_mul(1000)
    }
}

impl Target {
    /// The service in its ARN, where it has the form of one.
    pub(in crate::bus) fn service(&self) -> Option<&str> {
        let mut parts = self.arn.splitn(6, ':');
        match (parts.next(), parts.next(), parts.next(), parts.nth(2)) {
            (Some("arn"), Some(partition), Some(service), Some(rest))
                if partition.starts_with("aws") && !service.is_empty() && !rest.is_empty() =>
            {
                Some(service)
            }
            _ => None,
        }
    }

    /// Refuses what AWS refuses about a target.
    pub(in crate::bus) fn check(&self) -> Result<(), BusError> {
        let invalid = |why: String| Err(RefusalKind::Invalid.because(why));
        let Some(service) = self.service() else {
            let why = "Provided Arn is not in correct format.";
            return invalid(format!("Parameter {} is not valid. Reason: {why}", self.arn));
        };
        let id = &self.id;
        let inputs = [self.input.is_some(), self.input_path.is_some()];
        let inputs = inputs.iter().filter(|is| **is).count();
        if inputs + usize::from(self.input_transformer.is_some()) > 1 {
            let why =
                "Only one of Input, InputPath, or InputTransformer must be provided for target";
            return invalid(format!("{why} {id}."));
        }
        if let Some(input) = &self.input
            && serde_json::from_str::<serde::de::IgnoredAny>(input).is_err()
        {
            return invalid(format!("JSON text must be supplied for Input of target {id}."));
        }
        if let Some(path) = &self.input_path
            && InputTransformer::parse([("path", &**path)], "<path>").is_err()
        {
            return invalid(format!("Invalid InputPath for target {id}."));
        }
        if let Some(map) = &self.input_transformer
            && let Err(fault) = map.transformer()
        {
            return invalid(format!("Invalid InputTransformer for target {id}: {fault}."));
        }
        if service == "sqs" && self.arn.ends_with(".fifo") && self.sqs_parameters.is_none() {
            let why = "Parameter(s) SqsParameters must be specified for target:";
            return invalid(format!("{why} {id}."));
        }
        if service != "sqs" && self.sqs_parameters.is_some() {
            let why = "Parameter(s) SqsParameters not supported for target:";
            return invalid(format!("{why} {id}."));
        }
        let dead_letter = self.dead_letter_config.as_ref().and_then(|config| config.arn.as_ref());
        if let Some(arn) = dead_letter
            && (!arn.contains(":sqs:") || arn.ends_with(".fifo"))
        {
            let why = "Invalid DeadLetterConfig: the ARN must be that of a standard queue, target";
            return invalid(format!("{why} {id}."));
        }
        Ok(())
    }
}
