use serde::{Deserialize, Serialize};

use super::alarms::{alarms, name_in_arn};
use super::fault::RESOURCE_NOT_FOUND_EXCEPTION;
use crate::alarm::{AlarmRef, Tag};
use crate::api::call::{Answer, Call};

#[derive(Debug, Deserialize)]
pub(super) struct ListInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    tags: Vec<Tag>,
}

/// Source: CloudWatch API Reference, ListTagsForResource. Only alarms have tags here.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    let arn = input.resource_arn;
    let name = name_in_arn(call.scope(), &arn);
    let Some(snapshot) = name.and_then(|name| alarms(&call).get(call.scope(), name)) else {
        return Err(RESOURCE_NOT_FOUND_EXCEPTION
            .because(format!("Unknown resource {arn}"))
            .with("ResourceType", "Alarm")
            .with("ResourceId", arn));
    };
    let tags = match snapshot.alarm() {
        AlarmRef::Metric(alarm) => alarm.tags.clone(),
        AlarmRef::Composite(alarm) => alarm.tags.clone(),
    };
    Ok(ListOutput { tags })
}
