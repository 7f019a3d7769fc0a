//! The ingest log: every append that no segment holds yet, in a SQLite database of its own.
//!
//! Main type: [`IngestLog`]. One row is one block, one block is one group of appends, committed
//! together. A separate file keeps its checkpoints from blocking the catalog. What the records
//! mean is not known here.

mod block;
mod salvage;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::lsn::Lsn;
use super::settings::Durability;
pub(super) use block::{Block, Packer, group_bytes};

/// The database of blocks. Owned by the writer thread.
#[derive(Debug)]
pub(super) struct IngestLog {
    connection: Connection,
    path: PathBuf,
}

/// What a log held when it was opened.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// Whole blocks after the checkpoint, in order.
    pub(super) blocks: Vec<Block>,
    /// What could not be read.
    pub(super) damages: Vec<Damage>,
    /// The last batch that the log has a place for.
    pub(super) last_lsn: Lsn,
    /// Whether every batch from the checkpoint to the last has a place.
    has_no_gap: bool,
}

/// A block that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) path: PathBuf,
    /// The first batch of the block; zero when not even that is known.
    pub(super) first_lsn: Lsn,
    pub(super) fault: super::codec::Fault,
}

impl IngestLog {
    /// Opens the log and reads every block after `checkpoint`.
    ///
    /// A log whose pages are damaged is salvaged: whole blocks are found by their own checksums,
    /// the damaged files go to `quarantine`, and a new log is begun with what was found.
    pub(super) fn open(
        path: &Path,
        checkpoint: Lsn,
        durability: Durability,
        quarantine: &Path,
    ) -> rusqlite::Result<(Self, Replay)> {
        if salvage::wal_chain_holds(path)
            && let Ok((log, replay)) = Self::open_sound(path, checkpoint, durability)
            && replay.has_no_gap
        {
            return Ok((log, replay));
        }
        let found = salvage::blocks(path, checkpoint);
        salvage::set_aside(path, quarantine);
        let (mut log, mut replay) = Self::open_sound(path, checkpoint, durability)?;
        let mut packer = Packer::default();
        for block in &found {
            log.append(block, &block.encode(&mut packer))?;
        }
        for (first, last) in salvage::gaps(checkpoint, &found) {
            log.mark_lost(first, last)?;
        }
        replay.damages = salvage::damages(path, checkpoint, &found);
        replay.last_lsn = found.last().map_or(checkpoint, Block::last_lsn);
        replay.blocks = found;
        Ok((log, replay))
    }

    fn open_sound(
        path: &Path,
        checkpoint: Lsn,
        durability: Durability,
    ) -> rusqlite::Result<(Self, Replay)> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        let synchronous = match durability {
            Durability::Sync => "full",
            Durability::Os => "normal",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.execute_batch(
            "create table if not exists block (
               first_lsn integer primary key, last_lsn integer not null, body blob not null)",
        )?;
        let log = Self { connection, path: path.into() };
        let replay = log.read(checkpoint)?;
        Ok((log, replay))
    }

    fn read(&self, checkpoint: Lsn) -> rusqlite::Result<Replay> {
        let mut replay = Replay { last_lsn: checkpoint, has_no_gap: true, ..Replay::default() };
        let sql =
            "select first_lsn, last_lsn, body from block where last_lsn > ?1 order by first_lsn";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([checkpoint.to_sql()])?;
        while let Some(row) = rows.next()? {
            let first_lsn = Lsn::from_sql(row.get(0)?);
            replay.has_no_gap &= first_lsn <= replay.last_lsn.plus(1);
            replay.last_lsn = Lsn::from_sql(row.get(1)?);
            match Block::decode(row.get_ref(2)?.as_blob()?) {
                Ok(block) => replay.blocks.push(block),
                Err(fault) => {
                    replay.damages.push(Damage { path: self.path.clone(), first_lsn, fault });
                }
            }
        }
        Ok(replay)
    }

    /// Commits one block. When this returns, the block survives what `Durability` promises.
    pub(super) fn append(&mut self, block: &Block, encoded: &[u8]) -> rusqlite::Result<()> {
        let sql = "insert into block (first_lsn, last_lsn, body) values (?1, ?2, ?3)";
        let range = (block.first_lsn.to_sql(), block.last_lsn().to_sql());
        self.connection.prepare_cached(sql)?.execute(params![range.0, range.1, encoded])?;
        Ok(())
    }

    /// Keeps the place of batches that cannot be read any more, so that the next open does not
    /// search for them again.
    fn mark_lost(&mut self, first: Lsn, last: Lsn) -> rusqlite::Result<()> {
        let sql = "insert into block (first_lsn, last_lsn, body) values (?1, ?2, x'')";
        self.connection.execute(sql, [first.to_sql(), last.to_sql()])?;
        Ok(())
    }

    /// Deletes the blocks that segments hold.
    pub(super) fn trim(&mut self, up_to: Lsn) -> rusqlite::Result<()> {
        let sql = "delete from block where last_lsn <= ?1";
        self.connection.prepare_cached(sql)?.execute([up_to.to_sql()])?;
        Ok(())
    }

    /// Makes sure that the disk has everything; folds SQLite's own log into the file.
    pub(super) fn checkpoint(&mut self) -> rusqlite::Result<()> {
        self.connection.query_row("pragma wal_checkpoint(passive)", [], |_row| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn block(lsn: u64, text: &str) -> Block {
        Block { first_lsn: Lsn::new(lsn), records: vec![text.repeat(900).into_bytes()] }
    }

    fn open(directory: &Path, checkpoint: u64) -> (IngestLog, Replay) {
        let path = directory.join("wal.db");
        let quarantine = directory.join("quarantine");
        fs::create_dir_all(&quarantine).unwrap();
        IngestLog::open(&path, Lsn::new(checkpoint), Durability::Sync, &quarantine).unwrap()
    }

    fn lsns(replay: &Replay) -> Vec<u64> {
        replay.blocks.iter().map(|block| block.first_lsn.get()).collect()
    }

    /// A copy of the log as a kill leaves it: SQLite's own log is not folded in.
    fn killed_log(blocks: u64) -> tempfile::TempDir {
        let (live, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut log, _) = open(live.path(), 0);
        for lsn in 1..=blocks {
            let block = block(lsn, &format!("block {lsn} {}", fastrand::u64(..)));
            log.append(&block, &block.encode(&mut Packer::default())).unwrap();
        }
        for name in ["wal.db", "wal.db-wal"] {
            fs::copy(live.path().join(name), copy.path().join(name)).unwrap();
        }
        copy
    }

    #[test]
    fn blocks_come_back_and_trimmed_ones_do_not() {
        let temp = tempfile::tempdir().unwrap();
        let (mut log, replay) = open(temp.path(), 0);
        assert!(replay.blocks.is_empty());
        for lsn in 1..=3 {
            let block = block(lsn, "text");
            log.append(&block, &block.encode(&mut Packer::default())).unwrap();
        }
        log.trim(Lsn::new(1)).unwrap();
        drop(log);
        assert_eq!(lsns(&open(temp.path(), 1).1), [2, 3]);
        assert_eq!(lsns(&open(temp.path(), 2).1), [3]);
    }

    #[test]
    fn a_flipped_bit_costs_at_most_its_own_block() {
        let whole = killed_log(12);
        let names = ["wal.db", "wal.db-wal"];
        for round in 0..60 {
            let temp = tempfile::tempdir().unwrap();
            for name in names {
                fs::copy(whole.path().join(name), temp.path().join(name)).unwrap();
            }
            let path = temp.path().join(names[round % 2]);
            let mut bytes = fs::read(&path).unwrap();
            let at = fastrand::usize(..bytes.len());
            bytes[at] ^= 1 << fastrand::u32(..8);
            fs::write(&path, bytes).unwrap();
            let (_log, replay) = open(temp.path(), 0);
            let lost = 12 - replay.blocks.len();
            assert!(lost <= 2, "byte {at} of {} cost {lost} blocks", path.display());
            // A last frame that claims another generation cannot be told from an old leftover.
            let only_last = lsns(&replay) == (1..=11).collect::<Vec<u64>>();
            let told = lost == 0 || only_last || !replay.damages.is_empty();
            assert!(told, "byte {at}: loss was not reported");
        }
    }

    #[test]
    fn a_log_cut_anywhere_keeps_every_block_before_the_cut() {
        let whole = killed_log(12);
        let tail = fs::read(whole.path().join("wal.db-wal")).unwrap();
        for _ in 0..40 {
            let temp = tempfile::tempdir().unwrap();
            fs::copy(whole.path().join("wal.db"), temp.path().join("wal.db")).unwrap();
            let length = fastrand::usize(..=tail.len());
            fs::write(temp.path().join("wal.db-wal"), &tail[..length]).unwrap();
            let (_log, replay) = open(temp.path(), 0);
            let kept = lsns(&replay);
            let expected: Vec<u64> = (1..=kept.len() as u64).collect();
            assert_eq!(kept, expected, "cut at {length}");
        }
    }
}
