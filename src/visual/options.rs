//! What a comparison may be told, and which page verdicts pass under it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::comparison::{Outcome, PageVerdict};
use super::shape::Shape;

/// How two pictures are compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CompareOptions {
    /// Which kinds of difference fail.
    pub sensitivity: Sensitivity,
    /// What is measured.
    pub mode: Mode,
    /// Percent of the compared pixels that may differ before the comparison fails.
    ///
    /// Under `ssim` and `hybrid`: percent by which the score may fall below 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_diff: Option<f64>,
    /// Device pixels of a hundred CSS pixels; read from the pictures where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_percent: Option<u32>,
    /// Areas that are not looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<Shape>,
    /// When not empty, only these areas are looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Shape>,
    /// Pixels that were seen before and accepted as noise.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tolerated: BTreeSet<PixelHash>,
}

/// Which kinds of difference fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sensitivity {
    /// Rendering noise warns; everything else fails.
    Strict,
    /// Noise passes, moves of at most one pixel warn, the rest fails.
    #[default]
    Normal,
    /// Content and colours may change; moved, added and removed areas fail.
    Layout,
}

impl Sensitivity {
    /// Which outcome a page verdict has.
    ///
    /// `structural`: an area was moved, added or removed, or the sizes differ.
    pub(super) fn outcome(self, verdict: PageVerdict, structural: bool) -> Outcome {
        match (self, verdict) {
            (_, PageVerdict::Same | PageVerdict::Tolerated) => Outcome::Passed,
            (Self::Strict, PageVerdict::Noise) => Outcome::Warned,
            (_, PageVerdict::Noise) | (Self::Layout, PageVerdict::Soft) => Outcome::Passed,
            (Self::Normal, PageVerdict::Soft) => Outcome::Warned,
            (Self::Layout, PageVerdict::Changed) if !structural => Outcome::Passed,
            _ => Outcome::Failed,
        }
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Differences are grouped into areas and each area is judged.
    #[default]
    Perceptual,
    /// Share of pixels that visibly differ and are not anti-aliasing.
    ///
    /// Source: CloudWatch Synthetics' visual variance threshold, a percentage of differing pixels.
    Percent,
    /// Mean structural similarity of the luminance.
    Ssim,
    /// Structural similarity of the luminance with the error of the colours.
    Hybrid,
}

/// A name given by a user that is none of the known ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {expected}")]
pub struct UnknownName {
    expected: &'static str,
}

impl FromStr for Sensitivity {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "strict" => Ok(Self::Strict),
            "normal" => Ok(Self::Normal),
            "layout" => Ok(Self::Layout),
            _ => Err(UnknownName { expected: "strict, normal, layout" }),
        }
    }
}

impl FromStr for Mode {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "perceptual" => Ok(Self::Perceptual),
            "percent" => Ok(Self::Percent),
            "ssim" => Ok(Self::Ssim),
            "hybrid" => Ok(Self::Hybrid),
            _ => Err(UnknownName { expected: "perceptual, percent, ssim, hybrid" }),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Perceptual => "perceptual",
            Self::Percent => "percent",
            Self::Ssim => "ssim",
            Self::Hybrid => "hybrid",
        })
    }
}

/// A hash of what is seen of a picture; two encodings of the same pixels share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PixelHash([u8; 32]);

impl From<blake3::Hash> for PixelHash {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl fmt::Display for PixelHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl FromStr for PixelHash {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hash = blake3::Hash::from_hex(text)
            .map_err(|_| UnknownName { expected: "64 hexadecimal digits" })?;
        Ok(hash.into())
    }
}

impl Serialize for PixelHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PixelHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
