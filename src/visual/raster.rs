//! Decoded pictures: rows of 8-bit RGB or RGBA, unfiltered only as far as somebody looks.

use xxhash_rust::xxh3::Xxh3;

use super::container::{Layout, PngContainer, is_png};
use super::error::{Damage, PictureFault, check_size};
use super::memory::Memory;
use super::shape::{Mask, Rect};
use super::unfilter::{stands_alone, unfilter};

/// What a picture with holes is laid on: a colour that no interface uses, so that white and black
/// content on a transparent ground stay visible.
const GROUND: [u8; 3] = [251, 3, 203];

/// A picture in memory.
///
/// Rows of a browser's PNG keep their filter byte until [`Raster::settle`] undoes it; a row whose
/// filter byte is zero is plain. Other pictures are plain from the start.
#[derive(Debug)]
pub(super) struct Raster {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) channels: usize,
    bytes: Memory,
}

impl Raster {
    /// Opens a picture of any format that we read.
    ///
    /// The header is checked against the limits first; PNG pixels are inflated, not unfiltered.
    pub(super) fn open(bytes: &[u8]) -> Result<Self, PictureFault> {
        if !is_png(bytes) {
            return decode_other(bytes);
        }
        let container = PngContainer::open(bytes)?;
        match container.layout.channels() {
            Some(channels) => inflate(&container, channels),
            None => decode_png(bytes, &container),
        }
    }

    /// A plain picture from packed pixels.
    fn plain(width: usize, channels: usize, packed: &[u8]) -> Self {
        let stride = width * channels;
        let mut bytes = Vec::with_capacity(packed.len() + packed.len() / stride.max(1));
        for row in packed.chunks_exact(stride) {
            bytes.push(0);
            bytes.extend_from_slice(row);
        }
        let bytes = Memory::Heap(bytes);
        Self { width, height: packed.len() / stride, channels, bytes }
    }

    fn stride(&self) -> usize {
        1 + self.width * self.channels
    }

    /// The filter byte and the bytes of a row as they are now.
    pub(super) fn stored(&self, y: usize) -> &[u8] {
        self.bytes.get(y * self.stride()..(y + 1) * self.stride()).unwrap_or_default()
    }

    /// The pixels of a settled row; empty outside the picture.
    pub(super) fn row(&self, y: usize) -> &[u8] {
        self.stored(y).get(1..).unwrap_or_default()
    }

    /// The pixels of a settled row, to be painted over. Settle every row below first.
    pub(super) fn row_mut(&mut self, y: usize) -> &mut [u8] {
        let stride = self.stride();
        self.bytes.get_mut(y * stride + 1..(y + 1) * stride).unwrap_or_default()
    }

    /// Undoes the filters of row `y`, and of those rows above that it is built on.
    pub(super) fn settle(&mut self, y: usize) -> Result<(), PictureFault> {
        let mut first = y;
        while first > 0 && !stands_alone(self.filter(first)) {
            first -= 1;
        }
        for row in first..=y {
            self.settle_row(row)?;
        }
        Ok(())
    }

    /// Undoes the filters of every row.
    pub(super) fn settle_all(&mut self) -> Result<(), PictureFault> {
        (0..self.height).try_for_each(|y| self.settle_row(y))
    }

    fn filter(&self, y: usize) -> u8 {
        self.stored(y).first().copied().unwrap_or(0)
    }

    fn settle_row(&mut self, y: usize) -> Result<(), PictureFault> {
        let stride = self.stride();
        let blank;
        let (above, rest) = self.bytes.split_at_mut(y * stride);
        let above = match y {
            0 => {
                blank = vec![0; stride];
                blank.as_slice()
            }
            _ => above.get((y - 1) * stride..).unwrap_or_default(),
        };
        let Some((filter, row)) = rest.get_mut(..stride).and_then(|row| row.split_first_mut())
        else {
            return Ok(());
        };
        let bad = PictureFault::Damaged { offset: 0, damage: Damage::Filter };
        unfilter(*filter, self.channels, above.get(1..).unwrap_or_default(), row).ok_or(bad)?;
        *filter = 0;
        Ok(())
    }

    /// The same picture with an alpha channel.
    pub(super) fn with_alpha(mut self) -> Result<Self, PictureFault> {
        if self.channels == 4 {
            return Ok(self);
        }
        self.settle_all()?;
        let mut packed = Vec::with_capacity(self.width * self.height * 4);
        for y in 0..self.height {
            for &[red, green, blue] in self.row(y).as_chunks::<3>().0 {
                packed.extend_from_slice(&[red, green, blue, u8::MAX]);
            }
        }
        Ok(Self::plain(self.width, 4, &packed))
    }

    /// The colour that a person sees at a place in a settled row; places outside are moved in.
    pub(super) fn seen(&self, x: isize, y: isize) -> [u8; 3] {
        let inside =
            |at: isize, length: usize| at.clamp(0, length.cast_signed() - 1).cast_unsigned();
        let at = inside(x, self.width) * self.channels;
        let row = self.row(inside(y, self.height));
        seen(row.get(at..at + self.channels).unwrap_or_default())
    }

    /// Looks at a part of a settled row, from column `x` on; places outside are moved in.
    pub(super) fn seen_row(&self, x: isize, y: isize, out: &mut [[u8; 3]]) {
        let y = y.clamp(0, self.height.cast_signed() - 1).cast_unsigned();
        let (row, last) = (self.row(y), self.width.cast_signed() - 1);
        if let (3, Ok(from)) = (self.channels, usize::try_from(x))
            && let Some(inside) = row.as_chunks::<3>().0.get(from..from + out.len())
        {
            out.copy_from_slice(inside);
            return;
        }
        for (out, x) in out.iter_mut().zip(x..) {
            let at = x.clamp(0, last).cast_unsigned() * self.channels;
            *out = seen(row.get(at..at + self.channels).unwrap_or_default());
        }
    }

    /// The picture as packed RGB, as a person sees it. All rows must be settled.
    pub(super) fn to_rgb(&self) -> Vec<u8> {
        let pixels = (0..self.height).flat_map(|y| self.row(y).chunks_exact(self.channels));
        pixels.flat_map(seen).collect()
    }

    /// Adds the size and the pixels of a settled part to a hash.
    pub(super) fn hash_into(&self, part: Rect, hasher: &mut Xxh3) {
        hasher.update(&part.width.to_le_bytes());
        hasher.update(&part.height.to_le_bytes());
        let range = part.x as usize * self.channels..part.right() as usize * self.channels;
        for y in part.y..part.bottom() {
            hasher.update(self.row(y as usize).get(range.clone()).unwrap_or_default());
        }
    }

    /// A hash of what is looked at: equal for equal pixels, however they were encoded.
    pub(super) fn pixel_hash(&mut self, mask: &Mask<'_>) -> Result<blake3::Hash, PictureFault> {
        self.settle_all()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.width as u64).to_le_bytes());
        let mut flat = Vec::with_capacity(self.width * 3);
        for y in 0..self.height {
            flat.clear();
            flat.extend(self.row(y).chunks_exact(self.channels).flat_map(seen));
            for (from, to) in mask.hidden(y, self.width) {
                flat.get_mut(from * 3..to * 3).unwrap_or_default().fill(0);
            }
            hasher.update(&flat);
        }
        Ok(hasher.finalize())
    }
}

/// The colour that a person sees of one RGB or RGBA pixel.
pub(super) fn seen(pixel: &[u8]) -> [u8; 3] {
    match *pixel {
        [red, green, blue] | [red, green, blue, u8::MAX] => [red, green, blue],
        [red, green, blue, alpha] => {
            let mix = |over: u8, under: u8| {
                let (over, under, alpha) = (u32::from(over), u32::from(under), u32::from(alpha));
                u8::try_from((over * alpha + under * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
            };
            let [under_red, under_green, under_blue] = GROUND;
            [mix(red, under_red), mix(green, under_green), mix(blue, under_blue)]
        }
        _ => GROUND,
    }
}

fn inflate(container: &PngContainer<'_>, channels: usize) -> Result<Raster, PictureFault> {
    let (width, height) = (container.width, container.height);
    let damaged = || PictureFault::Damaged { offset: 0, damage: Damage::PixelData };
    let mut bytes = Memory::zeroed((1 + width * channels) * height);
    let stream = container.stream();
    let deflated = zlib_body(&stream).ok_or_else(damaged)?;
    match libdeflater::Decompressor::new().deflate_decompress(deflated, &mut bytes) {
        Ok(length) if length == bytes.len() => Ok(Raster { width, height, channels, bytes }),
        _ => Err(damaged()),
    }
}

/// The deflate stream in a zlib stream. Its checksum is left: the chunks have had theirs.
///
/// Source: RFC 1950, section 2.2: method 8, no dictionary, header divisible by 31.
fn zlib_body(stream: &[u8]) -> Option<&[u8]> {
    const CHECKSUM: usize = 4;
    let (&[method, flags], rest) = stream.split_first_chunk::<2>()?;
    let divisible = u16::from_be_bytes([method, flags]).is_multiple_of(31);
    let usable = method & 15 == 8 && flags & 32 == 0 && divisible;
    rest.len().checked_sub(CHECKSUM).filter(|_| usable).and_then(|length| rest.get(..length))
}

fn decode_png(bytes: &[u8], container: &PngContainer<'_>) -> Result<Raster, PictureFault> {
    debug_assert_eq!(container.layout, Layout::Other);
    let wrap = |error: png::DecodingError| {
        let format = image::ImageFormat::Png.into();
        PictureFault::Decode(image::ImageError::Decoding(image::error::DecodingError::new(
            format, error,
        )))
    };
    let damaged = || PictureFault::Damaged { offset: 0, damage: Damage::PixelData };
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(wrap)?;
    let mut packed = vec![0; reader.output_buffer_size().ok_or_else(damaged)?];
    let frame = reader.next_frame(&mut packed).map_err(wrap)?;
    packed.truncate(frame.buffer_size());
    let (channels, packed) = match frame.color_type {
        png::ColorType::Rgb => (3, packed),
        png::ColorType::Rgba => (4, packed),
        png::ColorType::Grayscale => (3, packed.iter().flat_map(|grey| [*grey; 3]).collect()),
        png::ColorType::GrayscaleAlpha => {
            let pairs = packed.as_chunks::<2>().0;
            (4, pairs.iter().flat_map(|&[grey, alpha]| [grey, grey, grey, alpha]).collect())
        }
        png::ColorType::Indexed => return Err(damaged()),
    };
    Ok(Raster::plain(container.width, channels, &packed))
}

fn decode_other(bytes: &[u8]) -> Result<Raster, PictureFault> {
    let format = match image::guess_format(bytes) {
        Ok(format @ (image::ImageFormat::Jpeg | image::ImageFormat::WebP)) => format,
        _ => return Err(PictureFault::UnknownFormat),
    };
    let reader = || image::ImageReader::with_format(std::io::Cursor::new(bytes), format);
    let (width, height) = reader().into_dimensions().map_err(PictureFault::Decode)?;
    check_size(width.into(), height.into())?;
    if format == image::ImageFormat::WebP && is_animated_webp(bytes) {
        return Err(PictureFault::Animated);
    }
    let mut reader = reader();
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(DECODE_BYTES_MAX);
    reader.limits(limits);
    let picture = reader.decode().map_err(PictureFault::Decode)?;
    let width = width as usize;
    Ok(match picture.color().has_alpha() {
        true => Raster::plain(width, 4, &picture.into_rgba8()),
        false => Raster::plain(width, 3, &picture.into_rgb8()),
    })
}

/// Most memory that a decoder of another format may ask for.
const DECODE_BYTES_MAX: u64 = 256 << 20;

/// True when the extended header of a WebP sets its animation flag.
///
/// Source: WebP container specification, "Extended File Format".
fn is_animated_webp(bytes: &[u8]) -> bool {
    const ANIMATION: u8 = 2;
    let extended = bytes.get(12..16) == Some(b"VP8X");
    extended && bytes.get(20).is_some_and(|flags| flags & ANIMATION != 0)
}
