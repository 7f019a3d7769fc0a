use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fault::{
    INVALID_BUCKET, INVALID_COMBINATION, INVALID_LOG_GROUP, INVALID_LOG_ROLE, INVALID_PREFIX,
    INVALID_TOKEN, UNSUPPORTED, refused,
};
use super::tags::{Tag, check_tags};
use super::trail::{Described, check_name, find, find_own, handle};
use crate::api::call::{Answer, Call};
use crate::api::page::{self, TokenInput};
use crate::monitor::{Selectors, Trail, TrailSettings, TrailState};
use crate::store::Buckets;

/// Source: CloudTrail service model, S3KeyPrefix.
const PREFIX_CHARACTERS_MAX: usize = 200;

/// The members that a trail is made or changed with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Members {
    name: Option<String>,
    s3_bucket_name: Option<String>,
    s3_key_prefix: Option<String>,
    sns_topic_name: Option<String>,
    include_global_service_events: Option<bool>,
    is_multi_region_trail: Option<bool>,
    enable_log_file_validation: Option<bool>,
    cloud_watch_logs_log_group_arn: Option<String>,
    cloud_watch_logs_role_arn: Option<String>,
    kms_key_id: Option<String>,
    is_organization_trail: Option<bool>,
    tags_list: Vec<Tag>,
}

impl Members {
    /// Sets what is given; an empty text takes a setting away.
    fn apply(self, settings: &mut TrailSettings) {
        let text = |given: Option<String>, own: &mut Option<String>| {
            if let Some(given) = given {
                *own = Some(given).filter(|text| !text.is_empty());
            }
        };
        let flag = |given: Option<bool>, own: &mut bool| *own = given.unwrap_or(*own);
        if let Some(bucket) = self.s3_bucket_name {
            settings.bucket = bucket;
        }
        text(self.s3_key_prefix, &mut settings.key_prefix);
        text(self.sns_topic_name, &mut settings.topic);
        text(self.cloud_watch_logs_log_group_arn, &mut settings.log_group_arn);
        text(self.cloud_watch_logs_role_arn, &mut settings.log_role_arn);
        text(self.kms_key_id, &mut settings.kms_key);
        flag(self.include_global_service_events, &mut settings.global_service_events);
        flag(self.is_multi_region_trail, &mut settings.is_multi_region);
        flag(self.enable_log_file_validation, &mut settings.validates_files);
    }

    /// What AWS refuses whatever the trail is.
    fn check(&self) -> Answer<()> {
        if self.is_organization_trail == Some(true) {
            let why = "Organization trails are not supported here: there is no organization.";
            return Err(UNSUPPORTED.because(why));
        }
        let prefix = self.s3_key_prefix.as_deref().unwrap_or_default();
        if prefix.chars().count() > PREFIX_CHARACTERS_MAX {
            return Err(INVALID_PREFIX.because("S3 prefix is longer than maximum length."));
        }
        Ok(())
    }
}

/// What a trail as a whole must be.
fn check_settings(settings: &TrailSettings) -> Answer<()> {
    if settings.bucket.len() < 3 || settings.bucket.len() > 63 {
        return Err(INVALID_BUCKET.because("Bucket name is not between 3 and 63 characters long."));
    }
    if !Buckets::is_name(&settings.bucket) {
        let why = format!("Bucket name {} is no valid S3 bucket name.", settings.bucket);
        return Err(INVALID_BUCKET.because(why));
    }
    if settings.is_multi_region && !settings.global_service_events {
        let why = "Multi-Region trail must include global service events.";
        return Err(INVALID_COMBINATION.because(why));
    }
    match (&settings.log_group_arn, &settings.log_role_arn) {
        (Some(arn), _) if !arn.contains(":log-group:") => {
            Err(INVALID_LOG_GROUP
                .because("CloudTrail cannot validate the specified log group ARN."))
        }
        (Some(_), None) => {
            Err(INVALID_LOG_ROLE.because("You must specify a role ARN as well as a log group."))
        }
        (None, Some(_)) => {
            Err(INVALID_LOG_GROUP.because("You must specify a log group as well as a role ARN."))
        }
        _ => Ok(()),
    }
}

/// Source: CloudTrail API Reference, CreateTrail: it takes nothing until it is started.
/// Differs: the bucket is a folder of the data folder, so that any that can be named is there.
pub(super) async fn create(call: Call, input: Members) -> Answer<Described> {
    let name = input.name.clone().unwrap_or_default();
    check_name(&name)?;
    input.check()?;
    check_tags(&input.tags_list)?;
    let tags = input.tags_list.iter().map(Tag::pair).collect::<BTreeMap<_, _>>();
    let mut settings = TrailSettings { global_service_events: true, ..TrailSettings::default() };
    input.apply(&mut settings);
    check_settings(&settings)?;
    call.concerns("AWS::CloudTrail::Trail", &name);
    call.concerns("AWS::S3::Bucket", &settings.bucket);
    let (selectors, state) = (Selectors::default(), TrailState::default());
    let (name_of, insights) = (name.as_str().into(), Vec::new());
    let trail = Trail { name: name_of, settings, selectors, insights, tags, state };
    let made = handle(&call).create(call.scope(), trail).await;
    let made = made.map_err(|error| refused(error, (&name, call.scope().account.as_str())))?;
    Ok(Described::made(call.scope(), &made))
}

/// Source: CloudTrail API Reference, UpdateTrail: what is left out stays.
pub(super) async fn update(call: Call, input: Members) -> Answer<Described> {
    let given = input.name.clone().unwrap_or_default();
    let trail = find_own(&call, &given)?;
    input.check()?;
    let mut settings = trail.settings.clone();
    input.apply(&mut settings);
    check_settings(&settings)?;
    call.concerns("AWS::CloudTrail::Trail", &trail.name);
    let changed = handle(&call).change(call.scope(), &trail.name, |trail| {
        trail.settings = settings;
    });
    let account = call.scope().account.as_str();
    let changed = changed.await.map_err(|error| refused(error, (&given, account)))?;
    Ok(Described::made(call.scope(), &changed))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameInput {
    pub(super) name: String,
}

/// Source: CloudTrail API Reference, DeleteTrail; what it took so far is delivered first.
pub(super) async fn delete(call: Call, input: NameInput) -> Answer<()> {
    let trail = find_own(&call, &input.name)?;
    call.concerns("AWS::CloudTrail::Trail", &trail.name);
    call.trail().settle().await;
    let gone = handle(&call).delete(call.scope(), &trail.name).await;
    gone.map_err(|error| refused(error, (&input.name, call.scope().account.as_str())))
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetOutput {
    trail: Described,
}

/// Source: CloudTrail API Reference, GetTrail.
pub(super) async fn get(call: Call, input: NameInput) -> Answer<GetOutput> {
    let (home, trail) = find(&call, &input.name)?;
    Ok(GetOutput { trail: Described::whole(&home, &trail) })
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DescribeInput {
    trail_name_list: Vec<String>,
    include_shadow_trails: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeOutput {
    trail_list: Vec<Described>,
}

/// Source: CloudTrail API Reference, DescribeTrails: a trail that is not there is left out; with
/// shadow trails, those of every region that are seen from here.
pub(super) async fn describe(call: Call, input: DescribeInput) -> Answer<DescribeOutput> {
    let mut found = if input.trail_name_list.is_empty() {
        handle(&call).of(call.scope())
    } else {
        for name in input.trail_name_list.iter().filter(|name| !name.starts_with("arn:")) {
            check_name(name)?;
        }
        input.trail_name_list.iter().filter_map(|name| find(&call, name).ok()).collect()
    };
    if input.include_shadow_trails == Some(false) {
        found.retain(|(home, _)| home.region == call.scope().region);
    }
    let trail_list = found.iter().map(|(home, trail)| Described::whole(home, trail)).collect();
    Ok(DescribeOutput { trail_list })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    trails: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    #[serde(rename = "TrailARN")]
    trail_arn: String,
    name: String,
    home_region: String,
}

/// Source: CloudTrail API Reference, ListTrails: those of every region of the account.
pub(super) async fn list(call: Call, input: TokenInput) -> Answer<ListOutput> {
    const PAGE: usize = 1_000;
    let trails = handle(&call).of_account(&call.scope().account);
    let mut trails = trails
        .iter()
        .map(|(home, trail)| Summary {
            trail_arn: trail.arn(home),
            name: trail.name.to_string(),
            home_region: home.region.to_string(),
        })
        .collect::<Vec<_>>();
    trails.sort_by(|one, other| one.trail_arn.cmp(&other.trail_arn));
    let asked = (input.next_token.as_deref(), PAGE);
    let (trails, next_token) =
        page::of("ListTrails", trails, |trail| trail.trail_arn.clone(), asked)
            .map_err(|_token| INVALID_TOKEN.because("The NextToken is not valid."))?;
    Ok(ListOutput { trails, next_token })
}
