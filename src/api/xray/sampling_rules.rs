use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::reading::check_one_page;
use super::tags::{self, Tag};
use super::{INVALID_REQUEST, RULE_LIMIT_EXCEEDED};
use crate::api::call::{Answer, Call};
use crate::api::error::ApiError;
use crate::api::page::TokenInput;
use crate::api::service::Constraints;
use crate::store::{AppendError, Page, ResourceChanges};
use crate::time::Timestamp;

const KIND: &str = "xray-sampling-rule";
/// When any rule was last made, changed or deleted: clients then read all of them again.
const CHANGED_KIND: &str = "xray-sampling-change";
const CHANGED_NAME: &str = "rules";
/// The rule for what no other rule is for.
pub(super) const DEFAULT: &str = "Default";
/// Source: X-Ray endpoints and quotas.
const RULES_MAX: usize = 25;
const ATTRIBUTES_MAX: usize = 5;

/// Source: X-Ray API Reference, `SamplingRule`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SamplingRule {
    #[serde(default)]
    pub(super) rule_name: String,
    #[serde(default, rename = "RuleARN")]
    pub(super) rule_arn: String,
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    priority: i64,
    pub(super) fixed_rate: f64,
    pub(super) reservoir_size: i64,
    service_name: String,
    service_type: String,
    host: String,
    #[serde(rename = "HTTPMethod")]
    http_method: String,
    #[serde(rename = "URLPath")]
    url_path: String,
    version: i64,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sampling_rate_boost: Option<RateBoost>,
}

/// Source: X-Ray API Reference, `SamplingRateBoost`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RateBoost {
    pub(super) max_rate: f64,
    pub(super) cooldown_window_minutes: i64,
}

/// A rule as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    rule: SamplingRule,
    created: Timestamp,
    modified: Timestamp,
}

/// Source: X-Ray API Reference, `SamplingRuleRecord`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Record {
    pub(super) sampling_rule: SamplingRule,
    created_at: f64,
    modified_at: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    sampling_rule: SamplingRule,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    sampling_rule_update: Update,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Update {
    rule_name: Option<String>,
    #[serde(rename = "RuleARN")]
    rule_arn: Option<String>,
    #[serde(rename = "ResourceARN")]
    resource_arn: Option<String>,
    priority: Option<i64>,
    fixed_rate: Option<f64>,
    reservoir_size: Option<i64>,
    service_name: Option<String>,
    service_type: Option<String>,
    host: Option<String>,
    #[serde(rename = "HTTPMethod")]
    http_method: Option<String>,
    #[serde(rename = "URLPath")]
    url_path: Option<String>,
    attributes: Option<BTreeMap<String, String>>,
    sampling_rate_boost: Option<RateBoost>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteInput {
    rule_name: Option<String>,
    #[serde(rename = "RuleARN")]
    rule_arn: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    sampling_rule_record: Record,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    sampling_rule_records: Vec<Record>,
}

/// Source: X-Ray API Reference, CreateSamplingRule.
pub(super) async fn create(call: Call, input: CreateInput) -> Answer<Output> {
    let mut rule = input.sampling_rule;
    if rule.rule_name.is_empty() || !rule.rule_arn.is_empty() {
        let why = "RuleName is required and RuleARN must not be given for a new sampling rule";
        return Err(INVALID_REQUEST.because(why));
    }
    rule.check()?;
    tags::check(&input.tags)?;
    let name = rule.rule_name.clone();
    let taken = || INVALID_REQUEST.because(format!("Sampling rule {name} already exists"));
    if name == DEFAULT {
        return Err(taken());
    }
    if all(&call).await?.len() > RULES_MAX {
        let why = format!("There are {RULES_MAX} sampling rules, the most");
        return Err(RULE_LIMIT_EXCEEDED.because(why));
    }
    rule.rule_arn = arn_of(&call, &name);
    call.concerns("AWS::XRay::SamplingRule", &rule.rule_arn);
    let kept = Kept { rule, created: call.now(), modified: call.now() };
    let changes = ResourceChanges::new().put_new(KIND, &name, &kept)?;
    let changes = tags::set(changes, &kept.rule.rule_arn, &input.tags)?;
    match call.apply(changed(changes, &call)?).await {
        Ok(()) => Ok(Output { sampling_rule_record: kept.into() }),
        Err(AppendError::Conflict { .. }) => Err(taken()),
        Err(other) => Err(other.into()),
    }
}

/// Source: X-Ray API Reference, UpdateSamplingRule.
pub(super) async fn update(call: Call, input: UpdateInput) -> Answer<Output> {
    let update = input.sampling_rule_update;
    let (name, arn) = (update.rule_name.as_deref(), update.rule_arn.as_deref());
    let mut kept = by_name_or_arn(&call, name, arn).await?;
    let name = kept.rule.rule_name.clone();
    update.apply(&mut kept.rule)?;
    kept.rule.check()?;
    kept.modified = call.now();
    call.concerns("AWS::XRay::SamplingRule", &kept.rule.rule_arn);
    let changes = ResourceChanges::new().put(KIND, &name, &kept)?;
    call.apply(changed(changes, &call)?).await?;
    Ok(Output { sampling_rule_record: kept.into() })
}

/// Source: X-Ray API Reference, DeleteSamplingRule.
pub(super) async fn delete(call: Call, input: DeleteInput) -> Answer<Output> {
    let (name, arn) = (input.rule_name.as_deref(), input.rule_arn.as_deref());
    let kept = by_name_or_arn(&call, name, arn).await?;
    if kept.rule.rule_name == DEFAULT {
        return Err(INVALID_REQUEST.because("The Default sampling rule cannot be deleted"));
    }
    call.concerns("AWS::XRay::SamplingRule", &kept.rule.rule_arn);
    let changes = ResourceChanges::new().delete_existing(KIND, &kept.rule.rule_name);
    let changes = tags::forget(changes, &kept.rule.rule_arn);
    match call.apply(changed(changes, &call)?).await {
        Ok(()) => Ok(Output { sampling_rule_record: kept.into() }),
        Err(AppendError::Missing { .. }) => Err(absent(&kept.rule.rule_name)),
        Err(other) => Err(other.into()),
    }
}

/// Source: X-Ray API Reference, GetSamplingRules.
pub(super) async fn list(call: Call, input: TokenInput) -> Answer<ListOutput> {
    check_one_page("GetSamplingRules", input.next_token.as_deref())?;
    let rules = all(&call).await?;
    Ok(ListOutput { sampling_rule_records: rules.into_iter().map(Record::from).collect() })
}

/// Every rule by priority, then by name: the order in which clients try them.
async fn all(call: &Call) -> Answer<Vec<Kept>> {
    let kept = call.state().store.resources().list(call.scope(), KIND, &Page::ALL).await?;
    let mut rules: Vec<Kept> = kept.into_iter().map(|(_, kept)| kept).collect();
    if !rules.iter().any(|kept| kept.rule.rule_name == DEFAULT) {
        rules.push(default_rule(call));
    }
    rules.sort_by(|a, b| {
        let key = |kept: &Kept| (kept.rule.priority, kept.rule.rule_name.clone());
        key(a).cmp(&key(b))
    });
    Ok(rules)
}

/// Every rule by its name.
pub(super) async fn by_name(call: &Call) -> Answer<BTreeMap<String, SamplingRule>> {
    let rules = all(call).await?.into_iter();
    Ok(rules.map(|kept| (kept.rule.rule_name.clone(), kept.rule)).collect())
}

/// When any rule changed last.
pub(super) async fn last_change(call: &Call) -> Answer<Timestamp> {
    let resources = call.state().store.resources();
    let changed = resources.get(call.scope(), CHANGED_KIND, CHANGED_NAME).await?;
    Ok(changed.unwrap_or(Timestamp::EPOCH))
}

/// The rule of a name or an ARN, of which exactly one is given.
async fn by_name_or_arn(call: &Call, name: Option<&str>, arn: Option<&str>) -> Answer<Kept> {
    let wanted = match (name, arn) {
        (Some(name), None) => name,
        (None, Some(given)) => {
            let named = given.rsplit_once(":sampling-rule/").map(|(_, name)| name);
            named.filter(|name| arn_of(call, name) == given).ok_or_else(|| absent(given))?
        }
        _ => {
            let why = "Exactly one of RuleName and RuleARN is required";
            return Err(INVALID_REQUEST.because(why));
        }
    };
    let kept = call.state().store.resources().get(call.scope(), KIND, wanted).await?;
    let kept = kept.or_else(|| (wanted == DEFAULT).then(|| default_rule(call)));
    kept.ok_or_else(|| absent(wanted))
}

/// Whether an ARN is that of a rule.
pub(super) async fn exists(call: &Call, arn: &str) -> bool {
    by_name_or_arn(call, None, Some(arn)).await.is_ok()
}

fn changed(changes: ResourceChanges, call: &Call) -> Result<ResourceChanges, AppendError> {
    changes.put(CHANGED_KIND, CHANGED_NAME, &call.now())
}

fn arn_of(call: &Call, name: &str) -> String {
    call.scope().arn("xray", format_args!("sampling-rule/{name}"))
}

fn absent(rule: &str) -> ApiError {
    INVALID_REQUEST.because(format!("Sampling rule {rule} not found"))
}

/// Source: X-Ray Developer Guide, "Configuring sampling rules": one a second, then 5 percent.
fn default_rule(call: &Call) -> Kept {
    let any = || "*".to_owned();
    let rule = SamplingRule {
        rule_name: DEFAULT.to_owned(),
        rule_arn: arn_of(call, DEFAULT),
        resource_arn: any(),
        priority: 10_000,
        fixed_rate: 0.05,
        reservoir_size: 1,
        service_name: any(),
        service_type: any(),
        host: any(),
        http_method: any(),
        url_path: any(),
        version: 1,
        attributes: BTreeMap::new(),
        sampling_rate_boost: None,
    };
    Kept { rule, created: Timestamp::EPOCH, modified: Timestamp::EPOCH }
}

impl From<Kept> for Record {
    fn from(kept: Kept) -> Self {
        Self {
            sampling_rule: kept.rule,
            created_at: kept.created.as_secs_f64(),
            modified_at: kept.modified.as_secs_f64(),
        }
    }
}

impl SamplingRule {
    fn check(&self) -> Answer<()> {
        let mut constraints = Constraints::new()
            .length("SamplingRule.RuleName", &self.rule_name, 1, 32)
            .length("SamplingRule.ResourceARN", &self.resource_arn, 0, 500)
            .length("SamplingRule.ServiceName", &self.service_name, 0, 64)
            .length("SamplingRule.ServiceType", &self.service_type, 0, 64)
            .length("SamplingRule.Host", &self.host, 0, 64)
            .length("SamplingRule.HTTPMethod", &self.http_method, 0, 10)
            .length("SamplingRule.URLPath", &self.url_path, 0, 128)
            .range("SamplingRule.ReservoirSize", Some(self.reservoir_size), 0, i64::MAX)
            .range("SamplingRule.Version", Some(self.version), 1, 1)
            .count("SamplingRule.Attributes", self.attributes.len(), 0, ATTRIBUTES_MAX);
        if self.rule_name != DEFAULT {
            let priority = Some(self.priority);
            constraints = constraints.range("SamplingRule.Priority", priority, 1, 9999);
        }
        for (key, value) in &self.attributes {
            constraints = constraints.length("SamplingRule.Attributes.key", key, 1, 32).length(
                "SamplingRule.Attributes.value",
                value,
                1,
                32,
            );
        }
        constraints.done(INVALID_REQUEST)?;
        let boost = self.sampling_rate_boost;
        let rates = [Some(self.fixed_rate), boost.map(|boost| boost.max_rate)];
        if rates.into_iter().flatten().any(|rate| !(0.0..=1.0).contains(&rate)) {
            return Err(INVALID_REQUEST.because("A sampling rate must be between 0 and 1"));
        }
        if boost.is_some_and(|boost| boost.cooldown_window_minutes < 0) {
            return Err(INVALID_REQUEST.because("CooldownWindowMinutes must not be negative"));
        }
        Ok(())
    }
}

impl Update {
    fn apply(self, rule: &mut SamplingRule) -> Answer<()> {
        let is_default = rule.rule_name == DEFAULT;
        let others = [
            &self.resource_arn,
            &self.service_name,
            &self.service_type,
            &self.host,
            &self.http_method,
            &self.url_path,
        ];
        let touches_others = others.iter().any(|member| member.is_some())
            || self.priority.is_some()
            || self.attributes.is_some()
            || self.sampling_rate_boost.is_some();
        if is_default && touches_others {
            let why = "Only FixedRate and ReservoirSize of the Default sampling rule can change";
            return Err(INVALID_REQUEST.because(why));
        }
        let texts = [
            (&mut rule.resource_arn, self.resource_arn),
            (&mut rule.service_name, self.service_name),
            (&mut rule.service_type, self.service_type),
            (&mut rule.host, self.host),
            (&mut rule.http_method, self.http_method),
            (&mut rule.url_path, self.url_path),
        ];
        for (own, given) in texts {
            if let Some(given) = given {
                *own = given;
            }
        }
        rule.priority = self.priority.unwrap_or(rule.priority);
        rule.fixed_rate = self.fixed_rate.unwrap_or(rule.fixed_rate);
        rule.reservoir_size = self.reservoir_size.unwrap_or(rule.reservoir_size);
        rule.attributes = self.attributes.unwrap_or_else(|| std::mem::take(&mut rule.attributes));
        rule.sampling_rate_boost = self.sampling_rate_boost.or(rule.sampling_rate_boost);
        Ok(())
    }
}
