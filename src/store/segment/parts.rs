use crate::store::codec::{Fault, Reader, Writer};
use crate::telemetry::Scope;
use crate::time::Timestamp;

/// What rows are sorted by, as bytes that compare like it. Texts end with a zero byte.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct Key(Vec<u8>);

impl Key {
    pub(in crate::store) fn of_scope(scope: &Scope) -> Self {
        Self::default().text(scope.account.as_str()).text(scope.region.as_str())
    }

    pub(in crate::store) fn text(mut self, text: &str) -> Self {
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        self
    }

    pub(in crate::store) fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(in crate::store) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }
}

/// Where one row stands: its key, and its first and last instant, both inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Span {
    pub(in crate::store) key: Key,
    pub(in crate::store) first: Timestamp,
    pub(in crate::store) last: Timestamp,
}

/// One row group of a segment: where it lies, what its bytes are, what its rows cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Part {
    pub(in crate::store) offset: u64,
    pub(in crate::store) length: u64,
    pub(in crate::store) checksum: u32,
    pub(in crate::store) rows: u64,
    pub(in crate::store) raw_bytes: u64,
    pub(in crate::store) key_lo: Key,
    pub(in crate::store) key_hi: Key,
    pub(in crate::store) first: Timestamp,
    pub(in crate::store) last: Timestamp,
}

impl Part {
    /// Whether a row whose key starts with `prefix` may be in it.
    pub(in crate::store) fn may_hold(&self, prefix: &Key) -> bool {
        // Every key with the prefix is at or after the prefix itself.
        (self.key_lo <= *prefix || self.key_lo.starts_with(prefix)) && self.key_hi >= *prefix
    }

    /// Whether a row of it may lie between the two instants, both inclusive.
    pub(in crate::store) fn may_touch(&self, first: Timestamp, last: Timestamp) -> bool {
        self.first <= last && self.last >= first
    }
}

const FORM: u8 = 1;

/// The parts and a checksum over them and the footer beside them.
pub(super) fn encode(parts: &[Part], footer: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.byte(FORM);
    writer.length(parts.len());
    for part in parts {
        writer.unsigned(part.offset);
        writer.unsigned(part.length);
        writer.fixed(&part.checksum.to_le_bytes());
        writer.unsigned(part.rows);
        writer.unsigned(part.raw_bytes);
        writer.bytes(&part.key_lo.0);
        writer.bytes(&part.key_hi.0);
        writer.signed(part.first.as_millis());
        writer.signed(part.last.as_millis());
    }
    let mut bytes = writer.into_bytes();
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&bytes), footer);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

pub(super) fn decode(bytes: &[u8], footer: &[u8]) -> Result<Vec<Part>, Fault> {
    let (body, checksum) = bytes.split_last_chunk::<4>().ok_or(Fault::Truncated)?;
    if crc32c::crc32c_append(crc32c::crc32c(body), footer) != u32::from_le_bytes(*checksum) {
        return Err(Fault::Checksum);
    }
    let mut reader = Reader::new(body);
    match reader.byte()? {
        FORM => {}
        form => return Err(Fault::Form(form)),
    }
    let count = reader.length()?;
    let part = |_| {
        Ok(Part {
            offset: reader.unsigned()?,
            length: reader.unsigned()?,
            checksum: u32::from_le_bytes(reader.array()?),
            rows: reader.unsigned()?,
            raw_bytes: reader.unsigned()?,
            key_lo: Key(reader.bytes()?.to_vec()),
            key_hi: Key(reader.bytes()?.to_vec()),
            first: Timestamp::from_millis(reader.signed()?),
            last: Timestamp::from_millis(reader.signed()?),
        })
    };
    (0..count).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_looked_into_exactly_when_it_may_hold_the_prefix() {
        let key = |text: &str| Key::default().raw(text.as_bytes());
        let part = Part {
            offset: 4,
            length: 9,
            checksum: 1,
            rows: 3,
            raw_bytes: 10,
            key_lo: key("bb"),
            key_hi: key("dd"),
            first: Timestamp::EPOCH,
            last: Timestamp::EPOCH,
        };
        for (prefix, expected) in [
            ("a", false),
            ("b", true),
            ("bb", true),
            ("c", true),
            ("d", true),
            ("dd", true),
            ("ddx", false),
            ("e", false),
        ] {
            assert_eq!(part.may_hold(&key(prefix)), expected, "{prefix}");
        }
        let parts = vec![part.clone(), part];
        assert_eq!(decode(&encode(&parts, b"footer"), b"footer"), Ok(parts.clone()));
        assert_eq!(decode(&encode(&parts, b"footer"), b"boater"), Err(Fault::Checksum));
    }
}
