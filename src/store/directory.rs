use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use super::codec::{LogChange, Record};
use super::lsn::Lsn;
use crate::telemetry::{LogBatch, Scope};
use crate::time::Timestamp;

/// Log groups and streams by name. Groups and streams made again under an old name are new ones:
/// each has an id that is never used twice, and lines belong to ids.
#[derive(Debug, Default)]
pub(super) struct Directory {
    groups: BTreeMap<(Scope, Arc<str>), Group>,
    names: HashMap<u64, (Scope, Arc<str>)>,
}

/// A log group.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) id: u64,
    pub(super) created: Timestamp,
    pub(super) retention_days: Option<u32>,
    /// Lines before this were once past their retention and never come back.
    pub(super) horizon: Timestamp,
    pub(super) streams: BTreeMap<Arc<str>, Stream>,
    pub(super) stream_names: HashMap<u64, Arc<str>>,
}

/// A log stream.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) id: u64,
    pub(super) created: Timestamp,
    pub(super) first_event: Option<Timestamp>,
    pub(super) last_event: Option<Timestamp>,
    pub(super) last_ingestion: Option<Timestamp>,
}

/// What the catalog has to write down.
#[derive(Clone, Debug)]
pub(super) enum DirectoryWrite {
    Group {
        scope: Scope,
        name: Arc<str>,
        id: u64,
        created: Timestamp,
        retention_days: Option<u32>,
        horizon: Timestamp,
    },
    Stream {
        group: u64,
        name: Arc<str>,
        id: u64,
        created: Timestamp,
    },
    ForgetGroup {
        id: u64,
    },
    ForgetStream {
        group: u64,
        id: u64,
    },
}

/// Ids hold the batch that made them, so that replay knows older lines of the same name apart.
const MADE_BY_SHIFT: u32 = 20;

fn made_by(id: u64) -> Lsn {
    Lsn::new(id >> MADE_BY_SHIFT)
}

impl Group {
    /// Lines before this are past their retention.
    pub(super) fn cutoff(&self, now: Timestamp) -> Timestamp {
        match self.retention_days {
            Some(days) => {
                self.horizon.max(now.minus(Duration::from_secs(86_400 * u64::from(days))))
            }
            None => self.horizon,
        }
    }
}

impl Directory {
    /// Applies the log changes of a record and makes the groups and streams its lines go to.
    pub(super) fn apply(&mut self, lsn: Lsn, record: &Record) -> Vec<DirectoryWrite> {
        let mut making = Making { lsn, at: record.at, made: 0, writes: Vec::new() };
        let scope = &record.batch.scope;
        for change in &record.logs {
            self.change(scope, change, &mut making);
        }
        for lines in &record.batch.logs {
            self.make_stream(scope, &lines.group, &lines.stream, &mut making);
        }
        making.writes
    }

    fn change(&mut self, scope: &Scope, change: &LogChange, making: &mut Making) {
        match change {
            LogChange::CreateGroup { group } => {
                self.make_group(scope, group, making);
            }
            LogChange::CreateStream { group, stream } => {
                self.make_stream(scope, group, stream, making);
            }
            LogChange::DeleteGroup { group } => {
                if let Some(gone) = self.groups.remove(&(scope.clone(), Arc::clone(group))) {
                    self.names.remove(&gone.id);
                    making.writes.push(DirectoryWrite::ForgetGroup { id: gone.id });
                }
            }
            LogChange::DeleteStream { group, stream } => {
                let Some(group) = self.group_mut(scope, group) else { return };
                if let Some(gone) = group.streams.remove(stream) {
                    group.stream_names.remove(&gone.id);
                    let write = DirectoryWrite::ForgetStream { group: group.id, id: gone.id };
                    making.writes.push(write);
                }
            }
            LogChange::SetRetention { group: name, days } => {
                let Some(group) = self.group_mut(scope, name) else { return };
                // What both the old and the new setting hold expired stays expired.
                let old = group.cutoff(making.at);
                group.retention_days = *days;
                group.horizon = old.max(group.cutoff(making.at));
                making.writes.push(group_write(scope, name, group));
            }
        }
    }

    fn make_group(&mut self, scope: &Scope, name: &Arc<str>, making: &mut Making) -> &mut Group {
        let key = (scope.clone(), Arc::clone(name));
        let names = &mut self.names;
        self.groups.entry(key).or_insert_with_key(|key| {
            let id = making.next_id();
            let group = Group {
                id,
                created: making.at,
                retention_days: None,
                horizon: Timestamp::MIN,
                streams: BTreeMap::new(),
                stream_names: HashMap::new(),
            };
            names.insert(id, key.clone());
            making.writes.push(group_write(scope, name, &group));
            group
        })
    }

    fn make_stream(
        &mut self,
        scope: &Scope,
        group: &Arc<str>,
        name: &Arc<str>,
        making: &mut Making,
    ) {
        let group = self.make_group(scope, group, making);
        if group.streams.contains_key(name) {
            return;
        }
        let (id, created) = (making.next_id(), making.at);
        group.add_stream(name, Stream::new(id, created));
        let name = Arc::clone(name);
        making.writes.push(DirectoryWrite::Stream { group: group.id, name, id, created });
    }

    /// Takes what the catalog knew.
    pub(super) fn load_group(&mut self, scope: Scope, name: Arc<str>, group: Group) {
        self.names.insert(group.id, (scope.clone(), Arc::clone(&name)));
        self.groups.insert((scope, name), group);
    }

    /// Where the lines of a batch go, and notes on the stream that they came.
    ///
    /// Returns `None` when the group or stream of that time is gone: a line that is replayed must
    /// not reach a later group of the same name.
    pub(super) fn received(
        &mut self,
        scope: &Scope,
        lines: &LogBatch,
        lsn: Lsn,
        at: Timestamp,
    ) -> Option<(u64, u64)> {
        let group = self.group_mut(scope, &lines.group).filter(|group| made_by(group.id) <= lsn)?;
        let stream = group.streams.get_mut(&lines.stream)?;
        if made_by(stream.id) > lsn {
            return None;
        }
        let times = || lines.events.iter().map(|event| event.timestamp);
        if let (Some(first), Some(last)) = (times().min(), times().max()) {
            stream.first_event = Some(stream.first_event.map_or(first, |old| old.min(first)));
            stream.last_event = Some(stream.last_event.map_or(last, |old| old.max(last)));
            stream.last_ingestion = stream.last_ingestion.max(Some(at));
        }
        Some((group.id, stream.id))
    }

    pub(super) fn group(&self, scope: &Scope, name: &str) -> Option<&Group> {
        self.groups.get(&(scope.clone(), name.into()))
    }

    fn group_mut(&mut self, scope: &Scope, name: &Arc<str>) -> Option<&mut Group> {
        self.groups.get_mut(&(scope.clone(), Arc::clone(name)))
    }

    pub(super) fn by_id(&self, id: u64) -> Option<(&Scope, &Arc<str>, &Group)> {
        let (scope, name) = self.names.get(&id)?;
        let group = self.groups.get(&(scope.clone(), Arc::clone(name)))?;
        Some((scope, name, group))
    }

    /// Groups of a scope by name, those after `after` that start with `prefix`.
    pub(super) fn groups<'a>(
        &'a self,
        scope: &'a Scope,
        prefix: &'a str,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Group)> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded((scope.clone(), after.into())),
            _ => Bound::Included((scope.clone(), prefix.into())),
        };
        self.groups
            .range((start, Bound::Unbounded))
            .take_while(move |((owner, name), _)| owner == scope && name.starts_with(prefix))
            .map(|((_, name), group)| (name, group))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }
}

impl Group {
    pub(super) fn add_stream(&mut self, name: &Arc<str>, stream: Stream) {
        self.stream_names.insert(stream.id, Arc::clone(name));
        self.streams.insert(Arc::clone(name), stream);
    }
}

impl Stream {
    const fn new(id: u64, created: Timestamp) -> Self {
        Self { id, created, first_event: None, last_event: None, last_ingestion: None }
    }
}

struct Making {
    lsn: Lsn,
    at: Timestamp,
    made: u64,
    writes: Vec<DirectoryWrite>,
}

impl Making {
    fn next_id(&mut self) -> u64 {
        self.made += 1;
        (self.lsn.get() << MADE_BY_SHIFT) | self.made
    }
}

fn group_write(scope: &Scope, name: &Arc<str>, group: &Group) -> DirectoryWrite {
    DirectoryWrite::Group {
        scope: scope.clone(),
        name: Arc::clone(name),
        id: group.id,
        created: group.created,
        retention_days: group.retention_days,
        horizon: group.horizon,
    }
}
