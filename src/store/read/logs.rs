use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::super::LOG_EVENT_OVERHEAD;
use super::super::error::ReadError;
use super::super::handle::Store;
use super::super::lsn::{Arrival, Lsn};
use super::super::recent::LogKey;
use super::log_scan::{LogScan, after};
use crate::telemetry::Scope;
use crate::time::{TimeRange, Timestamp};

/// A page ends at this many bytes, as CloudWatch counts them.
const PAGE_BYTES_MAX: u64 = 1024 * 1024;
/// A search gives its page after looking at this many bytes, found or not, so that it answers.
const SEARCH_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Log groups, streams and lines of the store.
#[derive(Clone, Copy, Debug)]
pub struct Logs<'a>(pub(in crate::store) &'a Store);

/// Which end of a range comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// By rising timestamps.
    OldestFirst,
    /// By falling timestamps.
    NewestFirst,
}

/// One line as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLogEvent {
    /// Its stream.
    pub stream: Arc<str>,
    /// When it happened, as its sender said.
    pub timestamp: Timestamp,
    /// When it was received.
    pub ingestion_time: Timestamp,
    /// Its text, byte for byte.
    pub message: Arc<str>,
    key: LogKey,
}

impl StoredLogEvent {
    /// Its id: 56 digits that sort as the lines of its group do.
    pub fn id(&self) -> String {
        LogEventId(self.key).to_string()
    }

    fn bytes(&self) -> u64 {
        self.message.len() as u64 + LOG_EVENT_OVERHEAD
    }
}

/// What to read of one stream.
///
/// Source: CloudWatch Logs API Reference, `GetLogEvents`; the range's end is exclusive.
#[derive(Clone, Copy, Debug)]
pub struct LogRead<'a> {
    /// The group.
    pub group: &'a str,
    /// The stream.
    pub stream: &'a str,
    /// Of these timestamps.
    pub range: TimeRange,
    /// Where the first page lies; a token brings its own direction.
    pub direction: Direction,
    /// A token of an earlier page.
    pub token: Option<&'a str>,
    /// At most so many lines.
    pub limit: usize,
}

/// One page of a stream, by rising timestamps whatever the direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// The lines.
    pub events: Vec<StoredLogEvent>,
    /// For the page after this one; the token that was given when nothing lies beyond.
    pub forward_token: String,
    /// For the page before this one; the token that was given when nothing lies beyond.
    pub backward_token: String,
}

/// Which streams of a group to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamSelection<'a> {
    /// Every one.
    All,
    /// Those of these names; each must exist.
    Named(&'a [&'a str]),
    /// Those that start so.
    Prefix(&'a str),
}

/// What to search of one group.
///
/// Source: CloudWatch Logs API Reference, `FilterLogEvents`.
/// Differs: the range's end is exclusive here as everywhere in the store.
#[derive(Clone, Copy, Debug)]
pub struct LogSearch<'a> {
    /// The group.
    pub group: &'a str,
    /// Its streams.
    pub streams: StreamSelection<'a>,
    /// Of these timestamps.
    pub range: TimeRange,
    /// Which end comes first; a token brings its own direction.
    pub direction: Direction,
    /// A token of an earlier page.
    pub token: Option<&'a str>,
    /// At most so many lines.
    pub limit: usize,
}

/// One page of a search, in the direction asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLogs {
    /// The lines that match.
    pub events: Vec<StoredLogEvent>,
    /// For the next page, which may be empty; `None` when the search is finished.
    pub next_token: Option<String>,
}

impl Logs<'_> {
    /// Reads a page of one stream.
    ///
    /// Errors: `Missing` without the group or stream, `Token` for one that is no token.
    /// Cancel safety: yes; reads only.
    /// Source: CloudWatch Logs API Reference, `GetLogEvents`: both tokens are always given, and
    /// at either end the token that was given comes back.
    pub async fn get_events(self, scope: &Scope, read: &LogRead<'_>) -> Result<LogPage, ReadError> {
        let one = [read.stream];
        let place = self.place(scope, read.group, StreamSelection::Named(&one))?;
        let (lo, hi) = place.bounds(read.range);
        let token = read.token.map(Token::parse).transpose()?;
        let start = token.unwrap_or(match read.direction {
            Direction::OldestFirst => Token { direction: Direction::OldestFirst, at: lo },
            Direction::NewestFirst => Token { direction: Direction::NewestFirst, at: hi },
        });
        let bounds = start.bound(lo, hi);
        let mut scan = LogScan::new(&self.0.shared, place.streams(), bounds, start.direction);
        let mut events: Vec<StoredLogEvent> = Vec::new();
        let mut bytes = 0;
        while events.len() < read.limit
            && let Some((key, stream, line)) = scan.next().await?
        {
            let event = stored(key, stream, &line);
            bytes += event.bytes();
            if bytes > PAGE_BYTES_MAX && !events.is_empty() {
                break;
            }
            events.push(event);
        }
        if start.direction == Direction::NewestFirst {
            events.reverse();
        }
        let first = events.first().map_or(start.at, |event| event.key);
        let last = events.last().map_or(start.at, |event| after(event.key));
        Ok(LogPage {
            events,
            forward_token: Token { direction: Direction::OldestFirst, at: last }.to_string(),
            backward_token: Token { direction: Direction::NewestFirst, at: first }.to_string(),
        })
    }

    /// Searches a group for lines that `matches` accepts.
    ///
    /// Errors: `Missing` without the group or a named stream, `Token` for one that is no token.
    /// Cancel safety: yes; reads only, and stops within one row group.
    pub async fn filter_events(
        self,
        scope: &Scope,
        search: &LogSearch<'_>,
        matches: &(dyn Fn(&StoredLogEvent) -> bool + Sync),
    ) -> Result<FoundLogs, ReadError> {
        let place = self.place(scope, search.group, search.streams)?;
        let (lo, hi) = place.bounds(search.range);
        let token = search.token.map(Token::parse).transpose()?;
        let start = token.unwrap_or(match search.direction {
            Direction::OldestFirst => Token { direction: Direction::OldestFirst, at: lo },
            Direction::NewestFirst => Token { direction: Direction::NewestFirst, at: hi },
        });
        let bounds = start.bound(lo, hi);
        let mut scan = LogScan::new(&self.0.shared, place.streams(), bounds, start.direction);
        let (mut events, mut found, mut looked_at) = (Vec::new(), 0, 0);
        while let Some((key, stream, line)) = scan.next().await? {
            let event = stored(key, stream, &line);
            let bytes = event.bytes();
            looked_at += bytes;
            let is_match = matches(&event);
            let overflows = is_match && found + bytes > PAGE_BYTES_MAX && !events.is_empty();
            if events.len() >= search.limit || overflows || looked_at > SEARCH_BYTES_MAX {
                let at = match start.direction {
                    Direction::OldestFirst => key,
                    Direction::NewestFirst => after(key),
                };
                let next = Token { direction: start.direction, at };
                return Ok(FoundLogs { events, next_token: Some(next.to_string()) });
            }
            if is_match {
                found += bytes;
                events.push(event);
            }
        }
        Ok(FoundLogs { events, next_token: None })
    }

    pub(super) fn place(
        self,
        scope: &Scope,
        name: &str,
        streams: StreamSelection<'_>,
    ) -> Result<Place, ReadError> {
        let missing = |kind, name: &str| ReadError::Missing { kind, name: name.into() };
        let directory = self.0.shared.directory();
        let group = directory.group(scope, name).ok_or_else(|| missing("log group", name))?;
        let streams: HashMap<u64, Arc<str>> = match streams {
            StreamSelection::All => group.stream_names.clone(),
            StreamSelection::Prefix(prefix) => {
                let named = group.stream_names.iter().filter(|(_, name)| name.starts_with(prefix));
                named.map(|(id, name)| (*id, Arc::clone(name))).collect()
            }
            StreamSelection::Named(names) => names
                .iter()
                .map(|name| {
                    let found = group.streams.get_key_value(*name);
                    let (name, stream) = found.ok_or_else(|| missing("log stream", name))?;
                    Ok((stream.id, Arc::clone(name)))
                })
                .collect::<Result<_, ReadError>>()?,
        };
        let cutoff = group.cutoff(self.0.shared.clock.now());
        Ok(Place { group: group.id, streams, cutoff })
    }
}

fn stored(key: LogKey, stream: Arc<str>, line: &super::super::recent::LogLine) -> StoredLogEvent {
    StoredLogEvent {
        stream,
        timestamp: key.at,
        ingestion_time: line.received,
        message: Arc::clone(&line.message),
        key,
    }
}

/// A group and the streams that are wanted of it.
pub(super) struct Place {
    group: u64,
    streams: HashMap<u64, Arc<str>>,
    cutoff: Timestamp,
}

impl Place {
    pub(super) fn bounds(&self, range: TimeRange) -> (LogKey, LogKey) {
        let start_of = |at| LogKey { at, arrival: Arrival::default() };
        (start_of(range.start.max(self.cutoff)), start_of(range.end))
    }

    pub(super) fn streams(&self) -> (u64, HashMap<u64, Arc<str>>) {
        (self.group, self.streams.clone())
    }
}

/// A place between two lines, and which way to go on from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token {
    direction: Direction,
    /// Lines at or after it are forward, lines before it are backward.
    at: LogKey,
}

impl Token {
    fn bound(self, lo: LogKey, hi: LogKey) -> (LogKey, LogKey) {
        match self.direction {
            Direction::OldestFirst => (lo.max(self.at), hi),
            Direction::NewestFirst => (lo, hi.min(self.at)),
        }
    }

    fn parse(text: &str) -> Result<Self, ReadError> {
        let parse = || {
            let (direction, rest) = match text.split_once('/')? {
                ("f", rest) => (Direction::OldestFirst, rest),
                ("b", rest) => (Direction::NewestFirst, rest),
                _ => return None,
            };
            let at = LogEventId::parse(rest.strip_suffix("/s")?)?.0;
            Some(Self { direction, at })
        };
        parse().ok_or(ReadError::Token)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            Direction::OldestFirst => 'f',
            Direction::NewestFirst => 'b',
        };
        write!(f, "{direction}/{}/s", LogEventId(self.at))
    }
}

/// A key as 56 digits that sort like it: 20 for the instant, 20 for the batch, 16 inside it.
pub(super) struct LogEventId(pub(super) LogKey);

impl LogEventId {
    const SIGN: u64 = 1 << 63;

    fn parse(digits: &str) -> Option<Self> {
        if digits.len() != 56 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (at, rest) = digits.split_at_checked(20)?;
        let (lsn, ordinal) = rest.split_at_checked(20)?;
        let millis = (at.parse::<u64>().ok()? ^ Self::SIGN).cast_signed();
        let arrival = Arrival { lsn: Lsn::new(lsn.parse().ok()?), ordinal: ordinal.parse().ok()? };
        Some(Self(LogKey { at: Timestamp::from_millis(millis), arrival }))
    }
}

impl fmt::Display for LogEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LogKey { at, arrival } = self.0;
        let sortable = at.as_millis().cast_unsigned() ^ Self::SIGN;
        write!(f, "{sortable:020}{:020}{:016}", arrival.lsn.get(), arrival.ordinal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_and_other_texts_are_refused() {
        for millis in [i64::MIN, -1, 0, 1_767_323_045_678, i64::MAX] {
            let arrival = Arrival { lsn: Lsn::new(77), ordinal: u32::MAX };
            let at = LogKey { at: Timestamp::from_millis(millis), arrival };
            let token = Token { direction: Direction::NewestFirst, at };
            assert_eq!(Token::parse(&token.to_string()).unwrap(), token);
        }
        for text in ["", "f/1/s", "x/00000000000000000000000000000000000000000000000000000000/s"] {
            assert!(matches!(Token::parse(text), Err(ReadError::Token)), "{text}");
        }
    }
}
