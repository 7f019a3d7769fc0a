//! Writes PNGs: quickly for difference pictures, small for baselines, tiny for summaries.

use std::collections::HashMap;

use super::error::PictureFault;
use super::raster::Raster;

/// Quick compression: the picture is looked at once.
pub(super) const QUICK: i32 = 1;

/// The best that still takes well under a second for a page.
const SMALL: i32 = 12;

/// How the pixels of a picture to write lie in memory.
#[derive(Clone, Debug)]
pub(super) enum Pixels {
    /// Three bytes a pixel.
    Rgb(Vec<u8>),
    /// Four bytes a pixel.
    Rgba(Vec<u8>),
    /// Rows of `depth` bits a pixel, padded to bytes, into a palette of RGBA.
    Indexed { depth: u8, rows: Vec<u8>, palette: Vec<[u8; 4]> },
}

/// A picture to write.
#[derive(Clone, Debug)]
pub(super) struct Canvas {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Pixels,
}

impl Canvas {
    fn stride(&self) -> usize {
        match &self.pixels {
            Pixels::Rgb(_) => self.width * 3,
            Pixels::Rgba(_) => self.width * 4,
            Pixels::Indexed { depth, .. } => (self.width * usize::from(*depth)).div_ceil(8),
        }
    }

    fn rows(&self) -> impl Iterator<Item = &[u8]> {
        let bytes = match &self.pixels {
            Pixels::Rgb(bytes) | Pixels::Rgba(bytes) => bytes,
            Pixels::Indexed { rows, .. } => rows,
        };
        bytes.chunks_exact(self.stride().max(1))
    }

    /// Writes the picture with one way of filtering rows.
    pub(super) fn png(&self, filter: Filter, level: i32) -> Vec<u8> {
        let (colour, depth, step) = match &self.pixels {
            Pixels::Rgb(_) => (2, 8, 3),
            Pixels::Rgba(_) => (6, 8, 4),
            Pixels::Indexed { depth, .. } => (3, *depth, 1),
        };
        let mut header = Vec::with_capacity(13);
        for side in [self.width, self.height] {
            header.extend(u32::try_from(side).unwrap_or(u32::MAX).to_be_bytes());
        }
        header.extend([depth, colour, 0, 0, 0]);
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        chunk(&mut png, b"IHDR", &header);
        if let Pixels::Indexed { palette, .. } = &self.pixels {
            let colours: Vec<u8> = palette.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect();
            chunk(&mut png, b"PLTE", &colours);
            if palette.iter().any(|[.., alpha]| *alpha != u8::MAX) {
                let alphas: Vec<u8> = palette.iter().map(|[.., alpha]| *alpha).collect();
                chunk(&mut png, b"tRNS", &alphas);
            }
        }
        chunk(&mut png, b"IDAT", &deflate(&self.filtered(filter, step), level));
        chunk(&mut png, b"IEND", &[]);
        png
    }

    fn filtered(&self, filter: Filter, step: usize) -> Vec<u8> {
        let stride = self.stride();
        let blank = vec![0; stride];
        let mut above: &[u8] = &blank;
        let mut out = Vec::with_capacity((stride + 1) * self.height);
        let mut tried = vec![0; stride];
        for row in self.rows() {
            match filter {
                Filter::None => {
                    out.push(0);
                    out.extend_from_slice(row);
                }
                Filter::Up => {
                    out.push(2);
                    out.extend(row.iter().zip(above).map(|(value, up)| value.wrapping_sub(*up)));
                }
                Filter::Adaptive => {
                    let kind = (0..=4)
                        .min_by_key(|kind| {
                            apply(*kind, step, (above, row), &mut tried);
                            cost(&tried)
                        })
                        .unwrap_or(0);
                    apply(kind, step, (above, row), &mut tried);
                    out.push(kind);
                    out.extend_from_slice(&tried);
                }
            }
            above = row;
        }
        out
    }
}

/// How rows are filtered before they are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// Not at all.
    None,
    /// Each row as its difference from the row above.
    Up,
    /// Per row the filter with the smallest sum of absolute values.
    Adaptive,
}

/// Filters one row into `out`.
///
/// Source: PNG specification (third edition), section 9.2.
fn apply(kind: u8, step: usize, (above, row): (&[u8], &[u8]), out: &mut [u8]) {
    let before = |row: &[u8], at: usize| {
        at.checked_sub(step).and_then(|at| row.get(at)).copied().unwrap_or(0)
    };
    for (at, ((out, value), up)) in out.iter_mut().zip(row).zip(above).enumerate() {
        let left = before(row, at);
        let predicted = match kind {
            0 => 0,
            1 => left,
            2 => *up,
            3 => u8::midpoint(left, *up),
            _ => super::unfilter::predict(left, *up, before(above, at)),
        };
        *out = value.wrapping_sub(predicted);
    }
}

fn cost(filtered: &[u8]) -> u64 {
    filtered.iter().map(|value| u64::from(value.cast_signed().unsigned_abs())).sum()
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], body: &[u8]) {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    png.extend(length.to_be_bytes());
    let from = png.len();
    png.extend(kind);
    png.extend(body);
    let checked = png.get(from..).unwrap_or_default();
    let checksum = libdeflater::crc32(checked);
    png.extend(checksum.to_be_bytes());
}

fn deflate(bytes: &[u8], level: i32) -> Vec<u8> {
    let level = libdeflater::CompressionLvl::new(level).unwrap_or_default();
    let mut compressor = libdeflater::Compressor::new(level);
    let mut out = vec![0; compressor.zlib_compress_bound(bytes.len())];
    let length = compressor
        .zlib_compress(bytes, &mut out)
        .expect("the buffer is as long as the compressor asked for");
    out.truncate(length);
    out
}

/// Writes a picture again with the same pixels and fewer bytes; for baselines in a repository.
///
/// Alpha that is opaque everywhere is dropped, up to 256 colours become a palette, and ancillary
/// chunks are left out. The given bytes are returned when they were already smaller.
pub fn encode_small(picture: &[u8]) -> Result<Vec<u8>, PictureFault> {
    let mut raster = Raster::open(picture)?;
    raster.settle_all()?;
    let plain = packed(&raster);
    let mut candidates = Vec::new();
    if let Some(indexed) = indexed(&raster) {
        candidates.push(indexed.png(Filter::None, SMALL));
        candidates.push(indexed.png(Filter::Up, SMALL));
    } else {
        candidates.push(plain.png(Filter::Adaptive, SMALL));
        candidates.push(plain.png(Filter::None, SMALL));
    }
    if super::container::is_png(picture) {
        candidates.push(picture.to_vec());
    }
    Ok(candidates.into_iter().min_by_key(Vec::len).unwrap_or_default())
}

/// Writes a copy with no side longer than `side_max`; for summaries.
pub fn thumbnail(picture: &[u8], side_max: u32) -> Result<Vec<u8>, PictureFault> {
    let mut raster = Raster::open(picture)?;
    raster.settle_all()?;
    let size = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let (width, height) = (size(raster.width), size(raster.height));
    let full = image::RgbImage::from_raw(width, height, raster.to_rgb()).unwrap_or_default();
    let longest = width.max(height).max(1);
    let side_max = side_max.clamp(1, longest);
    let scaled = |side: u32| {
        let scaled = u64::from(side) * u64::from(side_max) / u64::from(longest);
        u32::try_from(scaled.max(1)).unwrap_or(side)
    };
    let small = image::imageops::thumbnail(&full, scaled(width), scaled(height));
    let (width, height) = (small.width() as usize, small.height() as usize);
    let canvas = Canvas { width, height, pixels: Pixels::Rgb(small.into_raw()) };
    Ok(canvas.png(Filter::Adaptive, SMALL))
}

/// The pixels as RGB, or as RGBA when some are not opaque.
fn packed(raster: &Raster) -> Canvas {
    let pixels = || (0..raster.height).flat_map(|y| raster.row(y).chunks_exact(raster.channels));
    let opaque = pixels().all(|pixel| pixel.get(3).is_none_or(|alpha| *alpha == u8::MAX));
    let pixels = match opaque {
        true => Pixels::Rgb(pixels().flat_map(|pixel| pixel.iter().take(3)).copied().collect()),
        false => Pixels::Rgba(pixels().flatten().copied().collect()),
    };
    Canvas { width: raster.width, height: raster.height, pixels }
}

/// The pixels as indexes into a palette, when there are at most 256 colours.
fn indexed(raster: &Raster) -> Option<Canvas> {
    let mut places: HashMap<[u8; 4], u8> = HashMap::new();
    let mut palette: Vec<[u8; 4]> = Vec::new();
    let mut indexes = Vec::with_capacity(raster.width * raster.height);
    for y in 0..raster.height {
        for pixel in raster.row(y).chunks_exact(raster.channels) {
            let colour = match *pixel {
                [red, green, blue] => [red, green, blue, u8::MAX],
                [red, green, blue, alpha] => [red, green, blue, alpha],
                _ => return None,
            };
            let place = match places.get(&colour) {
                Some(place) => *place,
                None => {
                    let place = u8::try_from(palette.len()).ok()?;
                    palette.push(colour);
                    places.insert(colour, place);
                    place
                }
            };
            indexes.push(place);
        }
    }
    let depth = match palette.len() {
        0..=2 => 1,
        3..=4 => 2,
        5..=16 => 4,
        _ => 8,
    };
    let rows = indexes.chunks(raster.width).flat_map(|row| bits(row, depth)).collect();
    let pixels = Pixels::Indexed { depth, rows, palette };
    Some(Canvas { width: raster.width, height: raster.height, pixels })
}

/// Packs one row of indexes, the first in the highest bits.
fn bits(row: &[u8], depth: u8) -> Vec<u8> {
    row.chunks(usize::from(8 / depth))
        .map(|group| {
            let (byte, free) = group.iter().fold((0, 8), |(byte, free), index| {
                let free = free - depth;
                (byte | index << free, free)
            });
            debug_assert!(free < 8);
            byte
        })
        .collect()
}
