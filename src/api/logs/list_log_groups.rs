use serde::{Deserialize, Serialize};

use super::fault::{INVALID_PARAMETER, bad_token};
use super::group::{self, LogGroupClass};
use crate::api::call::{Answer, Call};
use crate::api::page;
use crate::api::service::Constraints;
use crate::telemetry::AccountId;

const SCAN: usize = 500;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Input {
    log_group_name_pattern: Option<String>,
    log_group_class: Option<LogGroupClass>,
    account_identifiers: Vec<AccountId>,
    next_token: Option<String>,
    limit: Option<i64>,
    data_sources: Vec<serde_json::Value>,
    field_index_names: Vec<String>,
    log_group_tags: Vec<TagFilter>,
}

#[derive(Debug, Deserialize)]
struct TagFilter {
    key: String,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    log_groups: Vec<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    log_group_name: String,
    log_group_arn: String,
    log_group_class: LogGroupClass,
}

/// Source: CloudWatch Logs API Reference, ListLogGroups: a pattern is up to five alternatives, each
/// a part of the name, or its start after `^`.
/// Differs: groups are not found by data sources or field indexes.
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    Constraints::new().range("limit", input.limit, 1, 1000).done(INVALID_PARAMETER)?;
    if !input.data_sources.is_empty() || !input.field_index_names.is_empty() {
        let why = "dataSources and fieldIndexNames are not supported here";
        return Err(INVALID_PARAMETER.because(why));
    }
    let limit = page::size(input.limit, 50);
    let mut after: Option<String> =
        page::open("ListLogGroups", input.next_token.as_deref()).map_err(|_| bad_token())?;
    let foreign = !input.account_identifiers.is_empty()
        && !input.account_identifiers.contains(&call.scope().account);
    let mut log_groups = Vec::new();
    while log_groups.len() <= limit && !foreign {
        let logs = call.state().store.logs();
        let groups = logs.groups(call.scope(), "", after.as_deref(), SCAN);
        let is_last = groups.len() < SCAN;
        after = groups.last().map(|group| group.name.to_string());
        for found in groups {
            if !is_named(&found.name, input.log_group_name_pattern.as_deref()) {
                continue;
            }
            let settings = group::settings(&call, &found.name).await?;
            let log_group_class = settings.class.unwrap_or(LogGroupClass::Standard);
            let is_wanted = input.log_group_class.is_none_or(|class| class == log_group_class)
                && input.log_group_tags.iter().all(|filter| filter.holds(&settings.tags));
            if is_wanted {
                log_groups.push(Summary {
                    log_group_name: found.name.to_string(),
                    log_group_arn: group::arn(call.scope(), &found.name),
                    log_group_class,
                });
            }
        }
        if is_last {
            break;
        }
    }
    let next_token = page::cut(&mut log_groups, limit)
        .map(|last| page::seal("ListLogGroups", &last.log_group_name));
    Ok(Output { log_groups, next_token })
}

fn is_named(name: &str, pattern: Option<&str>) -> bool {
    let one = |part: &str| match part.strip_prefix('^') {
        Some(start) => name.starts_with(start),
        None => name.contains(part),
    };
    pattern.is_none_or(|pattern| pattern.split('|').any(one))
}

impl TagFilter {
    /// Source: `LogGroupTagFilter`: any of the values; `!` negates, `*` stands at either end.
    fn holds(&self, tags: &std::collections::BTreeMap<String, String>) -> bool {
        let Some(value) = tags.get(&self.key) else { return false };
        self.values.is_empty() || self.values.iter().any(|wanted| is_valued(value, wanted))
    }
}

fn is_valued(value: &str, wanted: &str) -> bool {
    if let Some(unwanted) = wanted.strip_prefix('!') {
        return !is_valued(value, unwanted);
    }
    let lower = (value.to_lowercase(), wanted.trim_matches('*').to_lowercase());
    match (wanted.starts_with('*'), wanted.ends_with('*')) {
        (false, false) => value == wanted,
        (true, false) => lower.0.ends_with(&lower.1),
        (false, true) => lower.0.starts_with(&lower.1),
        (true, true) => lower.0.contains(&lower.1),
    }
}
