use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use super::Damage;
use super::block::{Block, MAGIC};
use crate::store::codec::Fault;
use crate::store::folder;
use crate::store::lsn::Lsn;

// Source: SQLite, "Database File Format", sections 1.5, 1.6 and 4.1.
const WAL_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const DATABASE_HEADER: usize = 100;
const PAGE_SIZES: std::ops::RangeInclusive<usize> = 512..=65_536;

fn wal_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Whether SQLite's own log is whole up to where it ends.
///
/// SQLite stops at the first frame that fails its checksum and forgets all later ones without a
/// word, so the chain is walked here first. A frame of another generation is such an end too.
pub(super) fn wal_chain_holds(database: &Path) -> bool {
    let Ok(bytes) = fs::read(wal_path(database)) else { return true };
    if bytes.len() < WAL_HEADER {
        return true;
    }
    let Some(wal) = Wal::parse(&bytes) else { return false };
    let mut sums = wal.header_sums;
    let mut ended = false;
    for frame in frames(wal.frames, wal.page_size) {
        ended |= frame.salts != wal.salts;
        if ended {
            if frame.salts == wal.salts {
                return false;
            }
            continue;
        }
        sums = wal.checksum(sums, frame.head);
        sums = wal.checksum(sums, frame.page);
        if frame.sums != sums {
            return false;
        }
    }
    true
}

/// Every whole block after `checkpoint` that any page of the log still holds, in order.
pub(super) fn blocks(database: &Path, checkpoint: Lsn) -> Vec<Block> {
    let main = fs::read(database).unwrap_or_default();
    let wal = fs::read(wal_path(database)).unwrap_or_default();
    let mut found = BTreeMap::new();
    let mut keep = |block: Block| {
        if block.last_lsn() > checkpoint {
            found.insert(block.first_lsn, block);
        }
    };
    // A damaged header of the log must not hide its frames: the file knows the page size too.
    let size = Wal::parse(&wal).map_or_else(|| page_size(&main), |wal| wal.page_size);
    // Two views of the pages: the file alone, and the file under its log. A damaged page number in
    // one frame must not hide the page that is right beneath it.
    let mut pages: HashMap<usize, &[u8]> = main.chunks_exact(size).enumerate().collect();
    scan(&pages, pages.values().copied(), &mut keep);
    let mut logged = Vec::new();
    for frame in frames(wal.get(WAL_HEADER..).unwrap_or_default(), size) {
        pages.insert(frame.page_number.saturating_sub(1), frame.page);
        logged.push(frame.page);
    }
    scan(&pages, logged.iter().copied(), &mut keep);
    scan(&pages, pages.values().copied(), &mut keep);
    found.into_values().collect()
}

/// Looks for blocks that begin in `candidates`, following overflow pages through `pages`.
fn scan<'a>(
    pages: &HashMap<usize, &'a [u8]>,
    candidates: impl Iterator<Item = &'a [u8]>,
    keep: &mut impl FnMut(Block),
) {
    for page in candidates {
        for start in memchr::memmem::find_iter(page, &MAGIC) {
            if let Some(block) = read_block(pages, page, start) {
                keep(block);
            }
        }
    }
}

/// Reads the block at `start`: what of it lies in its page, then a chain of overflow pages.
fn read_block(pages: &HashMap<usize, &[u8]>, page: &[u8], start: usize) -> Option<Block> {
    let here = page.get(start..)?;
    if let Ok(block) = Block::decode(here) {
        return Some(block);
    }
    let length = Block::encoded_length(here)?;
    // How much of a payload stays in its page follows from the payload's whole length, which is
    // the block's plus the row's header of two integers; a few lengths of that header are possible.
    (3..=24).find_map(|row_header| {
        let local = local_bytes(page.len(), length.checked_add(row_header)?)?;
        let inside = local.checked_sub(row_header)?;
        let mut bytes = here.get(..inside)?.to_vec();
        let mut next = here.get(inside..)?.first_chunk::<4>()?;
        while bytes.len() < length {
            let number = usize::try_from(u32::from_be_bytes(*next)).ok()?;
            let overflow = *pages.get(&number.checked_sub(1)?)?;
            let (link, rest) = overflow.split_first_chunk::<4>()?;
            let wanted = (length - bytes.len()).min(rest.len());
            bytes.extend_from_slice(rest.get(..wanted)?);
            next = link;
        }
        Block::decode(&bytes).ok()
    })
}

/// Bytes of a table leaf's payload that lie in the page itself; `None` when all of them do.
fn local_bytes(page_size: usize, payload: usize) -> Option<usize> {
    let most = page_size - 35;
    if payload <= most {
        return None;
    }
    let least = (page_size - 12) * 32 / 255 - 23;
    let local = least + (payload - least) % (page_size - 4);
    Some(if local <= most { local } else { least })
}

fn page_size(main: &[u8]) -> usize {
    let stated = main.get(16..18).and_then(|bytes| bytes.first_chunk::<2>());
    match stated.map(|bytes| usize::from(u16::from_be_bytes(*bytes))) {
        Some(1) => 65_536,
        Some(size) if size.is_power_of_two() && PAGE_SIZES.contains(&size) => size,
        _ if main.len() < DATABASE_HEADER => 4096,
        _ => 4096,
    }
}

/// Moves a damaged log aside, so that it can still be looked at.
pub(super) fn set_aside(database: &Path, quarantine: &Path) {
    let shm = {
        let mut name = database.as_os_str().to_owned();
        name.push("-shm");
        PathBuf::from(name)
    };
    for path in [database.to_path_buf(), wal_path(database), shm] {
        if let Err(error) = folder::set_aside(&path, quarantine) {
            tracing::warn!(path = %path.display(), %error, "cannot set damaged file aside");
        }
    }
}

/// What to say of a log that was salvaged.
pub(super) fn damages(database: &Path, checkpoint: Lsn, found: &[Block]) -> Vec<Damage> {
    let damage = |first_lsn| Damage { path: database.into(), first_lsn, fault: Fault::Checksum };
    let last = found.last().map_or(checkpoint, Block::last_lsn);
    let missing = gaps(checkpoint, found).into_iter().map(|(first, _last)| first);
    // What stood after the last whole block cannot be known; that it may be missing is said.
    missing.chain([last.plus(1)]).map(damage).collect()
}

/// First and last batch of each stretch that is missing between `checkpoint` and the last found.
pub(super) fn gaps(checkpoint: Lsn, found: &[Block]) -> Vec<(Lsn, Lsn)> {
    let mut expected = checkpoint.plus(1);
    let mut gaps = Vec::new();
    for block in found {
        if block.first_lsn > expected {
            gaps.push((expected, Lsn::new(block.first_lsn.get() - 1)));
        }
        expected = block.last_lsn().plus(1);
    }
    gaps
}

/// SQLite's own log, read without trusting its checksums.
struct Wal<'a> {
    page_size: usize,
    salts: [u8; 8],
    big_endian: bool,
    header_sums: (u32, u32),
    frames: &'a [u8],
}

struct Frame<'a> {
    page_number: usize,
    salts: [u8; 8],
    sums: (u32, u32),
    /// The part of the frame's header that is under the checksum.
    head: &'a [u8],
    page: &'a [u8],
}

impl<'a> Wal<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, frames) = bytes.split_at_checked(WAL_HEADER)?;
        let big_endian = match word(header, 0)? {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return None,
        };
        let page_size = usize::try_from(word(header, 8)?).ok()?;
        if !page_size.is_power_of_two() || !PAGE_SIZES.contains(&page_size) {
            return None;
        }
        let salts = *header.get(16..)?.first_chunk()?;
        let wal = Self { page_size, salts, big_endian, header_sums: (0, 0), frames };
        let header_sums = wal.checksum((0, 0), header.get(..24)?);
        let holds = header_sums == (word(header, 24)?, word(header, 28)?);
        holds.then_some(Self { header_sums, ..wal })
    }

    fn checksum(&self, (mut a, mut b): (u32, u32), bytes: &[u8]) -> (u32, u32) {
        let word = |bytes: &[u8; 4]| {
            if self.big_endian { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) }
        };
        let (words, _rest) = bytes.as_chunks::<4>();
        let (pairs, _odd) = words.as_chunks::<2>();
        for [first, second] in pairs {
            a = a.wrapping_add(word(first)).wrapping_add(b);
            b = b.wrapping_add(word(second)).wrapping_add(a);
        }
        (a, b)
    }
}

fn frames(bytes: &[u8], page_size: usize) -> impl Iterator<Item = Frame<'_>> {
    bytes.chunks_exact(FRAME_HEADER + page_size).filter_map(|bytes| {
        let (header, page) = bytes.split_at_checked(FRAME_HEADER)?;
        Some(Frame {
            page_number: usize::try_from(word(header, 0)?).ok()?,
            salts: *header.get(8..)?.first_chunk()?,
            sums: (word(header, 16)?, word(header, 20)?),
            head: header.get(..8)?,
            page,
        })
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}
