//! Contributor Insights rules: kept and described. No report is made of one; asking is refused.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::{INVALID_NEXT_TOKEN, INVALID_PARAMETER_VALUE};
use super::tags;
use crate::alarm::Tag;
use crate::api::call::{Answer, Call};
use crate::api::fault::{LIMIT_EXCEEDED, VALIDATION};
use crate::api::page;
use crate::api::service::{Constraints, Empty};
use crate::store::ResourceChanges;
use crate::telemetry::Scope;

/// Rules by name.
pub(super) const KIND: &str = "insight-rule";
/// Source: CloudWatch quotas.
const RULES_MAX: usize = 100;

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    definition: String,
    schema: String,
    enabled: bool,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    rule_name: String,
    rule_state: Option<String>,
    rule_definition: String,
    #[serde(default)]
    tags: Vec<Tag>,
    apply_on_transformed_logs: Option<bool>,
}

/// Source: CloudWatch API Reference, PutInsightRule.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<Empty> {
    Constraints::new()
        .length("ruleName", &input.rule_name, 1, 128)
        .length("ruleDefinition", &input.rule_definition, 1, 8192)
        .done(VALIDATION)?;
    tags::check(&input.tags)?;
    if input.apply_on_transformed_logs == Some(true) {
        let why = "ApplyOnTransformedLogs needs a log transformer, and those are not supported";
        return Err(INVALID_PARAMETER_VALUE.because(why));
    }
    let enabled = match input.rule_state.as_deref() {
        None | Some("ENABLED") => true,
        Some("DISABLED") => false,
        Some(other) => {
            let why = format!("The value {other} for parameter RuleState is invalid.");
            return Err(INVALID_PARAMETER_VALUE.because(why));
        }
    };
    let schema = schema(&input.rule_definition).ok_or_else(|| {
        INVALID_PARAMETER_VALUE.because(
            "The value for parameter RuleDefinition is no JSON object with the members Schema, \
             LogFormat and Contribution.",
        )
    })?;
    let rules = call.all::<Row>(KIND, "").await?;
    let before = rules.iter().find(|(name, _)| *name == input.rule_name);
    if before.is_none() && rules.len() >= RULES_MAX {
        return Err(LIMIT_EXCEEDED.because(format!("More than {RULES_MAX} rules exist.")));
    }
    let tags = before.map_or(input.tags, |(_, row)| row.tags.clone());
    let row = Row { definition: input.rule_definition, schema, enabled, tags };
    call.apply(ResourceChanges::new().put(KIND, &input.rule_name, &row)?).await?;
    Ok(Empty {})
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DescribeInput {
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeOutput {
    insight_rules: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    name: String,
    state: &'static str,
    schema: String,
    definition: String,
    managed_rule: bool,
}

/// Source: CloudWatch API Reference, DescribeInsightRules.
pub(super) async fn describe(call: Call, input: DescribeInput) -> Answer<DescribeOutput> {
    Constraints::new().range("maxResults", input.max_results, 1, 500).done(VALIDATION)?;
    let found = call.all::<Row>(KIND, "").await?;
    let asked = (input.next_token.as_deref(), page::size(input.max_results, 500));
    let (found, next_token) =
        page::of("DescribeInsightRules", found, |row| row.0.clone(), asked)
            .map_err(|_| INVALID_NEXT_TOKEN.because("Request parameter NextToken is invalid"))?;
    let described = |(name, row): (String, Row)| Described {
        name,
        state: if row.enabled { "ENABLED" } else { "DISABLED" },
        schema: row.schema,
        definition: row.definition,
        managed_rule: false,
    };
    Ok(DescribeOutput { insight_rules: found.into_iter().map(described).collect(), next_token })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NamesInput {
    rule_names: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NamesOutput {
    failures: Vec<Failure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failure {
    failure_resource: String,
    exception_type: &'static str,
    failure_code: &'static str,
    failure_description: &'static str,
}

/// Source: CloudWatch API Reference, DeleteInsightRules.
pub(super) async fn delete(call: Call, input: NamesInput) -> Answer<NamesOutput> {
    each(&call, input.rule_names, |changes, name, _| Ok(changes.delete(KIND, name))).await
}

/// Source: CloudWatch API Reference, EnableInsightRules.
pub(super) async fn enable(call: Call, input: NamesInput) -> Answer<NamesOutput> {
    each(&call, input.rule_names, |changes, name, row| {
        Ok(changes.put(KIND, name, &Row { enabled: true, ..row })?)
    })
    .await
}

/// Source: CloudWatch API Reference, DisableInsightRules.
pub(super) async fn disable(call: Call, input: NamesInput) -> Answer<NamesOutput> {
    each(&call, input.rule_names, |changes, name, row| {
        Ok(changes.put(KIND, name, &Row { enabled: false, ..row })?)
    })
    .await
}

async fn each(
    call: &Call,
    names: Vec<String>,
    change: impl Fn(ResourceChanges, &str, Row) -> Answer<ResourceChanges>,
) -> Answer<NamesOutput> {
    let mut changes = ResourceChanges::new();
    let mut failures = Vec::new();
    for name in names {
        match call.one::<Row>(KIND, &name).await? {
            Some(row) => changes = change(changes, &name, row)?,
            None => failures.push(Failure {
                failure_resource: name,
                exception_type: "ResourceNotFoundException",
                failure_code: "404",
                failure_description: "The specified rule does not exist.",
            }),
        }
    }
    call.apply(changes).await?;
    Ok(NamesOutput { failures })
}

/// The ARN of a rule.
pub(super) fn arn(scope: &Scope, name: &str) -> String {
    scope.arn("cloudwatch", format_args!("insight-rule/{name}"))
}

fn schema(definition: &str) -> Option<String> {
    let definition: Value = serde_json::from_str(definition).ok()?;
    let schema = definition.get("Schema")?;
    definition.get("LogFormat").or_else(|| definition.get("LogGroupNames"))?;
    definition.get("Contribution")?;
    serde_json::to_string(schema).ok()
}
