//! Colours on a scale on which equal distances look equal.
//!
//! Source: Björn Ottosson, "A perceptual color space for image processing" (OKLab), times 100.
//! Differs: a little stray light is added first, as on any lit screen. Without it the cube root
//! makes one level of near-black as large as twenty levels of grey.

use std::sync::LazyLock;

/// A colour: lightness, green to red, blue to yellow. Lightness runs from about 0 to 100.
pub(super) type Lab = [f32; 3];

/// Light that a screen reflects, as a share of its white.
const STRAY_LIGHT: f32 = 0.004;

static LINEAR: LazyLock<[f32; 256]> = LazyLock::new(|| {
    let mut table = [0.0; 256];
    for (level, linear) in (0_u8..=255).zip(&mut table) {
        let encoded = f32::from(level) / 255.0;
        *linear = STRAY_LIGHT
            + if encoded <= 0.040_45 {
                encoded / 12.92
            } else {
                ((encoded + 0.055) / 1.055).powf(2.4)
            };
    }
    table
});

/// The colour of one sRGB pixel.
pub(super) fn lab(rgb: [u8; 3]) -> Lab {
    let table: &[f32; 256] = &LINEAR;
    let [r, g, b] = rgb.map(|level| table.get(usize::from(level)).copied().unwrap_or(0.0));
    let l = cube_root(0.412_221_47 * r + 0.536_332_55 * g + 0.051_445_995 * b);
    let m = cube_root(0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b);
    let s = cube_root(0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b);
    [
        100.0 * (0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s),
        100.0 * (1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s),
        100.0 * (0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s),
    ]
}

/// Cube root of a positive number: a guess from the exponent, then two steps of Newton's method.
fn cube_root(value: f32) -> f32 {
    let mut root = f32::from_bits(value.to_bits() / 3 + 709_921_077);
    for _ in 0..2 {
        root = (2.0 * root + value / (root * root)) / 3.0;
    }
    root
}

/// Distance of two colours; about 2 is just visible.
pub(super) fn distance(a: Lab, b: Lab) -> f32 {
    length(difference(a, b))
}

/// `b` minus `a`.
pub(super) fn difference(a: Lab, b: Lab) -> Lab {
    let ([al, aa, ab], [bl, ba, bb]) = (a, b);
    [bl - al, ba - aa, bb - ab]
}

/// Length of a difference.
pub(super) fn length(difference: Lab) -> f32 {
    difference.iter().map(|part| part * part).sum::<f32>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_level_of_grey_is_about_as_large_anywhere() {
        for level in 0..=254 {
            let step = distance(lab([level; 3]), lab([level + 1; 3]));
            assert!((0.2..0.6).contains(&step), "level {level}: {step}");
        }
    }

    #[test]
    fn white_is_a_hundred_and_has_no_hue() {
        let [lightness, a, b] = lab([255; 3]);
        assert!((lightness - 100.0).abs() < 0.3 && a.abs() < 0.05 && b.abs() < 0.05);
    }

    #[test]
    fn the_quick_cube_root_is_exact_enough() {
        for step in 1_u16..1000 {
            let value = f32::from(step) / 1000.0;
            assert!((cube_root(value) - value.cbrt()).abs() < 1e-5);
        }
    }
}
