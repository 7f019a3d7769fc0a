//! What holds of picture comparison for any pictures.

use coalmine::visual::{CompareOptions, Mode, compare};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};
use proptest::sample::select;

use crate::picture_drawing::Page;

const FILTERS: [FilterType; 6] = [
    FilterType::NoFilter,
    FilterType::Sub,
    FilterType::Up,
    FilterType::Avg,
    FilterType::Paeth,
    FilterType::Adaptive,
];

fn encode(picture: &RgbImage, filter: FilterType, with_alpha: bool) -> Vec<u8> {
    let mut png = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Fast, filter);
    let (width, height) = picture.dimensions();
    let written = if with_alpha {
        let picture = image::DynamicImage::from(picture.clone()).into_rgba8();
        encoder.write_image(&picture, width, height, ExtendedColorType::Rgba8)
    } else {
        encoder.write_image(picture, width, height, ExtendedColorType::Rgb8)
    };
    written.unwrap();
    png
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Rows are compared before they are unfiltered; the count must be that of plain pixels.
    #[test]
    fn filtered_rows_differ_where_plain_rows_do(
        edits in proptest::collection::vec((0_u32..70, 0_u32..60, any::<u8>()), 0..12),
        old in select(&FILTERS[..]),
        new in select(&FILTERS[..]),
        old_alpha in any::<bool>(),
        new_alpha in any::<bool>(),
    ) {
        let baseline = Page::with_text(70, 60).0;
        let mut actual = baseline.clone();
        for (x, y, level) in edits {
            actual.put_pixel(x, y, [level, 200, level / 2].into());
        }
        let plain = baseline.pixels().zip(actual.pixels()).filter(|(a, b)| a != b).count();
        let (old, new) = (encode(&baseline, old, old_alpha), encode(&actual, new, new_alpha));
        for mode in [Mode::Perceptual, Mode::Percent] {
            let options = CompareOptions { mode, ..CompareOptions::default() };
            let result = compare(&old, &new, &options).unwrap();
            prop_assert_eq!(result.differing_pixels, plain as u64);
        }
    }

    /// Whatever the bytes are, the answer is a result or a fault.
    #[test]
    fn damaged_bytes_never_panic(
        hits in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6),
        mends in any::<bool>(),
    ) {
        let good = Page::with_text(40, 40).png();
        let mut bad = good.clone();
        for (at, byte) in hits {
            let at = at % bad.len();
            bad[at] = byte;
        }
        if mends {
            mend(&mut bad);
        }
        drop(compare(&good, &bad, &CompareOptions::default()));
        drop(compare(&bad, &good, &CompareOptions::default()));
    }
}

/// Writes right checksums again, so that what is behind them is reached.
fn mend(png: &mut [u8]) {
    let mut at = 8;
    while let Some(head) = png.get(at..at + 8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some(end) = at.checked_add(length + 12).filter(|end| *end <= png.len()) else { return };
        let checksum = libdeflater::crc32(&png[at + 4..end - 4]);
        png[end - 4..end].copy_from_slice(&checksum.to_be_bytes());
        at = end;
    }
}
