//! What can be wrong with a picture, and the limits that are checked before one pixel is decoded.

use std::fmt;

use thiserror::Error;

/// Longest side of a picture in pixels; Chromium itself cannot draw a longer one.
pub const SIDE_MAX: u64 = 16_384;

/// Most pixels in one picture: 64 Mpx, which is 256 MiB of RGBA.
pub const PIXELS_MAX: u64 = 64 << 20;

/// One of the two pictures cannot be used.
#[derive(Debug, Error)]
#[error("cannot use the {side} picture")]
pub struct PictureError {
    /// Which of the two it is.
    pub side: Side,
    /// What is wrong with it.
    #[source]
    pub fault: PictureFault,
}

/// One side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The approved picture.
    Baseline,
    /// The picture taken now.
    Actual,
}

impl Side {
    /// Says on which side a fault was found; for `map_err`.
    pub(super) fn blame(self) -> impl Fn(PictureFault) -> PictureError {
        move |fault| PictureError { side: self, fault }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Baseline => "baseline",
            Self::Actual => "actual",
        })
    }
}

/// What is wrong with a picture.
#[derive(Debug, Error)]
pub enum PictureFault {
    /// The first bytes belong to no format that we read.
    #[error("it is neither PNG, JPEG nor WebP")]
    UnknownFormat,
    /// A side is zero.
    #[error("it has no pixels ({width} x {height})")]
    Empty {
        /// Declared width.
        width: u64,
        /// Declared height.
        height: u64,
    },
    /// Over [`SIDE_MAX`] or [`PIXELS_MAX`].
    #[error(
        "it is {width} x {height}; the limit is {SIDE_MAX} pixels a side and {PIXELS_MAX} in all"
    )]
    TooLarge {
        /// Declared width.
        width: u64,
        /// Declared height.
        height: u64,
    },
    /// An animated PNG or WebP: there is no one picture to compare.
    #[error("it is animated")]
    Animated,
    /// The PNG container is broken.
    #[error("the PNG is damaged at byte {offset}: {damage}")]
    Damaged {
        /// Where the broken part begins.
        offset: usize,
        /// What is broken.
        damage: Damage,
    },
    /// A decoder of a less common kind of picture refused it.
    #[error("it does not decode")]
    Decode(#[source] image::ImageError),
}

/// How a PNG is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Damage {
    /// The file ends inside a chunk or before its last one.
    #[error("the file is cut short")]
    CutShort,
    /// A chunk fails its checksum.
    #[error("a chunk fails its checksum")]
    Checksum,
    /// The header names a combination that the format does not have.
    #[error("the header is not valid")]
    Header,
    /// The pixel stream does not inflate to the size that the header declares.
    #[error("the pixel data does not match the header")]
    PixelData,
    /// A row names a filter that does not exist.
    #[error("a row has an unknown filter")]
    Filter,
}

/// Checks declared sides against the limits.
pub(super) fn check_size(width: u64, height: u64) -> Result<(), PictureFault> {
    if width == 0 || height == 0 {
        return Err(PictureFault::Empty { width, height });
    }
    if width > SIDE_MAX || height > SIDE_MAX || width.saturating_mul(height) > PIXELS_MAX {
        return Err(PictureFault::TooLarge { width, height });
    }
    Ok(())
}
