use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::INVALID_REQUEST;
use super::reading::check_one_page;
use super::sampling_rules::{self, SamplingRule};
use crate::api::call::{Answer, Call};
use crate::api::service::Constraints;
use crate::api::wire::Instant;
use crate::query::trace::{SamplingClient, reservoir_quotas};
use crate::store::{ResourceChanges, RowOrder, RowPage, SortKey};
use crate::time::{Period, Timestamp};

/// Rows under a rule's name: what clients reported, by when.
const KIND: &str = "xray-sampling-report";
/// When a rule was last boosted, under its name.
const BOOST_KIND: &str = "xray-sampling-boost";
const DOCUMENTS_MAX: usize = 25;
/// How often a client reports, and how long a quota holds when it cannot.
///
/// Source: X-Ray Developer Guide, "Using sampling rules with the X-Ray API".
const INTERVAL: Duration = Duration::from_secs(10);
const QUOTA_HOLDS: Duration = Duration::from_secs(300);
/// A client that has not reported for so long has no share of a reservoir.
const CLIENT_GONE: Duration = Duration::from_secs(25);
/// How long reports are kept, and how old one may be.
const KEPT: Duration = Duration::from_secs(600);
const BOOST_HOLDS: Duration = Duration::from_secs(60);
/// BOUND: older reports of a rule that more clients report on are not looked at.
const REPORTS_MAX: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Input {
    sampling_statistics_documents: Vec<Statistics>,
    #[serde(default)]
    sampling_boost_statistics_documents: Vec<BoostStatistics>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statistics {
    rule_name: String,
    #[serde(rename = "ClientID")]
    client_id: String,
    timestamp: Instant,
    request_count: u64,
    sampled_count: u64,
    #[serde(default)]
    borrow_count: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BoostStatistics {
    rule_name: String,
    #[serde(rename = "ServiceName")]
    _service_name: String,
    timestamp: Instant,
    anomaly_count: u64,
    #[serde(rename = "TotalCount")]
    _total_count: u64,
    #[serde(rename = "SampledAnomalyCount")]
    _sampled_anomaly_count: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    sampling_target_documents: Vec<Target>,
    last_rule_modification: Instant,
    unprocessed_statistics: Vec<Unprocessed>,
    unprocessed_boost_statistics: Vec<Unprocessed>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    rule_name: String,
    fixed_rate: f64,
    reservoir_quota: u64,
    #[serde(rename = "ReservoirQuotaTTL")]
    reservoir_quota_ttl: Instant,
    interval: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sampling_boost: Option<Boost>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Boost {
    boost_rate: f64,
    #[serde(rename = "BoostRateTTL")]
    boost_rate_ttl: Instant,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Unprocessed {
    rule_name: String,
    error_code: &'static str,
    message: String,
}

/// What one client reported once.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    client: String,
    requests: u64,
    sampled: u64,
    borrowed: u64,
}

/// Tells clients how many traces of each rule they may take in a second, and at which rate beyond.
///
/// Source: X-Ray API Reference, GetSamplingTargets; X-Ray Developer Guide, "Using sampling rules
/// with the X-Ray API". Differs: AWS does not publish how it divides a reservoir; see
/// [`reservoir_quotas`].
pub(super) async fn run(call: Call, input: Input) -> Answer<Output> {
    check(&input)?;
    let rules = sampling_rules::by_name(&call).await?;
    let mut unprocessed_statistics = Vec::new();
    let mut accepted = Vec::new();
    for statistics in input.sampling_statistics_documents {
        match fault(&call, rules.get(&statistics.rule_name), statistics.timestamp) {
            None => accepted.push(statistics),
            Some((error_code, message)) => {
                let rule_name = statistics.rule_name;
                unprocessed_statistics.push(Unprocessed { rule_name, error_code, message });
            }
        }
    }
    keep(&call, &accepted).await?;
    let (boosts, unprocessed_boost_statistics) =
        boosts(&call, &rules, input.sampling_boost_statistics_documents).await?;
    let mut sampling_target_documents = Vec::with_capacity(accepted.len());
    for statistics in accepted {
        let Some(rule) = rules.get(&statistics.rule_name) else { continue };
        let reservoir_quota = quota(&call, rule, &statistics.client_id).await?;
        let boosted = boosts.get(&statistics.rule_name).copied();
        let boost = rule.sampling_rate_boost.zip(boosted).map(|(boost, at)| Boost {
            boost_rate: boost.max_rate,
            boost_rate_ttl: at.plus(BOOST_HOLDS).into(),
        });
        sampling_target_documents.push(Target {
            rule_name: statistics.rule_name,
            fixed_rate: rule.fixed_rate,
            reservoir_quota,
            reservoir_quota_ttl: whole_second(call.now().plus(QUOTA_HOLDS)),
            interval: INTERVAL.as_secs(),
            sampling_boost: boost,
        });
    }
    let last_rule_modification = sampling_rules::last_change(&call).await?.into();
    Ok(Output {
        sampling_target_documents,
        last_rule_modification,
        unprocessed_statistics,
        unprocessed_boost_statistics,
    })
}

/// COMPAT: some SDKs read this one as an integer.
fn whole_second(at: Timestamp) -> Instant {
    Timestamp::from_secs(at.as_secs()).into()
}

fn check(input: &Input) -> Answer<()> {
    let documents = &input.sampling_statistics_documents;
    let boosts = input.sampling_boost_statistics_documents.len();
    let each = |constraints: Constraints, document: &Statistics| {
        constraints.length("RuleName", &document.rule_name, 1, 32).length(
            "ClientID",
            &document.client_id,
            24,
            24,
        )
    };
    let constraints = Constraints::new()
        .count("SamplingStatisticsDocuments", documents.len(), 0, DOCUMENTS_MAX)
        .count("SamplingBoostStatisticsDocuments", boosts, 0, DOCUMENTS_MAX);
    documents.iter().fold(constraints, each).done(INVALID_REQUEST)
}

/// Why statistics are not taken. A code that begins with 4 makes clients read the rules again.
fn fault(call: &Call, rule: Option<&SamplingRule>, at: Instant) -> Option<(&'static str, String)> {
    if rule.is_none() {
        return Some(("404", "There is no sampling rule of this name".to_owned()));
    }
    let is_stale = at.0 < call.now().minus(KEPT);
    is_stale.then(|| ("400", "The statistics are older than ten minutes".to_owned()))
}

async fn keep(call: &Call, accepted: &[Statistics]) -> Answer<()> {
    let mut changes = ResourceChanges::new();
    for statistics in accepted {
        let name = statistics.rule_name.as_str();
        let report = Report {
            client: statistics.client_id.clone(),
            requests: statistics.request_count,
            sampled: statistics.sampled_count,
            borrowed: statistics.borrow_count,
        };
        let old = SortKey::start_of(call.now().minus(KEPT));
        let key = SortKey::at(call.now(), &statistics.client_id);
        changes = changes.put_row(KIND, name, key, &report)?.delete_rows_before(KIND, name, old);
    }
    Ok(call.apply(changes).await?)
}

async fn quota(call: &Call, rule: &SamplingRule, client: &str) -> Answer<u64> {
    let reports = reports(call, &rule.rule_name, call.now().minus(CLIENT_GONE)).await?;
    // The newest report of each client counts.
    let newest: BTreeMap<String, u64> =
        reports.into_iter().map(|(_, report)| (report.client, report.requests)).collect();
    let clients: Vec<SamplingClient> =
        newest.into_iter().map(|(id, requests)| SamplingClient { id, requests }).collect();
    let turn = call.now().as_secs().unsigned_abs() / INTERVAL.as_secs();
    let quotas = reservoir_quotas(rule.reservoir_size.unsigned_abs(), &clients, turn);
    let own = clients.iter().position(|known| known.id == client);
    Ok(own.and_then(|at| quotas.get(at).copied()).unwrap_or(0))
}

/// Reports on a rule, oldest first.
async fn reports(call: &Call, rule: &str, from: Timestamp) -> Answer<Vec<(SortKey, Report)>> {
    let page = RowPage {
        from: Some(SortKey::start_of(from)),
        before: None,
        order: RowOrder::OldestFirst,
        limit: REPORTS_MAX,
    };
    Ok(call.state().store.resources().rows(call.scope(), KIND, rule, &page).await?)
}

/// When the boost of each rule began that has one now, and which statistics were not taken.
async fn boosts(
    call: &Call,
    rules: &BTreeMap<String, SamplingRule>,
    documents: Vec<BoostStatistics>,
) -> Answer<(BTreeMap<String, Timestamp>, Vec<Unprocessed>)> {
    let mut unprocessed = Vec::new();
    let (mut known, mut anomalous) = (BTreeSet::new(), BTreeSet::new());
    for document in documents {
        let rule = rules.get(&document.rule_name);
        let boost = rule.and_then(|rule| rule.sampling_rate_boost);
        let fault = fault(call, rule, document.timestamp).or_else(|| {
            boost.is_none().then(|| ("400", "The sampling rule has no boost".to_owned()))
        });
        let rule_name = document.rule_name;
        if let Some((error_code, message)) = fault {
            unprocessed.push(Unprocessed { rule_name, error_code, message });
            continue;
        }
        if document.anomaly_count > 0 {
            anomalous.insert(rule_name.clone());
        }
        known.insert(rule_name);
    }
    let mut begun = BTreeMap::new();
    for name in known {
        let resources = call.state().store.resources();
        let last: Option<Timestamp> = resources.get(call.scope(), BOOST_KIND, &name).await?;
        let cooldown = rules.get(&name).and_then(|rule| rule.sampling_rate_boost);
        let cooldown = cooldown.map_or(0, |boost| boost.cooldown_window_minutes.unsigned_abs());
        let rests = Duration::from_secs(cooldown.saturating_mul(60));
        match last {
            Some(at) if call.now() < at.plus(BOOST_HOLDS) => {
                begun.insert(name, at);
            }
            Some(at) if call.now() < at.plus(rests) => {}
            _ if anomalous.contains(&name) => {
                let at = call.now();
                call.apply(ResourceChanges::new().put(BOOST_KIND, &name, &at)?).await?;
                begun.insert(name, at);
            }
            _ => {}
        }
    }
    Ok((begun, unprocessed))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SummariesInput {
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SummariesOutput {
    sampling_statistic_summaries: Vec<StatisticSummary>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct StatisticSummary {
    rule_name: String,
    timestamp: Instant,
    request_count: u64,
    borrow_count: u64,
    sampled_count: u64,
}

/// What all clients reported in the last ten minutes, in windows of ten seconds, newest first.
///
/// Source: X-Ray API Reference, GetSamplingStatisticSummaries, `SamplingStatisticSummary`.
pub(super) async fn summaries(call: Call, input: SummariesInput) -> Answer<SummariesOutput> {
    check_one_page("GetSamplingStatisticSummaries", input.next_token.as_deref())?;
    let window = Period::new(10).unwrap_or(Period::MINUTE);
    let mut found = Vec::new();
    for name in sampling_rules::by_name(&call).await?.into_keys() {
        let mut windows: BTreeMap<Timestamp, StatisticSummary> = BTreeMap::new();
        for (key, report) in reports(&call, &name, call.now().minus(KEPT)).await? {
            let at = key.instant().unwrap_or_default().floor(window);
            let sum = windows.entry(at).or_insert_with(|| StatisticSummary {
                rule_name: name.clone(),
                timestamp: at.into(),
                request_count: 0,
                borrow_count: 0,
                sampled_count: 0,
            });
            sum.request_count += report.requests;
            sum.borrow_count += report.borrowed;
            sum.sampled_count += report.sampled;
        }
        found.extend(windows.into_values().rev());
    }
    Ok(SummariesOutput { sampling_statistic_summaries: found })
}
