use serde::{Deserialize, Serialize};

use super::reading::check_one_page;
use super::tags::{self, Tag};
use super::{INVALID_REQUEST, short_id};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::page::TokenInput;
use crate::api::service::Constraints;
use crate::query::trace::{GroupReference, TraceFilter};
use crate::store::{AppendError, Page, ResourceChanges};

const KIND: &str = "xray-group";
/// The group of all traces, which every account has.
const DEFAULT: &str = "Default";
/// Source: X-Ray endpoints and quotas.
const GROUPS_MAX: usize = 25;

/// A group, as it is kept and shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Group {
    pub(super) group_name: String,
    #[serde(rename = "GroupARN")]
    pub(super) group_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filter_expression: Option<String>,
    pub(super) insights_configuration: Insights,
}

/// Whether faults of the group are watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Insights {
    #[serde(default)]
    pub(super) insights_enabled: bool,
    #[serde(default)]
    pub(super) notifications_enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    group_name: String,
    filter_expression: Option<String>,
    insights_configuration: Option<Insights>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    group_name: Option<String>,
    #[serde(rename = "GroupARN")]
    group_arn: Option<String>,
    filter_expression: Option<String>,
    insights_configuration: Option<Insights>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NamedInput {
    group_name: Option<String>,
    #[serde(rename = "GroupARN")]
    group_arn: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    group: Group,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    groups: Vec<Group>,
}

/// Source: X-Ray API Reference, CreateGroup.
pub(super) async fn create(call: Call, input: CreateInput) -> Answer<Output> {
    let name = input.group_name;
    Constraints::new().length("GroupName", &name, 1, 32).done(INVALID_REQUEST)?;
    check_expression(input.filter_expression.as_deref())?;
    tags::check(&input.tags)?;
    let taken = || INVALID_REQUEST.because(format!("Group with name {name} already exists"));
    if name == DEFAULT {
        return Err(taken());
    }
    if custom(&call).await?.len() >= GROUPS_MAX {
        return Err(INVALID_REQUEST.because(format!("There are {GROUPS_MAX} groups, the most")));
    }
    let made = Group {
        group_arn: call.scope().arn("xray", format_args!("group/{name}/{}", short_id())),
        group_name: name.clone(),
        filter_expression: input.filter_expression,
        insights_configuration: input.insights_configuration.unwrap_or_default(),
    };
    call.concerns("AWS::XRay::Group", &made.group_arn);
    let changes = ResourceChanges::new().put_new(KIND, &name, &made)?;
    let changes = tags::set(changes, &made.group_arn, &input.tags)?;
    match call.apply(changes).await {
        Ok(()) => Ok(Output { group: made }),
        Err(AppendError::Conflict { .. }) => Err(taken()),
        Err(other) => Err(other.into()),
    }
}

/// Source: X-Ray API Reference, UpdateGroup.
pub(super) async fn update(call: Call, input: UpdateInput) -> Answer<Output> {
    let (name, arn) = (input.group_name.as_deref(), input.group_arn.as_deref());
    let mut group = by_name_or_arn(&call, name, arn).await?;
    check_expression(input.filter_expression.as_deref())?;
    if group.group_name == DEFAULT && input.filter_expression.is_some() {
        let why = "The Default group has no filter expression: it holds every trace";
        return Err(INVALID_REQUEST.because(why));
    }
    if let Some(expression) = input.filter_expression {
        group.filter_expression = Some(expression);
    }
    group.insights_configuration =
        input.insights_configuration.unwrap_or(group.insights_configuration);
    call.concerns("AWS::XRay::Group", &group.group_arn);
    call.apply(ResourceChanges::new().put(KIND, &group.group_name, &group)?).await?;
    Ok(Output { group })
}

/// Source: X-Ray API Reference, DeleteGroup.
pub(super) async fn delete(call: Call, input: NamedInput) -> Answer<()> {
    let (name, arn) = (input.group_name.as_deref(), input.group_arn.as_deref());
    let group = by_name_or_arn(&call, name, arn).await?;
    if group.group_name == DEFAULT {
        return Err(INVALID_REQUEST.because("The Default group cannot be deleted"));
    }
    call.concerns("AWS::XRay::Group", &group.group_arn);
    let changes = ResourceChanges::new().delete_existing(KIND, &group.group_name);
    match call.apply(tags::forget(changes, &group.group_arn)).await {
        Err(AppendError::Missing { .. }) => Err(absent(&group.group_name)),
        other => Ok(other?),
    }
}

/// Source: X-Ray API Reference, GetGroup.
pub(super) async fn get(call: Call, input: NamedInput) -> Answer<Output> {
    let (name, arn) = (input.group_name.as_deref(), input.group_arn.as_deref());
    Ok(Output { group: by_name_or_arn(&call, name, arn).await? })
}

/// Source: X-Ray API Reference, GetGroups.
pub(super) async fn list(call: Call, input: TokenInput) -> Answer<ListOutput> {
    check_one_page("GetGroups", input.next_token.as_deref())?;
    Ok(ListOutput { groups: all(&call).await? })
}

/// Every group, the default one first.
pub(super) async fn all(call: &Call) -> Answer<Vec<Group>> {
    let mut groups = vec![by_name_or_arn(call, Some(DEFAULT), None).await?];
    groups.extend(custom(call).await?);
    Ok(groups)
}

async fn custom(call: &Call) -> Answer<Vec<Group>> {
    let kept = call.state().store.resources().list(call.scope(), KIND, &Page::ALL).await?;
    Ok(kept.into_iter().filter(|(name, _)| name != DEFAULT).map(|(_, group)| group).collect())
}

/// The group of a name or an ARN, of which exactly one is given.
pub(super) async fn by_name_or_arn(
    call: &Call,
    name: Option<&str>,
    arn: Option<&str>,
) -> Answer<Group> {
    let wanted = match (name, arn) {
        (Some(name), None) => name,
        (None, Some(arn)) => name_in(arn).ok_or_else(|| absent(arn))?,
        _ => {
            let why = "Exactly one of GroupName and GroupARN is required";
            return Err(INVALID_REQUEST.because(why));
        }
    };
    let kept: Option<Group> =
        call.state().store.resources().get(call.scope(), KIND, wanted).await?;
    let kept = kept.or_else(|| (wanted == DEFAULT).then(|| default_group(call)));
    // An ARN names one group, not another that was made later under the same name.
    let fits = |group: &Group| arn.is_none_or(|arn| arn == group.group_arn);
    kept.filter(fits).ok_or_else(|| absent(arn.unwrap_or(wanted)))
}

/// The group that a filter expression refers to.
pub(super) async fn by_reference(call: &Call, reference: &GroupReference) -> Answer<Group> {
    match reference {
        GroupReference::Name(name) => by_name_or_arn(call, Some(name), None).await,
        GroupReference::Arn(arn) => by_name_or_arn(call, None, Some(arn)).await,
    }
}

fn default_group(call: &Call) -> Group {
    Group {
        group_name: DEFAULT.to_owned(),
        group_arn: call.scope().arn("xray", "group/Default"),
        filter_expression: None,
        insights_configuration: Insights::default(),
    }
}

fn name_in(arn: &str) -> Option<&str> {
    let (_, resource) = arn.rsplit_once(":group/")?;
    resource.split('/').next().filter(|name| !name.is_empty())
}

fn absent(group: &str) -> ApiError {
    INVALID_REQUEST.because(format!("Group {group} not found"))
}

fn check_expression(expression: Option<&str>) -> Answer<()> {
    let invalid = |error| INVALID_REQUEST.because(format!("Invalid filter expression: {error}"));
    let filter = TraceFilter::parse(expression.unwrap_or_default()).map_err(invalid)?;
    if !filter.groups().is_empty() {
        let why = "Invalid filter expression: a group cannot refer to another group";
        return Err(INVALID_REQUEST.because(why));
    }
    Ok(())
}
