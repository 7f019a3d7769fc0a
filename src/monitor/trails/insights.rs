use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::document::Trail;
use super::files::{Place, compressed};
use super::handle::{TrailError, TrailHandle};
use super::rates::{Insight, Kind};
use crate::monitor::kind;
use crate::store::{ResourceChanges, RowOrder, RowPage, SortKey};
use crate::telemetry::{AuditKind, AuditRecord, DEFAULT_EVENT_BUS, Event, Scope, TelemetryBatch};
use crate::time::{TimeRange, Timestamp};

const EVERY: Duration = Duration::from_secs(60);
/// Source: CloudTrail User Guide, "Working with CloudTrail Event history".
const KEPT: Duration = Duration::from_secs(90 * 86_400);
const ROWS: &str = "all";

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InsightType {
    /// How often calls that change something are made.
    ApiCallRateInsight,
    /// How often calls fail with one code.
    ApiErrorRateInsight,
}

/// Watches the rates of calls, while a trail wants to know.
#[derive(Debug)]
pub(in crate::monitor) struct InsightWatch(pub(in crate::monitor) TrailHandle);

impl InsightWatch {
    /// Looks once a minute until it is stopped.
    pub(in crate::monitor) async fn run(self, stop: CancellationToken) {
        let Self(trails) = self;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            let now = trails.clock.now();
            let found = trails.rates.lock().unwrap_or_else(PoisonError::into_inner).close(now);
            for insight in found {
                if let Err(error) = trails.tell(&insight).await {
                    tracing::warn!(%error, "an insight is not kept");
                }
            }
        }
    }
}

impl Kind {
    fn insight_type(&self) -> InsightType {
        match self.error_code {
            None => InsightType::ApiCallRateInsight,
            Some(_) => InsightType::ApiErrorRateInsight,
        }
    }
}

impl TrailHandle {
    /// Counts a call, where a trail wants to know how often it is made.
    pub(super) fn count(&self, scope: &Scope, record: &AuditRecord) {
        if record.kind != AuditKind::Management || !self.wants_insights(scope) {
            return;
        }
        let error = record.record.get("errorCode").and_then(Value::as_str);
        let kind = |error_code: Option<&str>| Kind {
            scope: scope.clone(),
            event_source: Arc::clone(&record.event_source),
            event_name: Arc::clone(&record.event_name),
            error_code: error_code.map(Into::into),
        };
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        if !record.read_only {
            rates.count(kind(None), record.event_time);
        }
        if error.is_some() {
            rates.count(kind(error), record.event_time);
        }
    }

    fn wants_insights(&self, scope: &Scope) -> bool {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        book.trails.iter().any(|((home, _), trail)| {
            trail.state.is_logging && !trail.insights.is_empty() && trail.covers(home, scope)
        })
    }

    /// Keeps what was found, sends it to the default bus, and puts it for the trails that want it.
    async fn tell(&self, insight: &Insight) -> Result<(), TrailError> {
        let scope = &insight.kind.scope;
        let wants = |(_, trail): &(Scope, Arc<Trail>)| {
            trail.state.is_logging && trail.insights.contains(&insight.kind.insight_type())
        };
        let trails = self.of(scope).into_iter().filter(wants).collect::<Vec<_>>();
        if trails.is_empty() {
            return Ok(());
        }
        let record = record(insight);
        let event = Event {
            bus: DEFAULT_EVENT_BUS.into(),
            id: uuid::Uuid::new_v4().to_string().into(),
            source: "aws.cloudtrail".into(),
            detail_type: "AWS Insight via CloudTrail".into(),
            time: insight.at,
            resources: Vec::new(),
            detail: record.clone(),
            trace_header: None,
        };
        let batch = TelemetryBatch { events: vec![event], ..TelemetryBatch::new(scope.clone()) };
        let key = SortKey::at(insight.at, uuid::Uuid::new_v4());
        let oldest = SortKey::start_of(self.clock.now().minus(KEPT));
        let changes = ResourceChanges::new()
            .put_row(kind::TRAIL_INSIGHT, ROWS, key, &record)?
            .delete_rows_before(kind::TRAIL_INSIGHT, ROWS, oldest);
        self.store.append_with(batch, changes).await?;
        let text = json!({ "Records": [record] }).to_string();
        for (home, trail) in trails {
            let place = Place { trail: &trail, home: &home, region: &scope.region };
            let key = place.insight_key(self.clock.now());
            let body = compressed(text.as_bytes());
            self.store.buckets().put(&trail.settings.bucket, &key, body).await?;
        }
        Ok(())
    }

    /// The insights of a time, newest first.
    ///
    /// Errors: as the store's reads.
    pub async fn insights(
        &self,
        scope: &Scope,
        range: TimeRange,
    ) -> Result<Vec<Value>, TrailError> {
        let page = RowPage {
            from: Some(SortKey::start_of(range.start)),
            before: Some(SortKey::start_of(range.end)),
            order: RowOrder::NewestFirst,
            limit: usize::MAX,
        };
        let rows = self.store.resources().rows(scope, kind::TRAIL_INSIGHT, ROWS, &page).await?;
        Ok(rows.into_iter().map(|(_, record)| record).collect())
    }
}

/// Source: CloudTrail User Guide, "CloudTrail record contents for Insights events".
fn record(insight: &Insight) -> Value {
    let Kind { scope, event_source, event_name, error_code } = &insight.kind;
    let mut details = json!({
        "state": if insight.is_start { "Start" } else { "End" },
        "eventSource": event_source,
        "eventName": event_name,
        "insightType": insight.kind.insight_type(),
        "insightContext": {
            "statistics": {
                "baseline": {"average": insight.baseline},
                "insight": {"average": insight.average},
                "insightDuration": insight.minutes,
                "baselineDuration": insight.baseline_minutes,
            },
        },
    });
    if let (Some(code), Some(details)) = (error_code, details.as_object_mut()) {
        details.insert("errorCode".to_owned(), json!(code));
    }
    json!({
        "eventVersion": "1.11",
        "eventTime": Timestamp::from_secs(insight.at.as_secs()).to_rfc3339(),
        "awsRegion": scope.region,
        "eventID": uuid::Uuid::new_v4().to_string(),
        "eventType": "AwsCloudTrailInsight",
        "recipientAccountId": scope.account,
        "sharedEventID": insight.shared_id,
        "insightDetails": details,
        "eventCategory": "Insight",
    })
}
