//! Dashboards: put when their body holds, got, listed, deleted. They are of an account, not of a
//! region.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::dashboard_body::{self, BodyFault};
use super::fault::{DASHBOARD_INVALID, DASHBOARD_NOT_FOUND, INVALID_PARAMETER_VALUE};
use super::tags;
use crate::alarm::Tag;
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Empty;
use crate::api::wire::Instant;
use crate::store::{Page, ResourceChanges};
use crate::telemetry::{Region, Scope};
use crate::time::Timestamp;

/// Dashboards by name.
pub(super) const KIND: &str = "dashboard";
const PAGE: usize = 1_000;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    body: String,
    modified: Timestamp,
    #[serde(default)]
    pub(super) tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    dashboard_name: String,
    dashboard_body: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutOutput {
    dashboard_validation_messages: Vec<BodyFault>,
}

/// Source: CloudWatch API Reference, PutDashboard; messages as recorded.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<PutOutput> {
    let name = input.dashboard_name;
    check_name(&name)?;
    tags::check(&input.tags)?;
    call.concerns("AWS::CloudWatch::Dashboard", &name);
    let checked = match serde_json::from_str::<Value>(&input.dashboard_body) {
        Ok(Value::Object(body)) => dashboard_body::check(&body),
        _ => {
            let why = "The field DashboardBody must be a valid JSON object";
            return Err(DASHBOARD_INVALID.because(why));
        }
    };
    if !checked.errors.is_empty() {
        let shown =
            |fault: &BodyFault| json!({"dataPath": fault.data_path, "message": fault.message});
        let errors = checked.errors.iter().map(shown).collect::<Vec<_>>();
        let listed = serde_json::to_string_pretty(&errors).unwrap_or_default();
        let count = errors.len();
        let why = format!(
            "The dashboard body is invalid, there are {count} validation errors:\n{listed}"
        );
        let messages = serde_json::to_value(&checked.errors).unwrap_or_default();
        return Err(DASHBOARD_INVALID.because(why).with("dashboardValidationMessages", messages));
    }
    let before = row(&call, &name).await?;
    let tags = before.map_or(input.tags, |row| row.tags);
    let row = Row { body: input.dashboard_body, modified: call.now(), tags };
    put_row(&call, &name, &row).await?;
    Ok(PutOutput { dashboard_validation_messages: checked.warnings })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetInput {
    dashboard_name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetOutput {
    dashboard_arn: String,
    dashboard_body: String,
    dashboard_name: String,
}

/// Source: CloudWatch API Reference, GetDashboard.
pub(super) async fn get(call: Call, input: GetInput) -> Answer<GetOutput> {
    let dashboard_name = input.dashboard_name;
    let found = row(&call, &dashboard_name).await?.ok_or_else(|| {
        DASHBOARD_NOT_FOUND.because(format!("Dashboard {dashboard_name} does not exist"))
    })?;
    let dashboard_arn = arn(call.scope(), &dashboard_name);
    Ok(GetOutput { dashboard_arn, dashboard_body: found.body, dashboard_name })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteInput {
    #[serde(default)]
    dashboard_names: Vec<String>,
}

/// All that are named, or none.
///
/// Source: CloudWatch API Reference, DeleteDashboards.
pub(super) async fn delete(call: Call, input: DeleteInput) -> Answer<Empty> {
    let names = input.dashboard_names;
    if names.is_empty() {
        let why = "Need at least one element in the list DashboardNames";
        return Err(INVALID_PARAMETER_VALUE.because(why));
    }
    let mut missing = Vec::new();
    for name in &names {
        call.concerns("AWS::CloudWatch::Dashboard", name);
        if row(&call, name).await?.is_none() {
            missing.push(name.as_str());
        }
    }
    if !missing.is_empty() {
        let listed = missing.join(", ");
        let why = format!("The specified dashboard does not exist. [{listed}]");
        return Err(DASHBOARD_NOT_FOUND.because(why));
    }
    let gone = names.iter().fold(ResourceChanges::new(), |all, name| all.delete(KIND, name));
    call.state().store.resources().apply(&global(call.scope()), gone).await?;
    Ok(Empty {})
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListInput {
    dashboard_name_prefix: Option<String>,
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    dashboard_entries: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    dashboard_name: String,
    dashboard_arn: String,
    last_modified: Instant,
    size: usize,
}

/// Source: CloudWatch API Reference, ListDashboards.
pub(super) async fn list(call: Call, input: ListInput) -> Answer<ListOutput> {
    let prefix = input.dashboard_name_prefix.as_deref().unwrap_or_default();
    let page = Page { prefix, ..Page::ALL };
    let resources = call.state().store.resources();
    let found: Vec<(String, Row)> = resources.list(&global(call.scope()), KIND, &page).await?;
    let asked = (input.next_token.as_deref(), PAGE);
    let (found, next_token) = page::of("ListDashboards", found, |row| row.0.clone(), asked)
        .map_err(|_| INVALID_PARAMETER_VALUE.because("Request parameter NextToken is invalid"))?;
    let entry = |(name, row): (String, Row)| Entry {
        dashboard_arn: arn(call.scope(), &name),
        dashboard_name: name,
        last_modified: row.modified.into(),
        size: row.body.len(),
    };
    Ok(ListOutput { dashboard_entries: found.into_iter().map(entry).collect(), next_token })
}

/// The dashboard of a name.
pub(super) async fn row(call: &Call, name: &str) -> Answer<Option<Row>> {
    let resources = call.state().store.resources();
    Ok(resources.get(&global(call.scope()), KIND, name).await?)
}

/// Keeps a dashboard.
pub(super) async fn put_row(call: &Call, name: &str, row: &Row) -> Answer<()> {
    let scope = global(call.scope());
    call.state().store.resources().put(&scope, KIND, name, row).await?;
    Ok(())
}

/// The ARN of a dashboard; it has no region.
pub(super) fn arn(scope: &Scope, name: &str) -> String {
    let (partition, account) = (scope.region.partition(), &scope.account);
    format!("arn:{partition}:cloudwatch::{account}:dashboard/{name}")
}

/// Where what is of all regions is kept.
fn global(scope: &Scope) -> Scope {
    Scope { account: scope.account.clone(), region: Region::default() }
}

fn check_name(name: &str) -> Answer<()> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    if name.is_empty() || name.len() > 255 {
        return Err(INVALID_PARAMETER_VALUE
            .because("The value for field DashboardName must have 1 to 255 characters."));
    }
    if !name.bytes().all(allowed) {
        // Source: recorded, with the newline.
        return Err(INVALID_PARAMETER_VALUE.because(
            "The value for field DashboardName contains invalid characters. It can only contain \
             alphanumerics, dash (-) and underscore (_).\n",
        ));
    }
    Ok(())
}
