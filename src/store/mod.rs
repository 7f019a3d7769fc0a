//! Durable telemetry and resources.
//!
//! Main type: `Store`. What it offers (this listing is replaced by the code as it lands):
//!
//! ```text
//! Store::open(StoreSettings, Arc<dyn Clock>, &TaskGroup).await -> Result<Store, OpenError>
//! store.append(TelemetryBatch).await -> Result<Lsn, AppendError>
//! store.append_with(TelemetryBatch, ResourceChanges).await -> Result<Lsn, AppendError>
//! store.watch() -> tokio::sync::watch::Receiver<Lsn>
//! store.counters() -> Counters
//! store.flush().await -> Result<(), FlushError>      store.close().await
//! AppendError::{Busy, ReadOnly, Stopped, Conflict, Missing, ..}
//!
//! store.metrics()
//!   list(&Scope, &MetricFilter, after: Option<&MetricId>, limit) -> Vec<MetricId>
//!   read(&Scope, &MetricId, TimeRange, Period, Option<StandardUnit>).await
//!     -> Result<Vec<Bucket { start, unit, summary: Summary }>, ReadError>
//!   buckets are counted from `range.start`, sorted by (start, unit)
//!   MetricFilter { namespace, metric_name, dimensions: [(name, Option<value>)], active_since }
//!
//! store.logs()
//!   create_group(&Scope, &str).await   delete_group   create_stream(&Scope, group, stream)
//!   delete_stream   set_retention(&Scope, group, Option<u32>)  -> Result<Lsn, AppendError>
//!     (Conflict when it exists, Missing when it does not; appending creates what is missing)
//!   group(&Scope, &str) -> Option<LogGroup>     stream(&Scope, group, stream) -> Option<LogStream>
//!   groups(&Scope, prefix, after: Option<&str>, limit) -> Vec<LogGroup>   (by name)
//!   streams(&Scope, group, prefix, after, limit) -> Vec<LogStream>        (by name)
//!   get_events(&Scope, &LogRead { group, stream, range, direction, token, limit }).await
//!     -> Result<LogPage { events, forward_token, backward_token }, ReadError>
//!   filter_events(&Scope, &LogSearch { group, streams, range, direction, token, limit },
//!                 matches: &(dyn Fn(&StoredLogEvent) -> bool + Sync)).await
//!     -> Result<FoundLogs { events, next_token: Option<String> }, ReadError>
//!   StoredLogEvent { stream, timestamp, ingestion_time, message }, .id() -> String
//!
//! store.traces()  get(&Scope, &[TraceId]).await -> Result<Vec<Trace { id, segments }>, ReadError>
//!                 summaries(&Scope, TimeRange).await -> Result<Vec<TraceSummary>, ReadError>
//! store.events()  find(&Scope, bus, TimeRange, after: Option<EventPosition>, limit).await
//! store.audit()   lookup(&Scope, &AuditQuery).await     (newest first)
//!
//! store.resources()      kinds and names are text; bodies are anything serde knows
//!   put(&Scope, kind, name, &impl Serialize).await -> Result<Lsn, AppendError>
//!   delete(&Scope, kind, name).await      apply(&Scope, ResourceChanges).await
//!   get::<T>(&Scope, kind, name).await -> Result<Option<T>, ReadError>
//!   list::<T>(&Scope, kind, &Page { prefix, after, limit }).await -> Result<Vec<(String, T)>, _>
//!   rows::<T>(&Scope, kind, name, &RowPage { range of sort keys, order, limit }).await
//!   everywhere::<T>(kind).await -> Result<Vec<(Scope, String, T)>, ReadError>
//! ResourceChanges::new().put(kind, name, &T)?.put_new(..)?.put_row(kind, name, SortKey, &T)?
//!   .delete(kind, name).delete_row(..).delete_rows_before(kind, name, SortKey)
//! SortKey::at(Timestamp, "unique suffix")  sorts by time, then text
//!
//! store.artifacts()  put(Bytes).await -> Result<ArtifactId, _>   get(ArtifactId).await -> Option
//! ```
