//! One picture from several that lie below each other, for pages longer than a browser draws.

use std::io::Cursor;

use thiserror::Error;

/// All tiles together may have so many pixels: what `visual` accepts as one picture.
const PIXELS_MAX: usize = 64 * 1024 * 1024;

/// Why tiles could not be joined.
#[derive(Debug, Error)]
pub(super) enum TileError {
    /// A tile is no picture.
    #[error("a tile cannot be read")]
    Decode(#[from] png::DecodingError),
    /// The whole could not be written.
    #[error("the page cannot be written as one picture")]
    Encode(#[from] png::EncodingError),
    /// They are not alike, or too large together.
    #[error("the tiles do not fit together")]
    Misfit,
}

/// Joins pictures of equal width, the first at the top.
pub(super) fn stack(tiles: &[Vec<u8>]) -> Result<Vec<u8>, TileError> {
    let mut rows = Vec::new();
    let mut shape = None;
    let mut height = 0_u32;
    for tile in tiles {
        let mut decoder = png::Decoder::new(Cursor::new(tile.as_slice()));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info()?;
        let bytes = reader.output_buffer_size().ok_or(TileError::Misfit)?;
        if rows.len() + bytes > PIXELS_MAX * 4 {
            return Err(TileError::Misfit);
        }
        let start = rows.len();
        rows.resize(start + bytes, 0);
        let frame = reader.next_frame(rows.get_mut(start..).unwrap_or_default())?;
        let found = (frame.width, frame.color_type);
        if *shape.get_or_insert(found) != found {
            return Err(TileError::Misfit);
        }
        height += frame.height;
    }
    let (width, color) = shape.ok_or(TileError::Misfit)?;
    let mut whole = Vec::new();
    let mut encoder = png::Encoder::new(&mut whole, width, height);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&rows)?;
    writer.finish()?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(width: u32, grey: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, 2);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header().unwrap();
        let pixels = vec![grey; width as usize * 2 * 3];
        writer.write_image_data(&pixels).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn tiles_lie_below_each_other_in_order() {
        let whole = stack(&[tile(3, 10), tile(3, 200)]).unwrap();
        let mut reader = png::Decoder::new(Cursor::new(whole.as_slice())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((frame.width, frame.height), (3, 4));
        assert_eq!((pixels[0], pixels[3 * 3 * 2]), (10, 200));
    }

    #[test]
    fn tiles_of_different_width_are_refused() {
        assert!(matches!(stack(&[tile(3, 0), tile(4, 0)]), Err(TileError::Misfit)));
    }
}
