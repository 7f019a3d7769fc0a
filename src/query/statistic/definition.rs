use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// One number that can be read from a bucket.
///
/// Source: CloudWatch User Guide, "CloudWatch statistics definitions". `Display` writes the
/// shortest name that is read back as the same statistic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// How many samples.
    SampleCount,
    /// Sum over count.
    Average,
    /// The sum.
    Sum,
    /// The smallest sample.
    Minimum,
    /// The largest sample.
    Maximum,
    /// `p99.9`: the smallest sample that at least this percentage of samples do not exceed.
    Percentile(f64),
    /// `TM(..)`, `tm..`: the mean of the samples inside.
    TrimmedMean(Bounds),
    /// `WM(..)`, `wm..`: the mean with the samples outside moved to the bounds.
    WinsorizedMean(Bounds),
    /// `TC(..)`, `tc..`: how many samples lie inside.
    TrimmedCount(Bounds),
    /// `TS(..)`, `ts..`: the sum of the samples inside.
    TrimmedSum(Bounds),
    /// `PR(low:high)`: the percentage of samples above `low` and not above `high`.
    PercentileRank {
        /// Exclusive.
        low: Option<f64>,
        /// Inclusive.
        high: Option<f64>,
    },
    /// `IQM`: the mean of the middle half.
    InterquartileMean,
}

/// Which samples a trimmed statistic looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bounds {
    /// From one percentile to another.
    Percent {
        /// From 0.
        low: f64,
        /// Up to 100.
        high: f64,
    },
    /// Above `low` and not above `high`.
    Absolute {
        /// Exclusive.
        low: Option<f64>,
        /// Inclusive.
        high: Option<f64>,
    },
}

/// A text that names no statistic.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("unknown statistic")]
pub struct StatisticError;

impl Statistic {
    /// Whether it needs the samples' spread, which some buckets lack.
    pub const fn is_extended(self) -> bool {
        use Statistic::{Average, Maximum, Minimum, SampleCount, Sum};
        !matches!(self, SampleCount | Average | Sum | Minimum | Maximum)
    }
}

impl FromStr for Statistic {
    type Err = StatisticError;

    fn from_str(text: &str) -> Result<Self, StatisticError> {
        match text {
            "SampleCount" => Ok(Self::SampleCount),
            "Average" => Ok(Self::Average),
            "Sum" => Ok(Self::Sum),
            "Minimum" => Ok(Self::Minimum),
            "Maximum" => Ok(Self::Maximum),
            "IQM" => Ok(Self::InterquartileMean),
            _ => extended(text).ok_or(StatisticError),
        }
    }
}

fn extended(text: &str) -> Option<Statistic> {
    if let Some(range) = text.strip_suffix(')') {
        let (name, range) = range.split_once('(')?;
        let bounds = bounds(range)?;
        return match (name, bounds) {
            ("TM", _) => Some(Statistic::TrimmedMean(bounds)),
            ("WM", _) => Some(Statistic::WinsorizedMean(bounds)),
            ("TC", _) => Some(Statistic::TrimmedCount(bounds)),
            ("TS", _) => Some(Statistic::TrimmedSum(bounds)),
            ("PR", Bounds::Absolute { low, high }) => Some(Statistic::PercentileRank { low, high }),
            _ => None,
        };
    }
    let digits = text.find(|c: char| c.is_ascii_digit())?;
    let (name, percentage) = text.split_at_checked(digits)?;
    let high = percent(percentage)?;
    let bounds = Bounds::Percent { low: 0.0, high };
    match name {
        "p" => Some(Statistic::Percentile(high)),
        "tm" => Some(Statistic::TrimmedMean(bounds)),
        "wm" => Some(Statistic::WinsorizedMean(bounds)),
        "tc" => Some(Statistic::TrimmedCount(bounds)),
        "ts" => Some(Statistic::TrimmedSum(bounds)),
        _ => None,
    }
}

/// `10%:90%`, `:90%`, `10%:`, `150:1000`, `:0.5`, `1e3:`; never both sides blank, never mixed.
fn bounds(text: &str) -> Option<Bounds> {
    let (low, high) = text.split_once(':')?;
    if low.is_empty() && high.is_empty() {
        return None;
    }
    if text.contains('%') {
        let low = side(low, |text| percent(text.strip_suffix('%')?))?.unwrap_or(0.0);
        let high = side(high, |text| percent(text.strip_suffix('%')?))?.unwrap_or(100.0);
        return (low < high).then_some(Bounds::Percent { low, high });
    }
    let (low, high) = (side(low, number)?, side(high, number)?);
    let ordered = low.zip(high).is_none_or(|(low, high)| low < high);
    ordered.then_some(Bounds::Absolute { low, high })
}

/// `Some(None)` for a blank side, `None` for one that `read` refuses.
fn side(text: &str, read: impl Fn(&str) -> Option<f64>) -> Option<Option<f64>> {
    if text.is_empty() { Some(None) } else { read(text).map(Some) }
}

/// 0 to 100 with at most ten decimals.
fn percent(text: &str) -> Option<f64> {
    const DECIMALS_MAX: usize = 10;
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() > 3 || decimals.len() > DECIMALS_MAX || !are_digits(whole) {
        return None;
    }
    let value = if are_digits(decimals) { text.parse().ok()? } else { return None };
    (value <= 100.0).then_some(value)
}

fn number(text: &str) -> Option<f64> {
    // `f64::from_str` also reads `inf` and `nan`, which are no bounds.
    let first = text.trim_start_matches(['-', '+']).bytes().next()?;
    let value: f64 = text.parse().ok()?;
    ((first.is_ascii_digit() || first == b'.') && value.is_finite()).then_some(value)
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trimmed = |f: &mut fmt::Formatter<'_>, name: &str, bounds: Bounds| match bounds {
            Bounds::Percent { low: 0.0, high } => write!(f, "{}{high}", name.to_ascii_lowercase()),
            _ => write!(f, "{name}({bounds})"),
        };
        match *self {
            Self::SampleCount => f.write_str("SampleCount"),
            Self::Average => f.write_str("Average"),
            Self::Sum => f.write_str("Sum"),
            Self::Minimum => f.write_str("Minimum"),
            Self::Maximum => f.write_str("Maximum"),
            Self::InterquartileMean => f.write_str("IQM"),
            Self::Percentile(percent) => write!(f, "p{percent}"),
            Self::TrimmedMean(bounds) => trimmed(f, "TM", bounds),
            Self::WinsorizedMean(bounds) => trimmed(f, "WM", bounds),
            Self::TrimmedCount(bounds) => trimmed(f, "TC", bounds),
            Self::TrimmedSum(bounds) => trimmed(f, "TS", bounds),
            Self::PercentileRank { low, high } => {
                write!(f, "PR({})", Bounds::Absolute { low, high })
            }
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Percent { low, high } => write!(f, "{low}%:{high}%"),
            Self::Absolute { low, high } => {
                low.map_or(Ok(()), |low| write!(f, "{low}"))?;
                f.write_str(":")?;
                high.map_or(Ok(()), |high| write!(f, "{high}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_form_is_read_and_written_back() {
        for (text, canonical) in [
            ("SampleCount", "SampleCount"),
            ("Average", "Average"),
            ("Sum", "Sum"),
            ("Minimum", "Minimum"),
            ("Maximum", "Maximum"),
            ("IQM", "IQM"),
            ("p0", "p0"),
            ("p99.9", "p99.9"),
            ("p100", "p100"),
            ("p99.0123456789", "p99.0123456789"),
            ("tm90", "tm90"),
            ("TM(:90%)", "tm90"),
            ("TM(10%:)", "TM(10%:100%)"),
            ("TM(10%:90%)", "TM(10%:90%)"),
            ("TM(150:1000)", "TM(150:1000)"),
            ("TC(0.005:0.030)", "TC(0.005:0.03)"),
            ("TS(80%:)", "TS(80%:100%)"),
            ("WM(1e2:)", "WM(100:)"),
            ("wm98", "wm98"),
            ("tc75.5", "tc75.5"),
            ("ts50", "ts50"),
            ("PR(:300)", "PR(:300)"),
            ("PR(100:2000)", "PR(100:2000)"),
        ] {
            let statistic: Statistic = text.parse().unwrap();
            assert_eq!(statistic.to_string(), canonical, "{text}");
            assert_eq!(canonical.parse(), Ok(statistic), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "average",
            "P99",
            "p",
            "p101",
            "p-1",
            "p1e1",
            "p99.01234567891",
            "p.5",
            "p5.",
            "TM90",
            "tm(10%:90%)",
            "TM(:)",
            "TM()",
            "TM(10%:90)",
            "TM(90%:10%)",
            "TM(10:10)",
            "PR(10%:90%)",
            "PR(nan:)",
            "PR(:inf)",
            "TM(10%:90%",
            "IQM(1:2)",
            "xx5",
            "TM(1:2:3)",
            "tm",
            "p９９",
        ] {
            assert_eq!(text.parse::<Statistic>(), Err(StatisticError), "{text}");
        }
    }
}
