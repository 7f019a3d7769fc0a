use std::borrow::Cow;

use super::caps::{BadBody, Budget, DEPTH_MAX};
use super::node::Node;

const SYNTAX: BadBody = BadBody::Syntax("CBOR");

/// Reads one CBOR item; texts of definite length borrow from `body`.
///
/// Accepts what RPC v2 clients may send: any width of number, definite and indefinite lengths, tags
/// (skipped: the reader knows what it asks for). A declared length is never trusted for allocation.
/// Source: RFC 8949; Smithy RPC v2 CBOR, "Deserialization".
pub(super) fn read(body: &[u8]) -> Result<Node<'_>, BadBody> {
    let mut reader = Reader { rest: body, budget: Budget::default() };
    let node = reader.item()?;
    if reader.rest.is_empty() { Ok(node) } else { Err(SYNTAX) }
}

/// Walks over CBOR without making anything of it. Stops at whatever is unusual: lengths that are
/// not told ahead, and what [`read`] would refuse.
#[derive(Debug)]
pub(in crate::api) struct Skim<'a>(Reader<'a>);

impl<'a> Skim<'a> {
    pub(in crate::api) fn new(body: &'a [u8]) -> Self {
        Self(Reader { rest: body, budget: Budget::default() })
    }

    /// How many members the structure has that begins here.
    pub(in crate::api) fn structure(&mut self) -> Option<u64> {
        self.container(5)
    }

    /// How many items the list has that begins here.
    pub(in crate::api) fn list(&mut self) -> Option<u64> {
        self.container(4)
    }

    fn container(&mut self, major: u8) -> Option<u64> {
        let head = self.0.head().ok().filter(|head| head.major == major)?;
        self.0.length(head).ok()?
    }

    /// The bytes of the text here.
    pub(in crate::api) fn text(&mut self) -> Option<&'a [u8]> {
        let head = self.0.head().ok().filter(|head| head.major == 3)?;
        let length = self.0.length(head).ok()??;
        self.0.counted(length).ok()
    }

    /// The bytes of the value here, whatever it is.
    pub(in crate::api) fn value(&mut self) -> Option<&'a [u8]> {
        let all = self.0.rest;
        self.pass(0)?;
        all.get(..all.len() - self.0.rest.len())
    }

    /// What is not walked over yet.
    pub(in crate::api) const fn rest(&self) -> &'a [u8] {
        self.0.rest
    }

    fn pass(&mut self, depth: usize) -> Option<()> {
        let head = self.0.head().ok().filter(|_| depth < DEPTH_MAX)?;
        let argument = self.0.argument(head).ok()?;
        let inner = match head.major {
            2 | 3 => return self.0.counted(argument).ok().map(drop),
            4 => argument,
            5 => argument.checked_mul(2)?,
            6 => 1,
            _ => 0,
        };
        (0..inner).try_for_each(|_| self.pass(depth + 1))
    }
}

#[derive(Debug)]
struct Reader<'a> {
    rest: &'a [u8],
    budget: Budget,
}

/// The first byte of an item, split.
#[derive(Clone, Copy)]
struct Head {
    major: u8,
    minor: u8,
}

const BREAK: u8 = 0xff;
const INDEFINITE: u8 = 31;

impl<'a> Reader<'a> {
    fn item(&mut self) -> Result<Node<'a>, BadBody> {
        self.budget.take()?;
        let head = self.head()?;
        match head.major {
            0 => Ok(unsigned(self.argument(head)?)),
            1 => Ok(negative(self.argument(head)?)),
            2 => Ok(Node::Bytes(self.string(head)?.into_owned())),
            3 => Ok(Node::Text(self.text(head)?)),
            4 => self.list(head),
            5 => self.map(head),
            6 => {
                self.argument(head)?;
                self.budget.enter()?;
                let tagged = self.item()?;
                self.budget.leave();
                Ok(tagged)
            }
            _ => self.simple(head),
        }
    }

    fn list(&mut self, head: Head) -> Result<Node<'a>, BadBody> {
        self.budget.enter()?;
        let mut items = Vec::new();
        let mut left = self.length(head)?;
        while self.more(&mut left)? {
            items.push(self.item()?);
        }
        self.budget.leave();
        Ok(Node::List(items))
    }

    fn map(&mut self, head: Head) -> Result<Node<'a>, BadBody> {
        self.budget.enter()?;
        let mut members = Vec::new();
        let mut left = self.length(head)?;
        while self.more(&mut left)? {
            let key = self.head()?;
            if key.major != 3 {
                return Err(SYNTAX);
            }
            members.push((self.text(key)?, self.item()?));
        }
        self.budget.leave();
        Ok(Node::Map(members))
    }

    /// Whether one more element follows; eats the break of an indefinite length.
    fn more(&mut self, left: &mut Option<u64>) -> Result<bool, BadBody> {
        match left {
            Some(0) => Ok(false),
            Some(count) => {
                *count -= 1;
                Ok(true)
            }
            None if self.rest.first() == Some(&BREAK) => {
                self.bytes(1)?;
                Ok(false)
            }
            None => Ok(true),
        }
    }

    fn text(&mut self, head: Head) -> Result<Cow<'a, str>, BadBody> {
        match self.string(head)? {
            Cow::Borrowed(bytes) => {
                str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_fault| SYNTAX)
            }
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_fault| SYNTAX),
        }
    }

    fn string(&mut self, head: Head) -> Result<Cow<'a, [u8]>, BadBody> {
        if let Some(length) = self.length(head)? {
            return self.counted(length).map(Cow::Borrowed);
        }
        let mut whole = Vec::new();
        let mut left = None;
        while self.more(&mut left)? {
            self.budget.take()?;
            let chunk = self.head()?;
            let length = self.length(chunk)?.filter(|_| chunk.major == head.major);
            whole.extend_from_slice(self.counted(length.ok_or(SYNTAX)?)?);
        }
        Ok(Cow::Owned(whole))
    }

    fn simple(&mut self, head: Head) -> Result<Node<'a>, BadBody> {
        let bits = self.argument(head)?;
        Ok(match head.minor {
            20 => Node::Bool(false),
            21 => Node::Bool(true),
            22 | 23 => Node::Null,
            25 => Node::Double(half(u16::try_from(bits).map_err(|_wide| SYNTAX)?)),
            26 => {
                let bits = u32::try_from(bits).map_err(|_wide| SYNTAX)?;
                Node::Double(f32::from_bits(bits).into())
            }
            27 => Node::Double(f64::from_bits(bits)),
            _ => return Err(SYNTAX),
        })
    }

    fn head(&mut self) -> Result<Head, BadBody> {
        let byte = self.bytes(1)?.first().copied().ok_or(SYNTAX)?;
        Ok(Head { major: byte >> 5, minor: byte & 0x1f })
    }

    fn length(&mut self, head: Head) -> Result<Option<u64>, BadBody> {
        if head.minor == INDEFINITE { Ok(None) } else { self.argument(head).map(Some) }
    }

    fn argument(&mut self, head: Head) -> Result<u64, BadBody> {
        let width = match head.minor {
            small @ 0..24 => return Ok(small.into()),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(SYNTAX),
        };
        Ok(self.bytes(width)?.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
    }

    fn counted(&mut self, length: u64) -> Result<&'a [u8], BadBody> {
        self.bytes(usize::try_from(length).map_err(|_wide| SYNTAX)?)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], BadBody> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(SYNTAX)?;
        self.rest = rest;
        Ok(taken)
    }
}

#[expect(clippy::cast_precision_loss, reason = "past i64 no AWS member is a whole number")]
fn unsigned(value: u64) -> Node<'static> {
    i64::try_from(value).map_or(Node::Double(value as f64), Node::Integer)
}

#[expect(clippy::cast_precision_loss, reason = "past i64 no AWS member is a whole number")]
fn negative(value: u64) -> Node<'static> {
    i64::try_from(value)
        .map_or(Node::Double(-1.0 - value as f64), |value| Node::Integer(-1 - value))
}

/// Source: RFC 8949, appendix D.
fn half(bits: u16) -> f64 {
    let exponent = (bits >> 10) & 0x1f;
    let mantissa = f64::from(bits & 0x3ff);
    let magnitude = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2f64.powi(i32::from(exponent) - 25),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    /// Source: RFC 8949, appendix A, the rows that AWS clients can send.
    #[test]
    fn the_examples_of_the_specification_are_read() {
        let text = |text: &'static str| Node::Text(text.into());
        for (bytes, expected) in [
            ("00", Node::Integer(0)),
            ("17", Node::Integer(23)),
            ("1818", Node::Integer(24)),
            ("1903e8", Node::Integer(1000)),
            ("1b000000e8d4a51000", Node::Integer(1_000_000_000_000)),
            ("20", Node::Integer(-1)),
            ("3903e7", Node::Integer(-1000)),
            ("f93e00", Node::Double(1.5)),
            ("f90001", Node::Double(5.960_464_477_539_063e-8)),
            ("f9fc00", Node::Double(f64::NEG_INFINITY)),
            ("fa47c35000", Node::Double(100_000.0)),
            ("fbc010666666666666", Node::Double(-4.1)),
            ("f4", Node::Bool(false)),
            ("f5", Node::Bool(true)),
            ("f6", Node::Null),
            ("c11a514b67b0", Node::Integer(1_363_896_240)),
            ("4401020304", Node::Bytes(vec![1, 2, 3, 4])),
            ("6449455446", text("IETF")),
            ("7f657374726561646d696e67ff", text("streaming")),
            ("5f42010243030405ff", Node::Bytes(vec![1, 2, 3, 4, 5])),
            ("80", Node::List(vec![])),
            ("9f0102ff", Node::List(vec![Node::Integer(1), Node::Integer(2)])),
            ("a16161 01", Node::Map(vec![("a".into(), Node::Integer(1))])),
            ("bf6161 01ff", Node::Map(vec![("a".into(), Node::Integer(1))])),
        ] {
            assert_eq!(read(&hex(bytes)), Ok(expected), "{bytes}");
        }
        assert!(matches!(read(&hex("f97e00")), Ok(Node::Double(nan)) if nan.is_nan()));
    }

    #[test]
    fn damaged_and_lying_bytes_are_refused_without_trusting_their_lengths() {
        for bytes in [
            "",
            "18",
            "0000",
            "ff",
            "9bffffffffffffffff",
            "bbffffffffffffffff",
            "7bffffffffffffffff61",
            "5bffffffffffffffff",
            "a10101",
            "9f01",
            "7f4101ff",
            "61ff",
            "1c",
            "f8ff",
        ] {
            assert_eq!(read(&hex(bytes)), Err(SYNTAX), "{bytes}");
        }
    }

    #[test]
    fn nesting_is_bounded_for_every_kind_of_container() {
        for container in [[0x81].as_slice(), &[0x9f], &[0xa1, 0x61, 0x61], &[0xc1]] {
            assert_eq!(read(&container.repeat(100_000)), Err(BadBody::TooDeep), "{container:x?}");
        }
    }

    proptest! {
        #[test]
        fn what_ciborium_writes_is_read_back(value in crate::api::wire::node::tests::json()) {
            let mut bytes = Vec::new();
            ciborium::into_writer(&value, &mut bytes).unwrap();
            let expected = crate::api::wire::json::read(value.to_string().as_bytes())
                .map(|node| format!("{node:?}"));
            prop_assert_eq!(read(&bytes).map(|node| format!("{node:?}")), expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _read = read(&bytes);
            let _passed = Skim::new(&bytes).value();
        }

        #[test]
        fn a_value_is_passed_over_to_its_end(value in crate::api::wire::node::tests::json()) {
            let mut bytes = Vec::new();
            ciborium::into_writer(&value, &mut bytes).unwrap();
            let length = bytes.len();
            bytes.extend_from_slice(b"more");
            prop_assert_eq!(Skim::new(&bytes).value(), bytes.get(..length));
        }
    }
}
