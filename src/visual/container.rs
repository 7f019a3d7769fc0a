//! The PNG container: chunks, checksums and the header, without decoding a pixel.

use super::error::{Damage, PictureFault, check_size};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A deflate stream cannot expand further than this, so a smaller one cannot fill the picture.
const DEFLATE_RATIO_MAX: usize = 1_032;

/// A PNG whose chunks are whole and whose header is within the limits.
#[derive(Debug)]
pub(super) struct PngContainer<'a> {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) layout: Layout,
    data: Vec<&'a [u8]>,
}

/// How the pixels lie in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// 8-bit RGB, not interlaced: what browsers write.
    Rgb8,
    /// 8-bit RGBA, not interlaced.
    Rgba8,
    /// Palette, grey, 16 bit, interlaced or colour-keyed.
    Other,
}

impl Layout {
    /// Bytes of one pixel, for the layouts that are read without another decoder.
    pub(super) fn channels(self) -> Option<usize> {
        match self {
            Self::Rgb8 => Some(3),
            Self::Rgba8 => Some(4),
            Self::Other => None,
        }
    }
}

/// True when `bytes` begin as a PNG does.
pub(super) fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(SIGNATURE)
}

impl<'a> PngContainer<'a> {
    /// Walks all chunks, checking lengths and checksums; ancillary ones are never looked into.
    ///
    /// Errors: every fault names the byte at which the chunk begins.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, PictureFault> {
        let mut chunks = Chunks { rest: bytes, offset: 0 };
        chunks.take(SIGNATURE.len())?;
        let header = chunks.next()?;
        let mut opened = Self::from_header(&header)?;
        loop {
            let chunk = chunks.next()?;
            match &chunk.kind {
                b"IDAT" => opened.data.push(chunk.body),
                b"tRNS" => opened.layout = Layout::Other,
                b"acTL" => return Err(PictureFault::Animated),
                b"IHDR" => return Err(chunk.damaged(Damage::Header)),
                b"IEND" => break,
                _ => {}
            }
        }
        // BOUND: a small file that claims a large picture is refused before memory is asked for.
        let compressed: usize = opened.data.iter().map(|part| part.len()).sum();
        let pixels = opened.width * opened.height;
        let smallest = opened.layout.channels().map_or(pixels / 8, |channels| pixels * channels);
        if compressed.saturating_mul(DEFLATE_RATIO_MAX) < smallest {
            return Err(header.damaged(Damage::PixelData));
        }
        Ok(opened)
    }

    fn from_header(chunk: &Chunk<'a>) -> Result<Self, PictureFault> {
        let invalid = || chunk.damaged(Damage::Header);
        let (width, rest) = chunk.body.split_first_chunk::<4>().ok_or_else(invalid)?;
        let (height, rest) = rest.split_first_chunk::<4>().ok_or_else(invalid)?;
        let &[depth, colour, compression, filter, interlace] = rest else { return Err(invalid()) };
        let (width, height) = (u32::from_be_bytes(*width), u32::from_be_bytes(*height));
        check_size(width.into(), height.into())?;
        let known_depth = match colour {
            0 => matches!(depth, 1 | 2 | 4 | 8 | 16),
            3 => matches!(depth, 1 | 2 | 4 | 8),
            2 | 4 | 6 => matches!(depth, 8 | 16),
            _ => false,
        };
        if &chunk.kind != b"IHDR"
            || !known_depth
            || compression != 0
            || filter != 0
            || interlace > 1
        {
            return Err(invalid());
        }
        let layout = match (colour, depth, interlace) {
            (2, 8, 0) => Layout::Rgb8,
            (6, 8, 0) => Layout::Rgba8,
            _ => Layout::Other,
        };
        Ok(Self { width: width as usize, height: height as usize, layout, data: Vec::new() })
    }

    /// The compressed pixel stream in one piece.
    pub(super) fn stream(&self) -> std::borrow::Cow<'a, [u8]> {
        match self.data.as_slice() {
            [only] => (*only).into(),
            parts => parts.concat().into(),
        }
    }
}

struct Chunks<'a> {
    rest: &'a [u8],
    offset: usize,
}

struct Chunk<'a> {
    kind: [u8; 4],
    body: &'a [u8],
    offset: usize,
}

impl Chunk<'_> {
    fn damaged(&self, damage: Damage) -> PictureFault {
        PictureFault::Damaged { offset: self.offset, damage }
    }
}

impl<'a> Chunks<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], PictureFault> {
        let short = PictureFault::Damaged { offset: self.offset, damage: Damage::CutShort };
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(short)?;
        self.rest = rest;
        self.offset += length;
        Ok(taken)
    }

    fn word(&mut self) -> Result<[u8; 4], PictureFault> {
        let offset = self.offset;
        let short = PictureFault::Damaged { offset, damage: Damage::CutShort };
        self.take(4)?.first_chunk().copied().ok_or(short)
    }

    fn next(&mut self) -> Result<Chunk<'a>, PictureFault> {
        let offset = self.offset;
        let length = u32::from_be_bytes(self.word()?) as usize;
        let checked = self.rest;
        let kind = self.word()?;
        let body = self.take(length)?;
        let expected = u32::from_be_bytes(self.word()?);
        let chunk = Chunk { kind, body, offset };
        let checked = checked.get(..length + 4).unwrap_or(checked);
        if libdeflater::crc32(checked) != expected {
            return Err(chunk.damaged(Damage::Checksum));
        }
        Ok(chunk)
    }
}
