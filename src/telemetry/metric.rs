use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::time::Timestamp;

/// One name and value that a metric is told apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Dimension {
    /// Its name.
    pub name: Arc<str>,
    /// Its value.
    pub value: Arc<str>,
}

/// The set of dimensions of one metric, sorted by name, so that equal sets are equal values.
///
/// A set knows its hash: every datum is looked up by it, and most sets are seen again and again.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Vec<Dimension>", into = "Vec<Dimension>")]
pub struct Dimensions(Arc<Hashed>);

struct Hashed {
    hash: u64,
    pairs: Box<[Dimension]>,
}

impl Dimensions {
    /// No dimensions.
    pub fn none() -> Self {
        Self::default()
    }

    /// The set of these pairs.
    pub fn of<N: Into<Arc<str>>, V: Into<Arc<str>>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let dimension =
            |(name, value): (N, V)| Dimension { name: name.into(), value: value.into() };
        pairs.into_iter().map(dimension).collect::<Vec<_>>().into()
    }

    /// The pairs, by name.
    pub fn iter(&self) -> std::slice::Iter<'_, Dimension> {
        self.0.pairs.iter()
    }

    /// The value of the dimension called `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|dimension| &*dimension.name == name).map(|d| &*d.value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.pairs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.pairs.is_empty()
    }
}

impl From<Vec<Dimension>> for Dimensions {
    fn from(mut pairs: Vec<Dimension>) -> Self {
        pairs.sort();
        let mut text = Vec::with_capacity(64);
        for pair in &pairs {
            for part in [&pair.name, &pair.value] {
                text.extend_from_slice(part.as_bytes());
                // No byte of a text: where one ends is part of the hash.
                text.push(0xff);
            }
        }
        let hash = xxhash_rust::xxh3::xxh3_64(&text);
        Self(Arc::new(Hashed { hash, pairs: pairs.into() }))
    }
}

impl From<Dimensions> for Vec<Dimension> {
    fn from(dimensions: Dimensions) -> Self {
        dimensions.0.pairs.to_vec()
    }
}

impl Default for Dimensions {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl fmt::Debug for Dimensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dimensions").field(&self.0.pairs).finish()
    }
}

impl PartialEq for Dimensions {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.hash == other.0.hash && self.0.pairs == other.0.pairs)
    }
}

impl Eq for Dimensions {}

impl PartialOrd for Dimensions {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Dimensions {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.pairs.cmp(&other.0.pairs)
    }
}

impl Hash for Dimensions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl<'a> IntoIterator for &'a Dimensions {
    type Item = &'a Dimension;
    type IntoIter = std::slice::Iter<'a, Dimension>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What tells one metric from every other in a scope. The unit is not part of it.
///
/// Source: CloudWatch User Guide, "Dimensions": each unique combination is a separate metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetricId {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The metric's name.
    pub metric_name: Arc<str>,
    /// The exact set of dimensions.
    pub dimensions: Dimensions,
}

/// A summary of samples that are not known one by one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StatisticSet {
    /// How many samples.
    pub sample_count: f64,
    /// Their sum.
    pub sum: f64,
    /// The smallest.
    pub minimum: f64,
    /// The largest.
    pub maximum: f64,
}

/// What a datum carries: exactly one of the three forms that PutMetricData takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MetricValue {
    /// One sample.
    Value(f64),
    /// A summary.
    StatisticSet(StatisticSet),
    /// Distinct values, each with how often it was seen.
    Distribution(Vec<(f64, f64)>),
}

/// How finely a datum is kept.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum StorageResolution {
    /// By the second.
    High,
    /// By the minute.
    #[default]
    Standard,
}

/// One datum of a metric.
///
/// Source: CloudWatch API Reference, `MetricDatum`; the namespace stands on the batch around it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricDatum {
    /// The metric's name.
    pub metric_name: Arc<str>,
    /// The exact set of dimensions.
    pub dimensions: Dimensions,
    /// When it was measured; any past or future instant.
    pub timestamp: Timestamp,
    /// What was measured.
    pub value: MetricValue,
    /// In which unit.
    pub unit: StandardUnit,
    /// How finely it is kept.
    pub storage_resolution: StorageResolution,
}

impl MetricDatum {
    /// One sample at standard resolution.
    pub fn sample(
        metric_name: impl Into<Arc<str>>,
        dimensions: Dimensions,
        timestamp: Timestamp,
        (value, unit): (f64, StandardUnit),
    ) -> Self {
        Self {
            metric_name: metric_name.into(),
            dimensions,
            timestamp,
            value: MetricValue::Value(value),
            unit,
            storage_resolution: StorageResolution::Standard,
        }
    }
}

macro_rules! standard_units {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// The units that a metric can be in.
        ///
        /// Source: CloudWatch API Reference, `StandardUnit`.
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize,
            Deserialize,
        )]
        #[expect(missing_docs, reason = "each variant is the unit it names")]
        pub enum StandardUnit {
            #[default]
            None,
            $(#[serde(rename = $text)] $variant,)+
        }

        impl StandardUnit {
            /// Every unit, in the order of the API reference, `None` first.
            pub const ALL: &[Self] = &[Self::None, $(Self::$variant),+];

            /// The unit's name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::None => "None",
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

standard_units! {
    Seconds = "Seconds",
    Microseconds = "Microseconds",
    Milliseconds = "Milliseconds",
    Bytes = "Bytes",
    Kilobytes = "Kilobytes",
    Megabytes = "Megabytes",
    Gigabytes = "Gigabytes",
    Terabytes = "Terabytes",
    Bits = "Bits",
    Kilobits = "Kilobits",
    Megabits = "Megabits",
    Gigabits = "Gigabits",
    Terabits = "Terabits",
    Percent = "Percent",
    Count = "Count",
    BytesPerSecond = "Bytes/Second",
    KilobytesPerSecond = "Kilobytes/Second",
    MegabytesPerSecond = "Megabytes/Second",
    GigabytesPerSecond = "Gigabytes/Second",
    TerabytesPerSecond = "Terabytes/Second",
    BitsPerSecond = "Bits/Second",
    KilobitsPerSecond = "Kilobits/Second",
    MegabitsPerSecond = "Megabits/Second",
    GigabitsPerSecond = "Gigabits/Second",
    TerabitsPerSecond = "Terabits/Second",
    CountPerSecond = "Count/Second",
}

/// A text that names no unit.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("unknown unit")]
pub struct UnknownUnit;

impl FromStr for StandardUnit {
    type Err = UnknownUnit;

    fn from_str(text: &str) -> Result<Self, UnknownUnit> {
        Self::ALL.iter().copied().find(|unit| unit.as_str() == text).ok_or(UnknownUnit)
    }
}

impl fmt::Display for StandardUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_in_any_order_are_the_same_set() {
        let one = Dimensions::of([("b", "2"), ("a", "1")]);
        let other = Dimensions::of([("a", "1"), ("b", "2")]);
        assert_eq!(one, other);
        assert_eq!(one.get("b"), Some("2"));
    }

    #[test]
    fn where_a_name_ends_tells_sets_apart() {
        let one = Dimensions::of([("ab", "c")]);
        let other = Dimensions::of([("a", "bc")]);
        assert_ne!(one, other);
        assert_ne!(one.0.hash, other.0.hash);
    }

    #[test]
    fn every_unit_is_read_back_from_its_name() {
        for unit in StandardUnit::ALL {
            assert_eq!(unit.as_str().parse(), Ok(*unit));
            let json = serde_json::to_value(unit).unwrap();
            assert_eq!(json, unit.as_str());
        }
        assert_eq!(StandardUnit::ALL.len(), 27);
        assert_eq!("milliseconds".parse::<StandardUnit>(), Err(UnknownUnit));
    }
}
