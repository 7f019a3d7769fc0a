//! Which trail is meant, and how one is shown.

use std::sync::Arc;

use serde::Serialize;

use super::fault::{INVALID_ARN, INVALID_HOME_REGION, INVALID_TRAIL_NAME, unknown_trail};
use crate::api::call::{Answer, Call};
use crate::monitor::{Trail, TrailHandle};
use crate::telemetry::{AccountId, Region, Scope};

/// A trail as the API shows it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    name: String,
    s3_bucket_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    s3_key_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sns_topic_name: Option<String>,
    #[serde(rename = "SnsTopicARN", skip_serializing_if = "Option::is_none")]
    sns_topic_arn: Option<String>,
    include_global_service_events: bool,
    is_multi_region_trail: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    home_region: Option<String>,
    #[serde(rename = "TrailARN")]
    trail_arn: String,
    log_file_validation_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud_watch_logs_log_group_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud_watch_logs_role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_custom_event_selectors: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_insight_selectors: Option<bool>,
    is_organization_trail: bool,
}

impl Described {
    /// What CreateTrail and UpdateTrail answer.
    pub(super) fn made(home: &Scope, trail: &Trail) -> Self {
        let settings = trail.settings.clone();
        let topic_arn = settings.topic.as_ref().map(|topic| match topic.starts_with("arn:") {
            true => topic.clone(),
            false => home.arn("sns", topic),
        });
        Self {
            name: trail.name.to_string(),
            s3_bucket_name: settings.bucket,
            s3_key_prefix: settings.key_prefix,
            sns_topic_name: settings.topic,
            sns_topic_arn: topic_arn,
            include_global_service_events: settings.global_service_events,
            is_multi_region_trail: settings.is_multi_region,
            home_region: None,
            trail_arn: trail.arn(home),
            log_file_validation_enabled: settings.validates_files,
            cloud_watch_logs_log_group_arn: settings.log_group_arn,
            cloud_watch_logs_role_arn: settings.log_role_arn,
            kms_key_id: settings.kms_key,
            has_custom_event_selectors: None,
            has_insight_selectors: None,
            is_organization_trail: false,
        }
    }

    /// What GetTrail and DescribeTrails answer.
    pub(super) fn whole(home: &Scope, trail: &Trail) -> Self {
        Self {
            home_region: Some(home.region.to_string()),
            has_custom_event_selectors: Some(trail.selectors.are_custom()),
            has_insight_selectors: Some(!trail.insights.is_empty()),
            ..Self::made(home, trail)
        }
    }
}

/// The trails.
pub(super) fn handle(call: &Call) -> &TrailHandle {
    call.state().monitor.trails()
}

/// The trail that a name or an ARN means, which may be one of another region.
pub(super) fn find(call: &Call, name_or_arn: &str) -> Answer<(Scope, Arc<Trail>)> {
    let account = call.scope().account.as_str();
    let (home, name) = if name_or_arn.starts_with("arn:") {
        of_arn(name_or_arn).ok_or_else(|| {
            let why =
                format!("Request must have code: {name_or_arn} is not a valid ARN of a trail.");
            INVALID_ARN.because(why)
        })?
    } else {
        check_name(name_or_arn)?;
        (call.scope().clone(), name_or_arn)
    };
    if home.account != call.scope().account {
        return Err(unknown_trail(name_or_arn, account));
    }
    let own = handle(call).get(&home, name).ok().map(|trail| (home, trail));
    // A trail of every region is seen from each of them.
    let seen = || handle(call).of(call.scope()).into_iter().find(|(_, trail)| &*trail.name == name);
    own.or_else(seen).ok_or_else(|| unknown_trail(name_or_arn, account))
}

/// The trail that is to be changed: only from its home.
pub(super) fn find_own(call: &Call, name_or_arn: &str) -> Answer<Arc<Trail>> {
    let (home, trail) = find(call, name_or_arn)?;
    if home.region != call.scope().region {
        return Err(INVALID_HOME_REGION.because(format!(
            "The trail {} can be changed in its home region {} only.",
            trail.name, home.region
        )));
    }
    Ok(trail)
}

fn of_arn(arn: &str) -> Option<(Scope, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (service, region, account) = (parts.nth(2)?, parts.next()?, parts.next()?);
    let name = parts.next()?.strip_prefix("trail/")?;
    let account = AccountId::new(account).ok()?;
    (service == "cloudtrail").then(|| (Scope { account, region: Region::new(region) }, name))
}

/// Source: CloudTrail API Reference, CreateTrail, Name.
pub(super) fn check_name(name: &str) -> Answer<()> {
    let bytes = name.as_bytes();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let refused = |why: &str| Err(INVALID_TRAIL_NAME.because(why));
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    if bytes.len() < 3 {
        return refused("Trail name too short. Minimum allowed length: 3 characters.");
    }
    if bytes.len() > 128 {
        return refused("Trail name too long. Maximum allowed length: 128 characters.");
    }
    if !ends(bytes.first()) {
        return refused("Trail name must starts with a letter or number.");
    }
    if !ends(bytes.last()) {
        return refused("Trail name must ends with a letter or number.");
    }
    if !bytes.iter().all(|b| allowed(*b)) {
        let why = "Trail name or ARN can only contain uppercase letters, lowercase letters, \
                   numbers, periods (.), hyphens (-), and underscores (_).";
        return refused(why);
    }
    let adjacent = bytes.windows(2).any(|pair| pair.iter().all(|b| b"._-".contains(b)));
    if adjacent || name.parse::<std::net::Ipv4Addr>().is_ok() {
        return refused(
            "Trail name must not have adjacent punctuation, and must not be an IP address.",
        );
    }
    Ok(())
}
