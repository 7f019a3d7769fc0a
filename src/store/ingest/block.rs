use crate::store::codec::{Fault, Reader, Writer};
use crate::store::lsn::Lsn;

/// One group of appends as the log keeps it.
///
/// Form: magic, flags, first LSN, count, length of the records, length of the body, checksum of
/// all that and the body, body. The body is the records, each after its length, zstd when that is
/// shorter. A block tells by itself whether it is whole, so it can be found among damaged pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Block {
    pub(in crate::store) first_lsn: Lsn,
    pub(in crate::store) records: Vec<Vec<u8>>,
}

pub(super) const MAGIC: [u8; 8] = *b"coalblk1";
const COMPRESSED: u8 = 1;
/// Magic, flags, first LSN, count, raw length, body length.
const HEAD: usize = 8 + 1 + 8 + 4 + 4 + 4;
const CHECKSUM: usize = 4;
/// Shorter bodies are not worth compressing.
const COMPRESS_FROM: usize = 256;
const LEVEL: i32 = 1;
/// No group is larger: an append is at most this, and a group stops growing at less.
const RAW_MAX: usize = 64 * 1024 * 1024;

/// Compresses blocks; kept, because to make its tables takes longer than a small block.
#[derive(Default)]
pub(in crate::store) struct Packer(Option<zstd::bulk::Compressor<'static>>);

impl Packer {
    fn pack(&mut self, raw: &[u8]) -> Option<Vec<u8>> {
        if self.0.is_none() {
            self.0 = zstd::bulk::Compressor::new(LEVEL).ok();
        }
        self.0.as_mut()?.compress(raw).ok()
    }
}

/// Bytes that records take in a block before compression.
pub(in crate::store) fn group_bytes(records: &[Vec<u8>]) -> usize {
    records.iter().map(|record| record.len() + 5).sum()
}

impl Block {
    /// The last batch in it.
    pub(in crate::store) fn last_lsn(&self) -> Lsn {
        self.first_lsn.plus((self.records.len() as u64).saturating_sub(1))
    }

    pub(in crate::store) fn encode(&self, packer: &mut Packer) -> Vec<u8> {
        let mut body = Writer::new();
        self.records.iter().for_each(|record| body.bytes(record));
        let raw = body.into_bytes();
        let packed = (raw.len() >= COMPRESS_FROM)
            .then(|| packer.pack(&raw))
            .flatten()
            .filter(|packed| packed.len() < raw.len());
        let flags = if packed.is_some() { COMPRESSED } else { 0 };
        let body = packed.as_ref().unwrap_or(&raw);
        let mut writer = Writer::new();
        writer.fixed(&MAGIC);
        writer.byte(flags);
        writer.fixed(&self.first_lsn.get().to_le_bytes());
        for length in [self.records.len(), raw.len(), body.len()] {
            writer.fixed(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        }
        let mut bytes = writer.into_bytes();
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes), body);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    /// Reads a block from the front of `bytes`.
    pub(in crate::store) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let head = bytes.get(..HEAD).ok_or(Fault::Truncated)?;
        let mut reader = Reader::new(bytes);
        if reader.array()? != MAGIC {
            return Err(Fault::Magic);
        }
        let flags = reader.byte()?;
        let first_lsn = Lsn::new(u64::from_le_bytes(reader.array()?));
        let mut length = || -> Result<usize, Fault> {
            usize::try_from(u32::from_le_bytes(reader.array()?)).map_err(|_huge| Fault::Value)
        };
        let (count, raw_length, body_length) = (length()?, length()?, length()?);
        let checksum = u32::from_le_bytes(reader.array()?);
        let body = reader.fixed(body_length)?;
        if crc32c::crc32c_append(crc32c::crc32c(head), body) != checksum {
            return Err(Fault::Checksum);
        }
        let unpacked;
        let raw = match flags {
            0 => body,
            COMPRESSED if raw_length <= RAW_MAX => {
                let unpack = zstd::bulk::decompress(body, raw_length);
                unpacked = unpack.map_err(|_damaged| Fault::Compression)?;
                &unpacked
            }
            _ => return Err(Fault::Form(flags)),
        };
        let mut reader = Reader::new(raw);
        let records = (0..count).map(|_| reader.bytes().map(<[u8]>::to_vec));
        Ok(Self { first_lsn, records: records.collect::<Result<_, _>>()? })
    }

    /// How many bytes a block takes that starts with `head`; `None` when none does.
    pub(super) fn encoded_length(head: &[u8]) -> Option<usize> {
        let mut reader = Reader::new(head);
        if reader.array() != Ok(MAGIC) {
            return None;
        }
        let _flags_lsn_count_raw = reader.fixed(1 + 8 + 4 + 4).ok()?;
        let body = u32::from_le_bytes(reader.array().ok()?);
        usize::try_from(body).ok()?.checked_add(HEAD + CHECKSUM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back_and_a_changed_byte_is_seen() {
        for size in [3, 5000] {
            let records = vec![vec![7; size], vec![], b"abc".to_vec()];
            let block = Block { first_lsn: Lsn::new(9), records };
            let bytes = block.encode(&mut Packer::default());
            assert_eq!(Block::decode(&bytes), Ok(block.clone()));
            assert_eq!(Block::encoded_length(&bytes), Some(bytes.len()));
            assert_eq!(block.last_lsn(), Lsn::new(11));
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 4;
                assert!(Block::decode(&damaged).is_err(), "byte {at}");
            }
        }
    }
}
