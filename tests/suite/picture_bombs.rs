//! Pictures made to break a decoder: refused quickly, by name, and never with a panic.
//!
//! `reliability.md` T20: 100k sides, text and profile bombs, APNG, cut files, wrong checksums,
//! zero sizes, 16 bit, palette tricks.

use coalmine::visual::{CompareOptions, PictureFault, compare, size_of};

use crate::picture_drawing::{Chunks, Page};

fn good() -> Vec<u8> {
    Page::with_text(64, 64).png()
}

/// Compares a picture with a good one, on either side, and says what was wrong with it.
fn refused(picture: &[u8]) -> String {
    let options = CompareOptions::default();
    let left = compare(picture, &good(), &options).unwrap_err();
    let right = compare(&good(), picture, &options).unwrap_err();
    assert_eq!(left.to_string(), "cannot use the baseline picture");
    assert_eq!(right.to_string(), "cannot use the actual picture");
    assert_eq!(left.fault.to_string(), right.fault.to_string());
    left.fault.to_string()
}

#[test]
fn each_broken_picture_is_refused_with_its_fault() {
    let pixel = || Chunks::new().header(8, 8, 8, 2).zeros(8 * 25);
    let rows: [(&str, Vec<u8>, &str); 15] = [
        ("no picture", b"hello".to_vec(), "neither PNG"),
        ("empty file", Vec::new(), "neither PNG"),
        ("100k x 100k", Chunks::new().header(100_000, 100_000, 8, 2).zeros(99).end(), "limit"),
        ("17k x 1", Chunks::new().header(17_000, 1, 8, 2).zeros(99).end(), "limit"),
        ("16k x 16k", Chunks::new().header(16_000, 16_000, 8, 6).zeros(99).end(), "limit"),
        ("no width", Chunks::new().header(0, 8, 8, 2).zeros(99).end(), "no pixels"),
        ("odd depth", Chunks::new().header(8, 8, 3, 2).zeros(99).end(), "header"),
        ("odd colour", Chunks::new().header(8, 8, 8, 5).zeros(99).end(), "header"),
        ("small data", Chunks::new().header(8_000, 8_000, 8, 2).zeros(9).end(), "pixel data"),
        ("short data", Chunks::new().header(8, 8, 8, 2).zeros(8 * 24).end(), "pixel data"),
        ("long data", Chunks::new().header(8, 8, 8, 2).zeros(1 << 20).end(), "pixel data"),
        ("animated", pixel().chunk(b"acTL", &[0; 8]).end(), "animated"),
        ("no end", pixel().cut(0), "cut short"),
        ("cut in data", pixel().cut(9), "cut short"),
        ("two headers", pixel().header(9, 9, 8, 2).end(), "header"),
    ];
    for (name, picture, fault) in rows {
        assert!(refused(&picture).contains(fault), "{name}: {}", refused(&picture));
    }
}

#[test]
fn a_flipped_bit_is_found_by_the_checksum() {
    for at in [20, 60, good().len() - 6] {
        let mut picture = good();
        picture[at] ^= 4;
        assert!(refused(&picture).contains("damaged"), "byte {at}");
    }
}

#[test]
fn every_cut_of_a_file_is_refused() {
    let whole = good();
    for length in (0..whole.len()).step_by(7) {
        refused(&whole[..length]);
    }
}

#[test]
fn text_and_profile_bombs_are_not_unpacked() {
    let mut bomb = vec![b'x', 0, 0];
    let zeros = Chunks::new().zeros(64 << 20).cut(0);
    bomb.extend(&zeros[16..zeros.len() - 4]);
    for kind in [b"zTXt", b"iCCP"] {
        let picture = Chunks::new().header(8, 8, 8, 2).chunk(kind, &bomb).zeros(8 * 25).end();
        assert_eq!(size_of(&picture).unwrap().pixels(), 64);
        assert!(compare(&picture, &good(), &CompareOptions::default()).is_ok());
    }
}

#[test]
fn pictures_with_a_palette_grey_or_16_bits_are_compared() {
    let rows = [
        Chunks::new().header(8, 8, 16, 2).zeros(8 * 49).end(),
        Chunks::new().header(8, 8, 8, 0).zeros(8 * 9).end(),
        Chunks::new().header(8, 8, 8, 4).zeros(8 * 17).end(),
        Chunks::new().header(8, 8, 1, 3).chunk(b"PLTE", &[9, 9, 9]).zeros(8 * 2).end(),
    ];
    let options = CompareOptions::default();
    for picture in &rows {
        compare(picture, &good(), &options).unwrap();
        compare(&rows[0], picture, &options).unwrap();
    }
    let no_palette = Chunks::new().header(8, 8, 1, 3).zeros(8 * 2).end();
    assert!(refused(&no_palette).contains("decode"));
}

#[test]
fn an_unknown_row_filter_is_refused() {
    let level = libdeflater::CompressionLvl::new(1).unwrap();
    let mut compressor = libdeflater::Compressor::new(level);
    let mut rows = vec![0; 64 * 193];
    rows[0] = 9;
    let mut out = vec![0; compressor.zlib_compress_bound(rows.len())];
    let length = compressor.zlib_compress(&rows, &mut out).unwrap();
    let picture = Chunks::new().header(64, 64, 8, 2).chunk(b"IDAT", &out[..length]).end();
    let error = compare(&good(), &picture, &CompareOptions::default()).unwrap_err();
    assert!(matches!(error.fault, PictureFault::Damaged { .. }));
}
