use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::samples::{self, Sample, SeriesNumber};
use super::wire::{Fault, Reader, Writer};
use crate::store::resource::{Condition, ResourceChange, ResourceKey, SortKey};
use crate::telemetry::{
    AccountId, AuditKind, AuditRecord, BatchId, Dimensions, Event, LogBatch, LogEvent, MetricBatch,
    MetricDatum, MetricId, MetricValue, Region, Scope, StandardUnit, StatisticSet,
    StorageResolution, TelemetryBatch, TraceId, TraceSegment,
};
use crate::time::Timestamp;

/// A change to a log group or stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum LogChange {
    CreateGroup { group: Arc<str> },
    DeleteGroup { group: Arc<str> },
    CreateStream { group: Arc<str>, stream: Arc<str> },
    DeleteStream { group: Arc<str>, stream: Arc<str> },
    SetRetention { group: Arc<str>, days: Option<u32> },
}

/// All that one append changes: what the ingest log keeps and replays as one.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) struct Record {
    /// When it was received: the ingestion time of its log events.
    pub(in crate::store) at: Timestamp,
    /// Its metrics are in `samples`; only records of format 1 have them here.
    pub(in crate::store) batch: TelemetryBatch,
    pub(in crate::store) resources: Vec<ResourceChange>,
    pub(in crate::store) logs: Vec<LogChange>,
    /// Metrics of the batch's scope that the log names here for the first time.
    pub(in crate::store) fresh: Vec<(SeriesNumber, MetricId)>,
    pub(in crate::store) samples: Vec<Sample>,
}

impl Record {
    /// A record of a batch and nothing else; its metrics are still to be numbered.
    pub(in crate::store) fn new(at: Timestamp, batch: TelemetryBatch) -> Self {
        let (resources, logs) = (Vec::new(), Vec::new());
        Self { at, batch, resources, logs, fresh: Vec::new(), samples: Vec::new() }
    }

    /// Whether it carries nothing that readers of telemetry see.
    pub(in crate::store) fn has_no_telemetry(&self) -> bool {
        self.samples.is_empty() && self.batch.is_empty()
    }

    pub(in crate::store) fn encode(&self) -> Vec<u8> {
        let mut out = Out::default();
        out.writer.signed(self.at.as_millis());
        out.batch(&self.batch);
        out.writer.length(self.resources.len());
        self.resources.iter().for_each(|change| out.resource_change(change));
        out.writer.length(self.logs.len());
        self.logs.iter().for_each(|change| out.log_change(change));
        if !self.samples.is_empty() {
            out.writer.length(self.fresh.len());
            self.fresh.iter().for_each(|(number, metric)| out.series(*number, metric));
            samples::write(&mut out.writer, &self.samples);
        }
        out.writer.into_bytes()
    }

    pub(in crate::store) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mut input = In::new(bytes);
        let (at, batch) = (input.timestamp()?, input.batch()?);
        let mut record = Self::new(at, batch);
        record.resources = input.list(In::resource_change)?;
        record.logs = input.list(In::log_change)?;
        // COMPAT: a record of format 1 ends here.
        if !input.reader.is_at_end() {
            record.fresh = input.list(In::series)?;
            record.samples = samples::read(&mut input.reader)?;
        }
        if input.reader.is_at_end() { Ok(record) } else { Err(Fault::Value) }
    }
}

/// Writes a record; a text that comes again is written as its number.
#[derive(Default)]
struct Out<'a> {
    writer: Writer,
    texts: HashMap<&'a str, u64, RandomState>,
}

impl<'a> Out<'a> {
    fn text(&mut self, text: &'a str) {
        let next = self.texts.len() as u64 + 1;
        match self.texts.get(text) {
            Some(number) => self.writer.unsigned(*number),
            None => {
                self.texts.insert(text, next);
                self.writer.unsigned(0);
                self.writer.text(text);
            }
        }
    }

    fn optional_text(&mut self, text: Option<&'a Arc<str>>) {
        self.writer.byte(u8::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn batch(&mut self, batch: &'a TelemetryBatch) {
        self.text(batch.scope.account.as_str());
        self.text(batch.scope.region.as_str());
        self.writer.byte(u8::from(batch.id.is_some()));
        if let Some(BatchId(id)) = &batch.id {
            self.writer.fixed(id);
        }
        // COMPAT: the metrics of format 1 stood here.
        debug_assert!(batch.metrics.is_empty(), "metrics are numbered before they are written");
        self.writer.length(0);
        self.writer.length(batch.logs.len());
        batch.logs.iter().for_each(|logs| self.logs(logs));
        self.writer.length(batch.traces.len());
        batch.traces.iter().for_each(|segment| self.trace(segment));
        self.writer.length(batch.events.len());
        batch.events.iter().for_each(|event| self.event(event));
        self.writer.length(batch.audit.len());
        batch.audit.iter().for_each(|record| self.audit(record));
    }

    fn series(&mut self, number: SeriesNumber, metric: &'a MetricId) {
        self.writer.unsigned(number.0.into());
        self.text(&metric.namespace);
        self.text(&metric.metric_name);
        self.writer.length(metric.dimensions.len());
        for dimension in &metric.dimensions {
            self.text(&dimension.name);
            self.text(&dimension.value);
        }
    }

    fn logs(&mut self, logs: &'a LogBatch) {
        self.text(&logs.group);
        self.text(&logs.stream);
        self.writer.length(logs.events.len());
        let mut last = 0i64;
        for event in &logs.events {
            let at = event.timestamp.as_millis();
            self.writer.signed(at.wrapping_sub(last));
            last = at;
            self.writer.text(&event.message);
        }
    }

    fn trace(&mut self, segment: &'a TraceSegment) {
        self.writer.fixed(segment.trace_id.as_bytes());
        self.writer.text(&segment.id);
        self.writer.float(segment.start_time);
        self.writer.byte(u8::from(segment.end_time.is_some()));
        if let Some(end) = segment.end_time {
            self.writer.float(end);
        }
        self.writer.text(&segment.document);
    }

    fn event(&mut self, event: &'a Event) {
        self.text(&event.bus);
        self.writer.text(&event.id);
        self.text(&event.source);
        self.text(&event.detail_type);
        self.writer.signed(event.time.as_millis());
        self.writer.length(event.resources.len());
        event.resources.iter().for_each(|arn| self.text(arn));
        self.writer.text(&event.detail.to_string());
        self.optional_text(event.trace_header.as_ref());
    }

    fn audit(&mut self, record: &'a AuditRecord) {
        self.writer.text(&record.event_id);
        self.writer.signed(record.event_time.as_millis());
        self.text(&record.event_name);
        self.text(&record.event_source);
        self.optional_text(record.username.as_ref());
        self.optional_text(record.access_key_id.as_ref());
        let data = u8::from(record.kind == AuditKind::Data);
        self.writer.byte(u8::from(record.read_only) | data << 1);
        self.writer.length(record.resources.len());
        for (kind, name) in &record.resources {
            self.text(kind);
            self.text(name);
        }
        self.writer.text(&record.record.to_string());
    }

    fn resource_change(&mut self, change: &'a ResourceChange) {
        match change {
            ResourceChange::Put { key, body, condition } => {
                self.writer.byte(0);
                self.key(key, *condition);
                self.writer.text(body);
            }
            ResourceChange::Delete { key, condition } => {
                self.writer.byte(1);
                self.key(key, *condition);
            }
            ResourceChange::DeleteRowsBefore { kind, name, before } => {
                self.writer.byte(2);
                self.text(kind);
                self.text(name);
                self.writer.text(before.as_str());
            }
            ResourceChange::DeleteRows { kind, name } => {
                self.writer.byte(3);
                self.text(kind);
                self.text(name);
            }
        }
    }

    fn key(&mut self, key: &'a ResourceKey, condition: Condition) {
        self.text(&key.kind);
        self.text(&key.name);
        self.writer.text(key.sort_text());
        self.writer.byte(condition as u8);
    }

    fn log_change(&mut self, change: &'a LogChange) {
        match change {
            LogChange::CreateGroup { group } => {
                self.writer.byte(0);
                self.text(group);
            }
            LogChange::DeleteGroup { group } => {
                self.writer.byte(1);
                self.text(group);
            }
            LogChange::CreateStream { group, stream } => {
                self.writer.byte(2);
                self.text(group);
                self.text(stream);
            }
            LogChange::DeleteStream { group, stream } => {
                self.writer.byte(3);
                self.text(group);
                self.text(stream);
            }
            LogChange::SetRetention { group, days } => {
                self.writer.byte(4);
                self.text(group);
                self.writer.unsigned(days.map_or(0, u64::from));
            }
        }
    }
}

/// A unit's number in our files: its place in the API reference, which only grows at its end.
pub(in crate::store) fn unit_number(unit: StandardUnit) -> u8 {
    let place = StandardUnit::ALL.iter().position(|other| *other == unit);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0)
}

/// Reads what `Out` wrote.
struct In<'a> {
    reader: Reader<'a>,
    texts: Vec<Arc<str>>,
    dimensions: Vec<Dimensions>,
}

impl<'a> In<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader::new(bytes), texts: Vec::new(), dimensions: Vec::new() }
    }

    fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let length = self.reader.length()?;
        (0..length).map(|_| read(self)).collect()
    }

    fn text(&mut self) -> Result<Arc<str>, Fault> {
        let number = usize::try_from(self.reader.unsigned()?).map_err(|_huge| Fault::Value)?;
        if let Some(known) = number.checked_sub(1) {
            return self.texts.get(known).cloned().ok_or(Fault::Value);
        }
        let text: Arc<str> = self.reader.text()?.into();
        self.texts.push(Arc::clone(&text));
        Ok(text)
    }

    fn own_text(&mut self) -> Result<Arc<str>, Fault> {
        self.reader.text().map(Arc::from)
    }

    fn optional_text(&mut self) -> Result<Option<Arc<str>>, Fault> {
        if self.flag()? { self.text().map(Some) } else { Ok(None) }
    }

    fn flag(&mut self) -> Result<bool, Fault> {
        match self.reader.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            form => Err(Fault::Form(form)),
        }
    }

    fn timestamp(&mut self) -> Result<Timestamp, Fault> {
        self.reader.signed().map(Timestamp::from_millis)
    }

    fn dimensions(&mut self) -> Result<Dimensions, Fault> {
        let number = usize::try_from(self.reader.unsigned()?).map_err(|_huge| Fault::Value)?;
        if let Some(known) = number.checked_sub(1) {
            return self.dimensions.get(known).cloned().ok_or(Fault::Value);
        }
        let pairs = self.list(|input| Ok((input.text()?, input.text()?)))?;
        let dimensions = Dimensions::of(pairs);
        self.dimensions.push(dimensions.clone());
        Ok(dimensions)
    }

    fn series(&mut self) -> Result<(SeriesNumber, MetricId), Fault> {
        let number = u32::try_from(self.reader.unsigned()?).map_err(|_wide| Fault::Value)?;
        let (namespace, metric_name) = (self.text()?, self.text()?);
        let pairs = self.list(|input| Ok((input.text()?, input.text()?)))?;
        let dimensions = Dimensions::of(pairs);
        Ok((SeriesNumber(number), MetricId { namespace, metric_name, dimensions }))
    }

    fn batch(&mut self) -> Result<TelemetryBatch, Fault> {
        let account = AccountId::new(&self.text()?).map_err(|_not_one| Fault::Value)?;
        let region = Region::new(&self.text()?);
        let id = if self.flag()? { Some(BatchId(self.reader.array()?)) } else { None };
        Ok(TelemetryBatch {
            scope: Scope { account, region },
            id,
            metrics: self.list(Self::metrics)?,
            logs: self.list(Self::logs)?,
            traces: self.list(Self::trace)?,
            events: self.list(Self::event)?,
            audit: self.list(Self::audit)?,
        })
    }

    fn metrics(&mut self) -> Result<MetricBatch, Fault> {
        let namespace = self.text()?;
        let mut last = 0i64;
        let data = self.list(|input| {
            let metric_name = input.text()?;
            let dimensions = input.dimensions()?;
            last = last.wrapping_add(input.reader.signed()?);
            let unit = input.reader.byte()?;
            let unit = *StandardUnit::ALL.get(usize::from(unit)).ok_or(Fault::Form(unit))?;
            let form = input.reader.byte()?;
            let storage_resolution = match form & 1 {
                0 => StorageResolution::Standard,
                _ => StorageResolution::High,
            };
            let timestamp = Timestamp::from_millis(last);
            let value = input.metric_value(form & !1)?;
            Ok(MetricDatum { metric_name, dimensions, timestamp, value, unit, storage_resolution })
        })?;
        Ok(MetricBatch { namespace, data })
    }

    fn metric_value(&mut self, form: u8) -> Result<MetricValue, Fault> {
        let reader = &mut self.reader;
        match form {
            0 => Ok(MetricValue::Value(reader.float()?)),
            2 => Ok(MetricValue::StatisticSet(StatisticSet {
                sample_count: reader.float()?,
                sum: reader.float()?,
                minimum: reader.float()?,
                maximum: reader.float()?,
            })),
            4 => {
                let pair = |input: &mut Self| Ok((input.reader.float()?, input.reader.float()?));
                self.list(pair).map(MetricValue::Distribution)
            }
            form => Err(Fault::Form(form)),
        }
    }

    fn logs(&mut self) -> Result<LogBatch, Fault> {
        let (group, stream) = (self.text()?, self.text()?);
        let mut last = 0i64;
        let events = self.list(|input| {
            last = last.wrapping_add(input.reader.signed()?);
            let message = input.reader.text()?.to_owned();
            Ok(LogEvent { timestamp: Timestamp::from_millis(last), message })
        })?;
        Ok(LogBatch { group, stream, events })
    }

    fn trace(&mut self) -> Result<TraceSegment, Fault> {
        Ok(TraceSegment {
            trace_id: TraceId::from_bytes(self.reader.array()?),
            id: self.own_text()?,
            start_time: self.reader.float()?,
            end_time: if self.flag()? { Some(self.reader.float()?) } else { None },
            document: self.own_text()?,
        })
    }

    fn event(&mut self) -> Result<Event, Fault> {
        Ok(Event {
            bus: self.text()?,
            id: self.own_text()?,
            source: self.text()?,
            detail_type: self.text()?,
            time: self.timestamp()?,
            resources: self.list(Self::text)?,
            detail: self.json()?,
            trace_header: self.optional_text()?,
        })
    }

    fn audit(&mut self) -> Result<AuditRecord, Fault> {
        let event_id = self.own_text()?;
        let event_time = self.timestamp()?;
        let event_name = self.text()?;
        let event_source = self.text()?;
        let username = self.optional_text()?;
        let access_key_id = self.optional_text()?;
        let flags = self.reader.byte()?;
        Ok(AuditRecord {
            event_id,
            event_time,
            event_name,
            event_source,
            username,
            access_key_id,
            read_only: flags & 1 != 0,
            kind: if flags & 2 == 0 { AuditKind::Management } else { AuditKind::Data },
            resources: self.list(|input| Ok((input.text()?, input.text()?)))?,
            record: self.json()?,
        })
    }

    fn json(&mut self) -> Result<serde_json::Value, Fault> {
        serde_json::from_str(self.reader.text()?).map_err(|_not_json| Fault::Value)
    }

    fn resource_change(&mut self) -> Result<ResourceChange, Fault> {
        match self.reader.byte()? {
            0 => {
                let (key, condition) = self.key()?;
                Ok(ResourceChange::Put { key, body: self.own_text()?, condition })
            }
            1 => {
                let (key, condition) = self.key()?;
                Ok(ResourceChange::Delete { key, condition })
            }
            2 => Ok(ResourceChange::DeleteRowsBefore {
                kind: self.text()?,
                name: self.text()?,
                before: SortKey::from_text(self.reader.text()?),
            }),
            3 => Ok(ResourceChange::DeleteRows { kind: self.text()?, name: self.text()? }),
            form => Err(Fault::Form(form)),
        }
    }

    fn key(&mut self) -> Result<(ResourceKey, Condition), Fault> {
        let (kind, name) = (self.text()?, self.text()?);
        let sort = self.reader.text()?;
        let sort = (!sort.is_empty()).then(|| SortKey::from_text(sort));
        let condition = match self.reader.byte()? {
            0 => Condition::Always,
            1 => Condition::Absent,
            2 => Condition::Present,
            form => return Err(Fault::Form(form)),
        };
        Ok((ResourceKey { kind, name, sort }, condition))
    }

    fn log_change(&mut self) -> Result<LogChange, Fault> {
        let form = self.reader.byte()?;
        let group = self.text()?;
        match form {
            0 => Ok(LogChange::CreateGroup { group }),
            1 => Ok(LogChange::DeleteGroup { group }),
            2 => Ok(LogChange::CreateStream { group, stream: self.text()? }),
            3 => Ok(LogChange::DeleteStream { group, stream: self.text()? }),
            4 => {
                let days = u32::try_from(self.reader.unsigned()?).map_err(|_huge| Fault::Value)?;
                Ok(LogChange::SetRetention { group, days: (days > 0).then_some(days) })
            }
            form => Err(Fault::Form(form)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn full_record() -> Record {
        let dimensions = Dimensions::of([("CanaryName", "shop"), ("StepName", "log in")]);
        let metric = MetricId {
            namespace: "CloudWatchSynthetics".into(),
            metric_name: "Duration".into(),
            dimensions,
        };
        let sample = |value| Sample {
            series: SeriesNumber(3),
            at: Timestamp::from_millis(1_767_323_045_678),
            unit: StandardUnit::Milliseconds,
            resolution: StorageResolution::High,
            value,
        };
        let set = StatisticSet { sample_count: 2.0, sum: 9.0, minimum: 4.0, maximum: 5.0 };
        let samples = vec![
            sample(MetricValue::Value(0.1)),
            sample(MetricValue::StatisticSet(set)),
            sample(MetricValue::Distribution(vec![(1.0, 2.0), (3.5, 0.25)])),
        ];
        let line = |message: &str| LogEvent {
            timestamp: Timestamp::from_millis(-5),
            message: message.to_owned(),
        };
        Record {
            at: Timestamp::from_millis(77),
            batch: TelemetryBatch {
                scope: Scope::default(),
                id: Some(BatchId([3; 16])),
                metrics: Vec::new(),
                logs: vec![LogBatch {
                    group: "/g".into(),
                    stream: "s".into(),
                    events: vec![line("plain"), line(""), line("uni\u{1f426}\0")],
                }],
                traces: vec![TraceSegment {
                    trace_id: TraceId::from_bytes([9; 16]),
                    id: "70de5b6f19ff9a0a".into(),
                    start_time: 1_767_323_045.678_9,
                    end_time: None,
                    document: r#"{"id":"70de5b6f19ff9a0a"}"#.into(),
                }],
                events: vec![Event {
                    bus: "default".into(),
                    id: "e".into(),
                    source: "aws.synthetics".into(),
                    detail_type: "t".into(),
                    time: Timestamp::EPOCH,
                    resources: vec!["arn:x".into()],
                    detail: serde_json::json!({"b": [1, 2.5], "a": null}),
                    trace_header: Some("Root=1-".into()),
                }],
                audit: vec![AuditRecord {
                    event_id: "u".into(),
                    event_time: Timestamp::EPOCH,
                    event_name: "PutMetricAlarm".into(),
                    event_source: "monitoring.amazonaws.com".into(),
                    username: None,
                    access_key_id: Some("AKIA".into()),
                    read_only: true,
                    kind: AuditKind::Data,
                    resources: vec![("t".into(), "n".into())],
                    record: serde_json::json!({"eventVersion": "1.11"}),
                }],
            },
            resources: resource_changes(),
            logs: log_changes(),
            fresh: vec![(SeriesNumber(3), metric)],
            samples,
        }
    }

    fn resource_changes() -> Vec<ResourceChange> {
        let key = |sort| ResourceKey { kind: "canary-run".into(), name: "shop".into(), sort };
        let sort = SortKey::at(Timestamp::EPOCH, "a");
        vec![
            ResourceChange::Put {
                key: key(Some(sort.clone())),
                body: "{}".into(),
                condition: Condition::Absent,
            },
            ResourceChange::Delete { key: key(None), condition: Condition::Present },
            ResourceChange::DeleteRowsBefore {
                kind: "canary-run".into(),
                name: "shop".into(),
                before: sort,
            },
            ResourceChange::DeleteRows { kind: "k".into(), name: "n".into() },
        ]
    }

    fn log_changes() -> Vec<LogChange> {
        vec![
            LogChange::CreateGroup { group: "/g".into() },
            LogChange::DeleteGroup { group: "/g".into() },
            LogChange::CreateStream { group: "/g".into(), stream: "s".into() },
            LogChange::DeleteStream { group: "/g".into(), stream: "s".into() },
            LogChange::SetRetention { group: "/g".into(), days: Some(7) },
            LogChange::SetRetention { group: "/g".into(), days: None },
        ]
    }

    #[test]
    fn a_record_of_every_kind_comes_back() {
        let record = full_record();
        assert_eq!(Record::decode(&record.encode()), Ok(record));
    }

    /// Bytes in the form of format 1: one datum of each form.
    const OF_FORMAT_1: &str = "\
        9a01000c313233343536373839303132000975732d656173742d3100010014436c6f7564576174636853\
        796e746865746963730300084475726174696f6e0002000a43616e6172794e616d65000473686f700008\
        537465704e616d6500066c6f6720696edcbccccaef660301110401000303209001405004010003050210\
        20b1049203000000000000";

    #[test]
    fn a_record_of_format_1_is_read() {
        let bytes = hex::decode(OF_FORMAT_1).unwrap();
        let record = Record::decode(&bytes).unwrap();
        let metrics = &record.batch.metrics[0];
        assert_eq!(&*metrics.namespace, "CloudWatchSynthetics");
        assert_eq!(metrics.data.len(), 3);
        let datum = &metrics.data[2];
        assert_eq!(&*datum.metric_name, "Duration");
        assert_eq!(datum.dimensions.get("StepName"), Some("log in"));
        assert_eq!(datum.timestamp, Timestamp::from_millis(1_767_323_045_678));
        assert_eq!(datum.value, MetricValue::Distribution(vec![(1.0, 2.0), (3.5, 0.25)]));
    }

    #[test]
    fn a_record_cut_anywhere_is_a_fault() {
        let bytes = full_record().encode();
        // Cut right before its samples it is a whole record of format 1; blocks have checksums.
        let record = Record { fresh: vec![], samples: vec![], ..full_record() };
        let whole = record.encode().len();
        for length in (0..bytes.len()).filter(|length| *length != whole) {
            assert!(Record::decode(&bytes[..length]).is_err(), "cut at {length}");
        }
    }

    proptest! {
        #[test]
        fn a_damaged_record_never_panics(at in 0usize..600, flip in 1u8..=255) {
            let mut bytes = full_record().encode();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            let _outcome = Record::decode(&bytes);
        }
    }
}
