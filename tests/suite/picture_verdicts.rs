//! What picture comparison says about drawn pages.

use coalmine::visual::{
    CompareOptions, Mode, Outcome, PageVerdict, Rect, RegionVerdict, Sensitivity, Shape, Size,
    compare, difference_png, encode_small, mask_png, pixel_hash, size_of, thumbnail,
};

use crate::picture_drawing::{INK, Page, judged, judged_with};

const PAGE: (u32, u32) = (240, 200);

fn page() -> Page {
    Page::with_text(PAGE.0, PAGE.1)
}

fn names(result: &coalmine::visual::Comparison) -> Vec<&'static str> {
    result.regions.iter().map(|region| region.verdict.name()).collect()
}

#[test]
fn equal_files_are_the_same() {
    let result = judged(&page(), &page());
    assert_eq!((result.verdict, result.outcome), (PageVerdict::Same, Outcome::Passed));
    assert_eq!(result.compared_pixels, 240 * 200);
}

#[test]
fn equal_pixels_in_other_encodings_are_the_same() {
    let (plain, small) = (page().png(), encode_small(&page().png()).unwrap());
    assert!(small.len() < plain.len());
    for other in [&small, &page().rgba_png()] {
        let result = compare(&plain, other, &CompareOptions::default()).unwrap();
        assert_eq!((result.verdict, result.differing_pixels), (PageVerdict::Same, 0));
        assert_eq!(pixel_hash(&plain).unwrap(), pixel_hash(other).unwrap());
    }
}

#[test]
fn one_other_letter_is_a_change_of_content_in_its_place() {
    let mut actual = page();
    actual.fill([75, 58, 6, 10], [255; 3]);
    actual.glyph(75, 58, 0b10_1010);
    let mut baseline = page();
    baseline.fill([75, 58, 6, 10], [255; 3]);
    baseline.glyph(75, 58, 0b01_1101);
    let result = judged(&baseline, &actual);
    assert_eq!((result.verdict, result.outcome), (PageVerdict::Changed, Outcome::Failed));
    assert_eq!(result.regions.len(), 1);
    assert_eq!(result.regions[0].area.overlap(Rect { x: 75, y: 58, width: 6, height: 10 }), 54);
}

#[test]
fn a_full_stop_that_vanished_is_a_change() {
    let mut baseline = page();
    baseline.fill([200, 30, 2, 2], INK);
    let mut actual = page();
    actual.fill([200, 30, 2, 2], [255; 3]);
    assert_eq!(judged(&baseline, &actual).verdict, PageVerdict::Changed);
}

#[test]
fn two_levels_of_grey_are_noise_and_four_are_a_colour() {
    let tinted = |level| {
        let mut page = page();
        page.fill([0, 190, 240, 10], [level; 3]);
        page
    };
    assert_eq!(judged(&tinted(250), &tinted(248)).verdict, PageVerdict::Noise);
    let result = judged(&tinted(250), &tinted(246));
    assert_eq!((result.verdict, names(&result)), (PageVerdict::Changed, vec!["colour"]));
}

#[test]
fn a_highlight_that_went_to_the_next_row_is_seen() {
    let highlighted = |y| {
        let mut page = Page::blank(240, 200);
        page.fill([0, y, 240, 20], [246, 248, 252]);
        page
    };
    assert_eq!(judged(&highlighted(40), &highlighted(60)).outcome, Outcome::Failed);
}

#[test]
fn an_inserted_blank_row_is_soft_and_five_are_a_shift() {
    let result = judged(&page(), &page().pushed_down(30, 1, [255; 3]));
    assert_eq!((result.verdict, result.outcome), (PageVerdict::Soft, Outcome::Warned));
    let result = judged(&page(), &page().pushed_down(30, 5, [255; 3]));
    assert_eq!((result.verdict, result.outcome), (PageVerdict::Shift, Outcome::Failed));
    assert_eq!(names(&result), ["inserted", "moved"]);
    assert!(result.regions[0].is_blank);
    assert_eq!(result.regions[1].verdict, RegionVerdict::Moved { dx: 0.0, dy: 5.0 });
    assert_eq!(result.changed_pixels, 0, "nothing is marked");
}

#[test]
fn a_banner_is_one_inserted_band_and_the_rest_moved() {
    let result = judged(&page(), &page().pushed_down(24, 30, [253, 230, 138]));
    assert_eq!((result.verdict, names(&result)), (PageVerdict::Changed, vec!["inserted", "moved"]));
    assert_eq!(result.regions[0].area, Rect { x: 0, y: 24, width: 240, height: 30 });
    assert_eq!(result.actual, Size { width: 240, height: 230 });
}

#[test]
fn a_column_that_grew_does_not_mark_the_other_column() {
    let columns = |grown: u32| {
        let mut page = Page::with_text(240, 260);
        let text = Page::with_text(120, 230);
        page.fill([120, 0, 120, 260], [255; 3]);
        for (x, y, pixel) in text.0.enumerate_pixels() {
            let y = if y < 54 { y } else { y + grown };
            if y < 260 {
                page.0.put_pixel(120 + x, y, *pixel);
            }
        }
        page.fill([120, 54, 120, grown], [255; 3]);
        page
    };
    let result = judged(&columns(0), &columns(11));
    assert_eq!(result.verdict, PageVerdict::Shift);
    for region in &result.regions {
        assert!(region.area.x >= 119, "{region:?}");
        assert!(region.verdict != RegionVerdict::Content, "{region:?}");
    }
}

#[test]
fn a_badge_moved_by_three_pixels_is_a_shift() {
    let badge = |x| {
        let mut page = Page::blank(240, 200);
        page.fill([x, 90, 60, 20], [220, 252, 231]);
        for step in 0..5 {
            page.glyph(x + 8 + step * 9, 95, 13 * step + 21);
        }
        page
    };
    let result = judged(&badge(40), &badge(43));
    assert_eq!((result.verdict, result.outcome), (PageVerdict::Shift, Outcome::Failed));
    assert!(names(&result).contains(&"moved"), "{:?}", result.regions);
}

#[test]
fn masked_changes_are_not_seen_and_an_inverse_mask_sees_only_its_area() {
    let mut actual = page();
    actual.fill([20, 100, 30, 30], [220, 38, 38]);
    let inside = Shape::Rect(Rect { x: 18, y: 98, width: 40, height: 40 });
    let outside = Shape::Rect(Rect { x: 100, y: 0, width: 100, height: 100 });
    let ignore =
        |shape: &Shape| CompareOptions { ignore: vec![shape.clone()], ..Default::default() };
    let only = |shape: &Shape| CompareOptions { only: vec![shape.clone()], ..Default::default() };
    let verdict = |options| judged_with(&page(), &actual, &options).verdict;
    assert_eq!(verdict(ignore(&inside)), PageVerdict::Same);
    assert_eq!(verdict(ignore(&outside)), PageVerdict::Changed);
    assert_eq!(verdict(only(&inside)), PageVerdict::Changed);
    assert_eq!(verdict(only(&outside)), PageVerdict::Same);
    let result = judged_with(&page(), &actual, &only(&outside));
    assert_eq!(result.compared_pixels, 100 * 100);
}

#[test]
fn layout_lets_content_change_but_nothing_move() {
    let layout = CompareOptions { sensitivity: Sensitivity::Layout, ..Default::default() };
    let mut recoloured = page();
    recoloured.fill([20, 100, 30, 30], [220, 38, 38]);
    assert_eq!(judged_with(&page(), &recoloured, &layout).outcome, Outcome::Passed);
    let moved = page().pushed_down(30, 5, [255; 3]);
    assert_eq!(judged_with(&page(), &moved, &layout).outcome, Outcome::Failed);
}

#[test]
fn strict_warns_of_noise_and_fails_a_move_of_one_pixel() {
    let strict = CompareOptions { sensitivity: Sensitivity::Strict, ..Default::default() };
    let mut faint = page();
    faint.fill([30, 180, 1, 1], [254; 3]);
    let result = judged_with(&page(), &faint, &strict);
    assert_eq!((result.verdict, result.outcome), (PageVerdict::Noise, Outcome::Warned));
    let moved = page().pushed_down(30, 1, [255; 3]);
    assert_eq!(judged_with(&page(), &moved, &strict).outcome, Outcome::Failed);
}

#[test]
fn accepted_pixels_are_tolerated() {
    let mut actual = page();
    actual.fill([20, 100, 30, 30], [220, 38, 38]);
    let tolerated = [pixel_hash(&actual.png()).unwrap()].into();
    let options = CompareOptions { tolerated, ..Default::default() };
    let result = judged_with(&page(), &actual, &options);
    assert_eq!((result.verdict, result.outcome), (PageVerdict::Tolerated, Outcome::Passed));
}

#[test]
fn max_diff_lets_small_changes_pass_with_a_warning() {
    let mut actual = page();
    actual.fill([20, 100, 10, 10], [220, 38, 38]);
    let limit = |percent| CompareOptions { max_diff: Some(percent), ..Default::default() };
    let result = judged_with(&page(), &actual, &limit(0.3));
    assert_eq!((result.outcome, result.percent < 0.21), (Outcome::Warned, true));
    assert_eq!(judged_with(&page(), &actual, &limit(0.1)).outcome, Outcome::Failed);
}

#[test]
fn max_diff_does_not_hide_a_page_that_moved() {
    let options = CompareOptions { max_diff: Some(1.0), ..Default::default() };
    let moved = page().pushed_down(30, 5, [255; 3]);
    let same_size = Page(image::imageops::crop_imm(&moved.0, 0, 0, 240, 200).to_image());
    assert_eq!(judged_with(&page(), &same_size, &options).outcome, Outcome::Failed);
}

#[test]
fn the_same_change_in_two_places_has_one_id() {
    let dotted = |x| {
        let mut page = Page::blank(240, 200);
        page.fill([x, 50, 9, 9], [220, 38, 38]);
        judged(&Page::blank(240, 200), &page).change_id
    };
    assert!(dotted(40).is_some());
    assert_eq!(dotted(40), dotted(97));
    assert_eq!(judged(&page(), &page()).change_id, None);
}

#[test]
fn percent_counts_visible_pixels_of_the_larger_picture() {
    let percent = |max_diff| CompareOptions { mode: Mode::Percent, max_diff, ..Default::default() };
    let mut actual = Page::blank(100, 100);
    actual.fill([10, 10, 20, 10], [220, 38, 38]);
    let result = judged_with(&Page::blank(100, 100), &actual, &percent(Some(1.9)));
    assert_eq!((result.percent, result.outcome), (2.0, Outcome::Failed));
    let result = judged_with(&Page::blank(100, 100), &actual, &percent(Some(2.0)));
    assert_eq!(result.outcome, Outcome::Passed);
    let result = judged_with(&Page::blank(100, 100), &Page::blank(100, 125), &percent(None));
    assert_eq!((result.changed_pixels, result.outcome), (2_500, Outcome::Failed));
}

#[test]
fn scores_fall_with_the_share_that_changed() {
    for mode in [Mode::Ssim, Mode::Hybrid] {
        let options = CompareOptions { mode, ..Default::default() };
        let mut little = page();
        little.glyph(12, 180, 63);
        let mut much = page();
        much.fill([0, 60, 240, 100], INK);
        let (little, much) =
            (judged_with(&page(), &little, &options), judged_with(&page(), &much, &options));
        assert!(1.0 > little.score && little.score > much.score, "{mode}");
        assert_eq!((little.passes(), much.passes()), (true, false), "{mode}");
    }
}

#[test]
fn white_on_transparent_is_seen() {
    let drawn = |alpha: u8| {
        let mut picture = image::RgbaImage::from_pixel(64, 64, [255, 255, 255, 0].into());
        for x in 20..40 {
            picture.put_pixel(x, 30, [255, 255, 255, alpha].into());
        }
        let mut png = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
        png.into_inner()
    };
    let result = compare(&drawn(0), &drawn(255), &CompareOptions::default()).unwrap();
    assert_eq!(result.verdict, PageVerdict::Changed);
}

#[test]
fn jpeg_and_webp_are_compared_with_png() {
    let page = Page::blank(64, 48);
    for format in [image::ImageFormat::Jpeg, image::ImageFormat::WebP] {
        let mut other = std::io::Cursor::new(Vec::new());
        page.0.write_to(&mut other, format).unwrap();
        let other = other.into_inner();
        assert_eq!(size_of(&other).unwrap(), Size { width: 64, height: 48 });
        let result = compare(&page.png(), &other, &CompareOptions::default()).unwrap();
        assert!(result.passes(), "{format:?}");
    }
}

#[test]
fn pictures_of_a_difference_have_the_size_of_the_actual_one() {
    let mut actual = page();
    actual.fill([20, 100, 30, 30], [220, 38, 38]);
    let result = judged(&page(), &actual);
    let mask = mask_png(&result);
    let drawn = difference_png(&actual.png(), &result).unwrap();
    for png in [&mask, &drawn] {
        assert_eq!(size_of(png).unwrap(), Size { width: 240, height: 200 });
    }
    let mask = image::load_from_memory(&mask).unwrap().into_rgba8();
    let marked = mask.pixels().filter(|pixel| pixel.0[3] > 0).count();
    assert_eq!(marked as u64, result.changed_pixels);
    let small = thumbnail(&actual.png(), 60).unwrap();
    assert_eq!(size_of(&small).unwrap(), Size { width: 60, height: 50 });
}

/// A page with a bar of some size in a field.
fn with_bar(width: u32, height: u32) -> Vec<u8> {
    let mut image = image::RgbImage::from_pixel(240, 200, [255; 3].into());
    for (x, y) in (0..width).flat_map(|x| (0..height).map(move |y| (x, y))) {
        image.put_pixel(60 + x, 50 + y, [20, 20, 30].into());
    }
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

#[test]
fn a_text_caret_is_noise_and_a_wider_or_longer_bar_is_not() {
    let blank = with_bar(0, 0);
    let strict = CompareOptions { sensitivity: Sensitivity::Strict, ..CompareOptions::default() };
    let of = |width, height, options: &CompareOptions| {
        compare(&blank, &with_bar(width, height), options).unwrap().verdict
    };
    let usual = CompareOptions::default();
    assert_eq!(of(1, 16, &usual), PageVerdict::Noise);
    assert_eq!(of(1, 16, &strict), PageVerdict::Changed);
    assert_eq!(of(5, 16, &usual), PageVerdict::Changed);
    assert_eq!(of(1, 90, &usual), PageVerdict::Changed);
}
