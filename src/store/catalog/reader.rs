use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{rows, segments};
use crate::store::codec::Fault;
use crate::store::lsn::Lsn;
use crate::telemetry::Scope;
use crate::time::Timestamp;

/// Reading connections that are kept open when nobody uses them.
const IDLE_MAX: usize = 4;

/// Reads the catalog beside its writer. Blocking; call it where blocking is right.
#[derive(Clone, Debug)]
pub(in crate::store) struct CatalogReader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

/// A resource as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Document {
    pub(in crate::store) name: String,
    pub(in crate::store) sort: String,
    pub(in crate::store) version: Lsn,
    pub(in crate::store) body: String,
}

/// Which rows of a resource: those between two sort keys, oldest or newest first.
#[derive(Clone, Debug)]
pub(in crate::store) struct RowsQuery {
    pub(in crate::store) from: String,
    /// Exclusive; `None` is no bound.
    pub(in crate::store) before: Option<String>,
    pub(in crate::store) newest_first: bool,
    pub(in crate::store) limit: usize,
}

impl CatalogReader {
    pub(in crate::store) fn new(path: PathBuf) -> Self {
        Self { shared: Arc::new(Shared { path, idle: Mutex::default() }) }
    }

    pub(in crate::store) fn document(
        &self,
        scope: &Scope,
        kind: &str,
        name: &str,
    ) -> rusqlite::Result<Option<Document>> {
        let sql = "select name, sort, version, body, checksum from resource where account = ?1
                   and region = ?2 and kind = ?3 and name = ?4 and sort = ''";
        let (account, region) = (scope.account.as_str(), scope.region.as_str());
        self.with(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_row(params![account, region, kind, name], document).optional()
        })
    }

    /// Resources of a kind by name, those after `after` that start with `prefix`.
    pub(in crate::store) fn list(
        &self,
        scope: &Scope,
        kind: &str,
        (prefix, after): (&str, Option<&str>),
        limit: usize,
    ) -> rusqlite::Result<Vec<Document>> {
        // Comparing bytes, not `like`: names hold `_` and `%`, and case counts.
        let sql = "select name, sort, version, body, checksum from resource where account = ?1
                   and region = ?2 and kind = ?3 and name >= ?4
                   and name < ?4 || char(1114111) and name > ?5 and sort = ''
                   order by name limit ?6";
        let (account, region) = (scope.account.as_str(), scope.region.as_str());
        // No name is empty, so "after nothing" is after the empty one.
        let after = after.unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.with(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let row = params![account, region, kind, prefix, after, limit];
            statement.query_map(row, document)?.collect()
        })
    }

    /// Names that have rows of a kind, also of resources that are gone.
    pub(in crate::store) fn row_names(
        &self,
        scope: &Scope,
        kind: &str,
    ) -> rusqlite::Result<Vec<String>> {
        let sql = "select distinct name from resource where account = ?1 and region = ?2
                   and kind = ?3 and sort > '' order by name";
        self.with(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let key = params![scope.account.as_str(), scope.region.as_str(), kind];
            statement.query_map(key, |row| row.get(0))?.collect()
        })
    }

    /// Every resource of a kind in every scope.
    pub(in crate::store) fn everywhere(
        &self,
        kind: &str,
    ) -> rusqlite::Result<Vec<(Scope, Document)>> {
        let sql = "select name, sort, version, body, checksum, account, region from resource
                   where kind = ?1 and sort = '' order by account, region, name";
        self.with(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let read = |row: &rusqlite::Row<'_>| Ok((rows::scope(row, 5)?, document(row)?));
            statement.query_map([kind], read)?.collect()
        })
    }

    /// Scopes that have a resource of a kind.
    pub(in crate::store) fn scopes(&self, kind: &str) -> rusqlite::Result<Vec<Scope>> {
        let sql = "select distinct account, region from resource where kind = ?1 and sort = ''
                   order by account, region";
        self.with(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map([kind], |row| rows::scope(row, 0))?.collect()
        })
    }

    pub(in crate::store) fn rows(
        &self,
        scope: &Scope,
        (kind, name): (&str, &str),
        query: &RowsQuery,
    ) -> rusqlite::Result<Vec<Document>> {
        let (ascending, descending) = (
            "select name, sort, version, body, checksum from resource where account = ?1
             and region = ?2 and kind = ?3 and name = ?4 and sort > '' and sort >= ?5
             and (?6 is null or sort < ?6) order by sort limit ?7",
            "select name, sort, version, body, checksum from resource where account = ?1
             and region = ?2 and kind = ?3 and name = ?4 and sort > '' and sort >= ?5
             and (?6 is null or sort < ?6) order by sort desc limit ?7",
        );
        let sql = if query.newest_first { descending } else { ascending };
        let (account, region) = (scope.account.as_str(), scope.region.as_str());
        let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
        self.with(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let row = params![account, region, kind, name, query.from, query.before, limit];
            statement.query_map(row, document)?.collect()
        })
    }

    /// Paths of the live segments, also of those that could not be opened.
    pub(in crate::store) fn live_paths(&self) -> rusqlite::Result<Vec<String>> {
        self.with(segments::live_paths)
    }

    /// Removed segments whose objects are still there.
    pub(in crate::store) fn tombstones(&self) -> rusqlite::Result<Vec<(String, Timestamp)>> {
        self.with(segments::tombstones)
    }

    fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = || self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let outcome = read(&connection);
        let mut idle = idle();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        outcome
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.shared.path, flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        Ok(connection)
    }
}

fn document(row: &rusqlite::Row<'_>) -> rusqlite::Result<Document> {
    const BODY: usize = 3;
    let body: String = row.get(BODY)?;
    // SQLite keeps no checksums of what its pages hold.
    if crc32c::crc32c(body.as_bytes()) != row.get::<_, u32>(BODY + 1)? {
        let (kind, fault) = (rusqlite::types::Type::Text, Box::new(Fault::Checksum));
        return Err(rusqlite::Error::FromSqlConversionFailure(BODY, kind, fault));
    }
    let version = Lsn::from_sql(row.get(2)?);
    Ok(Document { name: row.get(0)?, sort: row.get(1)?, version, body })
}
