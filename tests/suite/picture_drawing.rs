//! Pictures drawn in tests: a page with text-like marks, and PNGs made wrong on purpose.

use coalmine::visual::{CompareOptions, Comparison, compare};
use image::{ExtendedColorType, ImageEncoder, RgbImage, RgbaImage};

/// A page of white paper.
pub(crate) struct Page(pub(crate) RgbImage);

pub(crate) const INK: [u8; 3] = [31, 41, 55];

impl Page {
    pub(crate) fn blank(width: u32, height: u32) -> Self {
        Self(RgbImage::from_pixel(width, height, [255; 3].into()))
    }

    /// A page with a heading bar and lines of marks that differ from each other, like text.
    pub(crate) fn with_text(width: u32, height: u32) -> Self {
        let mut page = Self::blank(width, height);
        page.fill([0, 0, width, 24], INK);
        let mut seed = 7_u32;
        for line in (40..height.saturating_sub(16)).step_by(18) {
            for column in (12..width - 24).step_by(9) {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                page.glyph(column, line, seed >> 16);
            }
        }
        page
    }

    pub(crate) fn fill(&mut self, [x, y, width, height]: [u32; 4], rgb: [u8; 3]) {
        for y in y..(y + height).min(self.0.height()) {
            for x in x..(x + width).min(self.0.width()) {
                self.0.put_pixel(x, y, rgb.into());
            }
        }
    }

    /// A mark of 6 x 10 pixels made of the strokes whose bits are set.
    pub(crate) fn glyph(&mut self, x: u32, y: u32, strokes: u32) {
        let places =
            [(0, 0, 6, 1), (0, 0, 1, 5), (5, 0, 1, 5), (0, 4, 6, 1), (0, 5, 1, 5), (5, 5, 1, 5)];
        for (bit, (left, top, width, height)) in places.into_iter().enumerate() {
            if strokes & (1 << bit) != 0 {
                self.fill([x + left, y + top, width, height], INK);
            }
        }
        self.fill([x, y + 9, 6, 1], INK);
    }

    /// The same page with `rows` of a colour put in at `y`, cut to its height.
    pub(crate) fn pushed_down(&self, y: u32, rows: u32, rgb: [u8; 3]) -> Self {
        let mut pushed = Self::blank(self.0.width(), self.0.height() + rows);
        for (x, at, pixel) in self.0.enumerate_pixels() {
            pushed.0.put_pixel(x, if at < y { at } else { at + rows }, *pixel);
        }
        pushed.fill([0, y, self.0.width(), rows], rgb);
        pushed
    }

    pub(crate) fn png(&self) -> Vec<u8> {
        encode(&self.0, self.0.width(), self.0.height(), ExtendedColorType::Rgb8)
    }

    pub(crate) fn rgba_png(&self) -> Vec<u8> {
        let picture: RgbaImage = image::DynamicImage::from(self.0.clone()).into_rgba8();
        encode(&picture, picture.width(), picture.height(), ExtendedColorType::Rgba8)
    }
}

fn encode(bytes: &[u8], width: u32, height: u32, colour: ExtendedColorType) -> Vec<u8> {
    let mut png = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new_with_quality(
        &mut png,
        image::codecs::png::CompressionType::Fast,
        image::codecs::png::FilterType::Adaptive,
    );
    encoder.write_image(bytes, width, height, colour).unwrap();
    png
}

pub(crate) fn judged(baseline: &Page, actual: &Page) -> Comparison {
    judged_with(baseline, actual, &CompareOptions::default())
}

pub(crate) fn judged_with(baseline: &Page, actual: &Page, options: &CompareOptions) -> Comparison {
    compare(&baseline.png(), &actual.png(), options).unwrap()
}

/// A PNG put together chunk by chunk, right or wrong.
pub(crate) struct Chunks(Vec<u8>);

impl Chunks {
    pub(crate) fn new() -> Self {
        Self(b"\x89PNG\r\n\x1a\n".to_vec())
    }

    pub(crate) fn header(self, width: u32, height: u32, depth: u8, colour: u8) -> Self {
        let mut body = [width.to_be_bytes(), height.to_be_bytes()].concat();
        body.extend([depth, colour, 0, 0, 0]);
        self.chunk(b"IHDR", &body)
    }

    pub(crate) fn chunk(mut self, kind: &[u8; 4], body: &[u8]) -> Self {
        self.0.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        let from = self.0.len();
        self.0.extend(kind);
        self.0.extend(body);
        let checksum = libdeflater::crc32(&self.0[from..]);
        self.0.extend(checksum.to_be_bytes());
        self
    }

    /// Pixel data that inflates to so many zero bytes.
    pub(crate) fn zeros(self, length: usize) -> Self {
        let level = libdeflater::CompressionLvl::new(9).unwrap();
        let mut compressor = libdeflater::Compressor::new(level);
        let mut out = vec![0; compressor.zlib_compress_bound(length)];
        let written = compressor.zlib_compress(&vec![0; length], &mut out).unwrap();
        self.chunk(b"IDAT", &out[..written])
    }

    pub(crate) fn end(self) -> Vec<u8> {
        self.chunk(b"IEND", &[]).0
    }

    pub(crate) fn cut(mut self, last: usize) -> Vec<u8> {
        self.0.truncate(self.0.len() - last);
        self.0
    }
}
