use thiserror::Error;

/// How bytes differ from what was written.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Fault {
    /// They end early.
    #[error("bytes end early")]
    Truncated,
    /// The checksum is another's.
    #[error("checksum does not match")]
    Checksum,
    /// They do not start as they should.
    #[error("magic number does not match")]
    Magic,
    /// They were written in a form that this build does not know.
    #[error("form {0} is unknown")]
    Form(u8),
    /// They cannot be decompressed.
    #[error("compressed bytes are damaged")]
    Compression,
    /// A value is out of its range.
    #[error("a value is out of range")]
    Value,
}

/// Powers of ten that scale a decimal fraction to an integer exactly.
const POWERS: [f64; 7] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
/// The exponent that marks a number kept as its 64 bits.
const RAW: u64 = 7;
/// Integers below this are exact in a float.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// `value` as `mantissa / 10^exponent`, when that gives back the very same bits.
pub(super) fn scaled(value: f64) -> Option<(i64, u8)> {
    (0u8..)
        .zip(POWERS)
        .find_map(|(exponent, power)| scaled_by(value, power).map(|mantissa| (mantissa, exponent)))
}

/// As `scaled`, trying `first` before every other exponent; the exponent need not be the smallest.
pub(super) fn scaled_from(value: f64, first: u8) -> Option<(i64, u8)> {
    scaled_at(value, first).map(|mantissa| (mantissa, first)).or_else(|| scaled(value))
}

/// `value * 10^exponent` as an integer, when dividing again gives back the very same bits.
pub(super) fn scaled_at(value: f64, exponent: u8) -> Option<i64> {
    scaled_by(value, *POWERS.get(usize::from(exponent))?)
}

#[expect(clippy::cast_possible_truncation, reason = "below 2^53 and rounded")]
#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
fn scaled_by(value: f64, power: f64) -> Option<i64> {
    let shifted = value * power;
    if shifted.is_nan() || shifted.abs() >= EXACT_MAX {
        return None;
    }
    // Half away from zero, without the call that `round` is on a plain x86-64; that it was right
    // is seen below.
    let mantissa = (shifted + 0.5f64.copysign(shifted)) as i64;
    (((mantissa as f64) / power).to_bits() == value.to_bits()).then_some(mantissa)
}

#[expect(clippy::cast_precision_loss, reason = "written mantissas are below 2^53")]
pub(super) fn unscaled(mantissa: i64, exponent: u8) -> Option<f64> {
    POWERS.get(usize::from(exponent)).map(|power| mantissa as f64 / power)
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Appends values to bytes.
#[derive(Debug, Default)]
pub(in crate::store) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(in crate::store) fn new() -> Self {
        Self::default()
    }

    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    pub(in crate::store) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(in crate::store) fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(in crate::store) fn fixed(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }

    pub(in crate::store) fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.bytes.push(value.to_le_bytes()[0]);
    }

    pub(in crate::store) fn signed(&mut self, value: i64) {
        self.unsigned(zigzag(value));
    }

    pub(in crate::store) fn length(&mut self, value: usize) {
        self.unsigned(value as u64);
    }

    pub(in crate::store) fn bytes(&mut self, value: &[u8]) {
        self.length(value.len());
        self.fixed(value);
    }

    pub(in crate::store) fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// A float that is `mantissa / 10^exponent`, with a mantissa below 2^53.
    pub(super) fn scaled(&mut self, mantissa: i64, exponent: u8) {
        self.unsigned(zigzag(mantissa) << 3 | u64::from(exponent));
    }

    /// A float: short when it is a decimal of few digits, its 64 bits otherwise.
    pub(in crate::store) fn float(&mut self, value: f64) {
        match scaled(value) {
            Some((mantissa, exponent)) => self.scaled(mantissa, exponent),
            None => {
                self.unsigned(RAW);
                self.fixed(&value.to_bits().to_le_bytes());
            }
        }
    }
}

/// Takes values from bytes that may be damaged.
#[derive(Clone, Debug)]
pub(in crate::store) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(in crate::store) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(in crate::store) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(in crate::store) fn byte(&mut self) -> Result<u8, Fault> {
        let (first, rest) = self.rest.split_first().ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(in crate::store) fn fixed(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(in crate::store) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.fixed(N)?.try_into().map_err(|_length| Fault::Truncated)
    }

    pub(in crate::store) fn unsigned(&mut self) -> Result<u64, Fault> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Fault::Value)
    }

    pub(in crate::store) fn signed(&mut self) -> Result<i64, Fault> {
        self.unsigned().map(unzigzag)
    }

    /// A number of items that each take at least a byte, so that it can size a vector.
    pub(in crate::store) fn length(&mut self) -> Result<usize, Fault> {
        let length = usize::try_from(self.unsigned()?).map_err(|_huge| Fault::Value)?;
        if length > self.rest.len() { Err(Fault::Truncated) } else { Ok(length) }
    }

    pub(in crate::store) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.length()?;
        self.fixed(length)
    }

    pub(in crate::store) fn text(&mut self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.bytes()?).map_err(|_not_utf8| Fault::Value)
    }

    pub(in crate::store) fn float(&mut self) -> Result<f64, Fault> {
        let tag = self.unsigned()?;
        if tag == RAW {
            return Ok(f64::from_bits(u64::from_le_bytes(self.array()?)));
        }
        let exponent = u8::try_from(tag & 7).map_err(|_never| Fault::Value)?;
        unscaled(unzigzag(tag >> 3), exponent).ok_or(Fault::Value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_number_comes_back_bit_by_bit(
            unsigned in any::<u64>(), signed in any::<i64>(), float in any::<f64>(),
            cents in -1_000_000_000i64..1_000_000_000,
        ) {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let decimal = cents as f64 / 100.0;
            let mut writer = Writer::new();
            writer.unsigned(unsigned);
            writer.signed(signed);
            writer.float(float);
            writer.float(decimal);
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.unsigned(), Ok(unsigned));
            prop_assert_eq!(reader.signed(), Ok(signed));
            prop_assert_eq!(reader.float().map(f64::to_bits), Ok(float.to_bits()));
            prop_assert_eq!(reader.float(), Ok(decimal));
            prop_assert!(reader.is_at_end());
        }
    }

    #[test]
    fn a_decimal_of_few_digits_takes_few_bytes() {
        for (value, bytes) in [(0.0, 1), (1.0, 1), (99.9, 2), (431.7, 3), (1e-9, 9), (-0.0, 9)] {
            let mut writer = Writer::new();
            writer.float(value);
            assert_eq!(writer.into_bytes().len(), bytes, "{value}");
        }
    }

    #[test]
    fn bytes_that_end_early_are_a_fault_not_a_panic() {
        assert_eq!(Reader::new(&[0x80]).unsigned(), Err(Fault::Truncated));
        assert_eq!(Reader::new(&[0xff; 11]).unsigned(), Err(Fault::Value));
        assert_eq!(Reader::new(&[9, b'a']).text(), Err(Fault::Truncated));
        assert_eq!(Reader::new(&[7, 1, 2]).float(), Err(Fault::Truncated));
    }
}
