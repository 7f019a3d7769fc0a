//! What one leaf of an event is compared with.

use core::net::IpAddr;

use serde_json::Value;

use crate::query::wildcard::Wildcard;

/// One element of a pattern's array.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Matcher {
    Text(String),
    Number(f64),
    Boolean(bool),
    Null,
    Exists(bool),
    Shape(Shape),
    AnythingBut(Excluded),
    Numeric(Bounds),
    Cidr { network: IpAddr, bits: u8 },
}

/// A condition on a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Prefix(String),
    Suffix(String),
    PrefixIgnoreCase(Folded),
    SuffixIgnoreCase(Folded),
    EqualsIgnoreCase(Folded),
    Wildcard(Wildcard),
}

/// What an anything-but excludes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Excluded {
    Texts(Vec<String>),
    Numbers(Vec<f64>),
    Shapes(Vec<Shape>),
}

/// A range of numbers; an absent end is open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    /// `(number, whether it belongs)`.
    pub(super) low: Option<(f64, bool)>,
    pub(super) high: Option<(f64, bool)>,
}

impl Matcher {
    /// Whether one leaf matches. `Exists` is decided by whoever knows that there is a leaf.
    pub(super) fn matches(&self, leaf: &Value) -> bool {
        match (self, leaf) {
            (Self::Text(text), Value::String(actual)) => {
                text == actual || same_address(text, actual)
            }
            (Self::Number(number), Value::Number(actual)) => actual.as_f64() == Some(*number),
            (Self::Boolean(boolean), Value::Bool(actual)) => boolean == actual,
            (Self::Null, Value::Null) | (Self::Exists(true), _) => true,
            (Self::Shape(shape), Value::String(actual)) => shape.matches(actual),
            (Self::AnythingBut(excluded), leaf) => !excluded.holds(leaf),
            (Self::Numeric(bounds), Value::Number(actual)) => {
                actual.as_f64().is_some_and(|number| bounds.contain(number))
            }
            (Self::Cidr { network, bits }, Value::String(actual)) => {
                actual.parse().is_ok_and(|address| contains(*network, *bits, address))
            }
            _ => false,
        }
    }
}

/// A plain text that is an address also matches its other spellings.
fn same_address(pattern: &str, actual: &str) -> bool {
    let looks = |text: &str| text.len() <= 45 && text.contains([':', '.']);
    let parse = |text: &str| text.parse::<IpAddr>().ok();
    looks(pattern) && looks(actual) && parse(pattern).is_some_and(|ip| Some(ip) == parse(actual))
}

fn contains(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

impl Shape {
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Self::PrefixIgnoreCase(prefix) => prefix.is_prefix_of(text),
            Self::SuffixIgnoreCase(suffix) => suffix.is_suffix_of(text),
            Self::EqualsIgnoreCase(folded) => folded.equals(text),
            Self::Wildcard(wildcard) => wildcard.matches(text),
        }
    }
}

impl Excluded {
    fn holds(&self, leaf: &Value) -> bool {
        match (self, leaf) {
            (Self::Texts(texts), Value::String(actual)) => texts.contains(actual),
            (Self::Numbers(numbers), Value::Number(actual)) => {
                actual.as_f64().is_some_and(|actual| numbers.contains(&actual))
            }
            (Self::Shapes(shapes), Value::String(actual)) => {
                shapes.iter().any(|shape| shape.matches(actual))
            }
            _ => false,
        }
    }
}

impl Bounds {
    #[expect(clippy::float_cmp, reason = "numbers of a pattern are compared exactly")]
    pub(super) fn contain(&self, number: f64) -> bool {
        let above = self.low.is_none_or(|(low, own)| number > low || (own && number == low));
        let below = self.high.is_none_or(|(high, own)| number < high || (own && number == high));
        above && below
    }
}

/// A text whose characters match their lower and upper case.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Folded(Vec<char>);

impl Folded {
    pub(super) fn new(text: &str) -> Self {
        Self(text.chars().collect())
    }

    fn equals(&self, text: &str) -> bool {
        self.0.len() == text.chars().count() && self.is_prefix_of(text)
    }

    fn is_prefix_of(&self, text: &str) -> bool {
        let mut actual = text.chars();
        self.0.iter().all(|own| actual.next().is_some_and(|c| same_letter(*own, c)))
    }

    fn is_suffix_of(&self, text: &str) -> bool {
        let mut actual = text.chars().rev();
        self.0.iter().rev().all(|own| actual.next().is_some_and(|c| same_letter(*own, c)))
    }
}

fn same_letter(a: char, b: char) -> bool {
    a == b || a.to_lowercase().eq(b.to_lowercase()) || a.to_uppercase().eq(b.to_uppercase())
}
