use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::document::{Chain, LogFile, PreviousDigest, Trail};
use super::files::{Place, SIGNATURE_SUFFIX, compressed, hash};
use super::handle::{TrailError, TrailHandle};
use crate::store::AuditQuery;
use crate::telemetry::{AccountId, AuditRecord, LogBatch, LogEvent, Region, Scope, TelemetryBatch};
use crate::time::{TimeRange, Timestamp};

/// Source: CloudTrail User Guide, "How CloudTrail works": about every five minutes.
const DELIVER_EVERY: Duration = Duration::from_secs(300);
/// Source: CloudTrail User Guide, "Validating CloudTrail log file integrity": every hour.
const DIGEST_EVERY: Duration = Duration::from_secs(3600);
/// Records are kept a little after the instant they tell.
const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// So many records are read at a time, and become one file.
const FILE_RECORDS_MAX: usize = 10_000;

/// Delivers what trails take, in good time.
#[derive(Debug)]
pub(in crate::monitor) struct TrailDeliverer(pub(in crate::monitor) TrailHandle);

impl TrailDeliverer {
    /// Delivers until it is stopped; what is due then is delivered by a later life.
    pub(in crate::monitor) async fn run(self, stop: CancellationToken) {
        let Self(trails) = self;
        loop {
            let wait = trails.round().await;
            let waited = async {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = trails.changed.notified() => {}
                () = waited => {}
            }
        }
    }
}

impl TrailHandle {
    /// Delivers what is due; says when the next is, where a trail logs.
    async fn round(&self) -> Option<Duration> {
        let logging = {
            let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
            let logs = book.trails.iter().filter(|(_, trail)| trail.state.is_logging);
            logs.map(|(key, _)| key.clone()).collect::<Vec<_>>()
        };
        for (home, name) in &logging {
            let _turn = self.turn.acquire().await;
            let now = self.clock.now();
            let Ok(trail) = self.get(home, name) else { continue };
            let is_due = |since: Option<Timestamp>, every: Duration| {
                since.or(trail.state.started).is_none_or(|since| since.plus(every) <= now)
            };
            let digests = is_due(trail.state.last_digest, DIGEST_EVERY);
            if !trail.state.is_logging || !is_due(trail.state.delivered_until, DELIVER_EVERY) {
                continue;
            }
            let mut trail = Trail::clone(&trail);
            trail = self.delivered(home, trail, now.minus(SETTLED_AFTER)).await;
            if digests {
                trail = self.digested(home, trail, now).await;
            }
            if let Err(error) = self.keep(home, trail).await {
                tracing::error!(%error, trail = %name, "cannot keep how far a trail has come");
            }
        }
        (!logging.is_empty()).then_some(DELIVER_EVERY)
    }

    /// The trail after what it took before `until` is delivered; how that failed, where it did.
    pub(super) async fn delivered(
        &self,
        home: &Scope,
        mut trail: Trail,
        until: Timestamp,
    ) -> Trail {
        let from = trail.state.delivered_until.unwrap_or(until);
        for region in trail.regions(home, &self.called(&home.account)) {
            let scope = Scope { account: home.account.clone(), region: region.clone() };
            let taken = match self.taken(&scope, &trail, TimeRange::new(from, until)).await {
                Ok(taken) => taken,
                Err(error) => return failed(trail, &error),
            };
            // An empty region still has a chain of digests.
            let chain = trail.state.regions.entry(region.clone()).or_default();
            chain.begins = chain.begins.or(Some(from));
            for records in taken.chunks(FILE_RECORDS_MAX) {
                let file = match self.put(home, (&trail, &region), records).await {
                    Ok(file) => file,
                    Err(error) => return failed(trail, &error),
                };
                let chain = trail.state.regions.entry(region.clone()).or_default();
                chain.files.push(file);
                trail.state.last_delivery = Some(self.clock.now());
            }
            if let Some(arn) = trail.settings.log_group_arn.clone()
                && !taken.is_empty()
            {
                trail.state.log_error = self.log(&arn, (home, &region), &taken).await.err();
                if trail.state.log_error.is_none() {
                    trail.state.last_log_delivery = Some(self.clock.now());
                }
            }
        }
        trail.state.delivery_error = None;
        trail.state.delivered_until = Some(until.max(from));
        trail
    }

    /// What a trail takes of a region, oldest first.
    async fn taken(
        &self,
        scope: &Scope,
        trail: &Trail,
        range: TimeRange,
    ) -> Result<Vec<Arc<AuditRecord>>, TrailError> {
        let mut taken = Vec::new();
        let mut after = None;
        loop {
            let query = AuditQuery {
                attribute: None,
                range,
                after: after.as_ref(),
                limit: FILE_RECORDS_MAX,
            };
            let found = self.store.audit().lookup(scope, &query).await?;
            let is_last = found.len() < FILE_RECORDS_MAX;
            after = found.last().map(|(place, _)| place.clone());
            taken.extend(found.into_iter().map(|(_, record)| record));
            if is_last {
                break;
            }
        }
        taken.retain(|record| trail.takes(record));
        taken.reverse();
        Ok(taken)
    }

    /// Puts one file.
    async fn put(
        &self,
        home: &Scope,
        (trail, region): (&Trail, &Region),
        records: &[Arc<AuditRecord>],
    ) -> Result<LogFile, TrailError> {
        let place = Place { trail, home, region };
        let key = place.log_key(self.clock.now());
        let held = records.iter().map(|record| &record.record).collect::<Vec<&Value>>();
        let text = serde_json::json!({ "Records": held }).to_string();
        let bucket = &trail.settings.bucket;
        self.store.buckets().put(bucket, &key, compressed(text.as_bytes())).await?;
        let times = || records.iter().map(|record| record.event_time);
        Ok(LogFile {
            bucket: bucket.clone(),
            key,
            hash: hash(text.as_bytes()),
            oldest: times().min().unwrap_or(Timestamp::EPOCH),
            newest: times().max().unwrap_or(Timestamp::EPOCH),
        })
    }

    /// Writes records to the log group of a trail, each as one event; says what failed.
    ///
    /// Source: CloudTrail User Guide, "Sending events to CloudWatch Logs".
    async fn log(
        &self,
        arn: &str,
        (home, region): (&Scope, &Region),
        records: &[Arc<AuditRecord>],
    ) -> Result<(), String> {
        let (scope, group) = log_group(arn).ok_or_else(|| format!("{arn} is no log group"))?;
        if self.store.logs().group(&scope, group).is_none() {
            return Err(format!("the log group {group} does not exist"));
        }
        let line = |record: &Arc<AuditRecord>| LogEvent {
            timestamp: record.event_time,
            message: record.record.to_string(),
        };
        let stream = format!("{}_CloudTrail_{region}", home.account).into();
        let events = records.iter().map(line).collect();
        let batch = TelemetryBatch {
            logs: vec![LogBatch { group: group.into(), stream, events }],
            ..TelemetryBatch::new(scope)
        };
        self.store.append(batch).await.map(|_| ()).map_err(|error| error.to_string())
    }

    /// The trail after a digest of each of its regions; a trail without validation has none.
    pub(super) async fn digested(&self, home: &Scope, mut trail: Trail, end: Timestamp) -> Trail {
        if !trail.settings.validates_files {
            trail.state.regions.values_mut().for_each(|chain| chain.files.clear());
            return trail;
        }
        let signer = match self.key(home).await.and_then(|key| Ok(key.signer()?)) {
            Ok(signer) => signer,
            Err(error) => return failed(trail, &error),
        };
        let regions = trail.state.regions.keys().cloned().collect::<Vec<_>>();
        for region in regions {
            let chain = trail.state.regions.get(&region).cloned().unwrap_or_default();
            let place = Place { trail: &trail, home, region: &region };
            let bucket = trail.settings.bucket.clone();
            let digest = match place.digest(&chain, end, &signer) {
                Ok(digest) => digest,
                Err(error) => return failed(trail, &error.into()),
            };
            let buckets = self.store.buckets();
            let beside = format!("{}{SIGNATURE_SUFFIX}", digest.key);
            // ORDER: the signature first, so that no digest is without one.
            let put = match buckets.put(&bucket, &beside, digest.signature_body).await {
                Ok(()) => buckets.put(&bucket, &digest.key, digest.body).await,
                Err(error) => Err(error),
            };
            if let Err(error) = put {
                return failed(trail, &error.into());
            }
            let (key, hash, signature) = (digest.key, digest.hash, digest.signature);
            let previous = Some(PreviousDigest { bucket, key, hash, signature });
            let chain = Chain { begins: Some(end), files: Vec::new(), previous };
            trail.state.regions.insert(region, chain);
            trail.state.last_digest = Some(end);
        }
        trail
    }
}

/// The trail with what went wrong; it is tried again.
fn failed(mut trail: Trail, error: &TrailError) -> Trail {
    tracing::warn!(trail = %trail.name, %error, "records of a trail are not delivered");
    let mut told = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        told.push_str(": ");
        told.push_str(&source.to_string());
    }
    trail.state.delivery_error = Some(told);
    trail
}

/// The scope and name in the ARN of a log group.
fn log_group(arn: &str) -> Option<(Scope, &str)> {
    let mut parts = arn.splitn(7, ':');
    let (region, account) = (parts.nth(3)?, parts.next()?);
    let group = match parts.next()? {
        "log-group" => parts.next()?,
        _ => return None,
    };
    let account = AccountId::new(account).ok()?;
    Some((Scope { account, region: Region::new(region) }, group.trim_end_matches(":*")))
}
