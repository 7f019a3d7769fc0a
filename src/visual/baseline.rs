//! Baselines, without the disk: their names, the record kept beside each, and what a shot is
//! worth against them.
//!
//! The main function is [`review()`]. Who reads and writes the files decides where they lie.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::compare::{compare, pixel_hash, size_of};
use super::comparison::{Comparison, Outcome, PageVerdict, Size};
use super::error::{PictureError, PictureFault, Side};
use super::options::{CompareOptions, PixelHash};

/// The browser that names leave out.
const USUAL_BROWSER: &str = "chromium";

/// What the name of a baseline carries: everything that asks for a picture of its own.
///
/// Shape: `<canary>/<shot>[+<combination>]@<width>x<height>[@<scale>x][.dark][.<browser>].png`;
/// what is usual (scale 1, light, Chromium) is left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BaselineName {
    canary: String,
    shot: String,
    /// Which run of a matrix it is of.
    combination: Option<String>,
    viewport: (u32, u32),
    scale_percent: u32,
    theme: Theme,
    browser: String,
}

/// Which colours a page was asked for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// `prefers-color-scheme: light`.
    #[default]
    Light,
    /// `prefers-color-scheme: dark`.
    Dark,
}

/// A path that is not the name of a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected canary/shot[+combination]@WIDTHxHEIGHT[@SCALEx][.dark][.browser].png")]
pub struct NotABaseline;

impl BaselineName {
    /// The name of one shot of a canary, taken in one environment.
    ///
    /// Names of canaries and shots are made safe for every file system; two different ones never
    /// share a file.
    pub fn new(canary: &str, shot: &str, viewport: Size, environment: &Environment) -> Self {
        Self {
            canary: file_name(canary),
            shot: file_name(shot),
            combination: None,
            viewport: (viewport.width, viewport.height),
            scale_percent: environment.scale_percent,
            theme: environment.theme,
            browser: file_name(&environment.browser),
        }
    }

    /// The same for one combination of a matrix: each run of it has pictures of its own.
    pub fn in_combination(mut self, parameters: &BTreeMap<String, String>) -> Self {
        let plain = |text: &String| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        let pairs = parameters.iter();
        self.combination = match pairs.clone().all(|(key, value)| plain(key) && plain(value)) {
            _ if parameters.is_empty() => None,
            true => {
                let pairs: Vec<String> =
                    pairs.map(|(key, value)| format!("{key}-{value}")).collect();
                Some(file_name(&pairs.join("-")))
            }
            // As JSON, so that two combinations never read the same.
            false => Some(file_name(&serde_json::json!(parameters).to_string())),
        };
        self
    }

    /// The picture's path relative to the baselines folder, with `/` between its two parts.
    pub fn picture(&self) -> String {
        format!("{self}.png")
    }

    /// The path of the [`BaselineRecord`] beside it.
    pub fn record(&self) -> String {
        format!("{self}.json")
    }

    /// The path of the DOM sidecar beside it.
    pub fn sidecar(&self) -> String {
        format!("{self}.dom.json")
    }

    /// The path of the [`Rejections`](super::Rejections) beside it.
    pub fn rejections(&self) -> String {
        format!("{self}.rejected.json")
    }

    /// Whether it is a picture of this shot of this canary, in whatever environment.
    pub fn is_of(&self, canary: &str, shot: &str) -> bool {
        self.is_of_canary(canary) && self.shot == file_name(shot)
    }

    /// Whether it is a picture of this canary.
    pub fn is_of_canary(&self, canary: &str) -> bool {
        self.canary == file_name(canary)
    }

    /// The folder of its canary.
    pub fn canary(&self) -> &str {
        &self.canary
    }

    /// The shot's name, as files carry it.
    pub fn shot(&self) -> &str {
        &self.shot
    }
}

impl fmt::Display for BaselineName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = self.viewport;
        write!(out, "{}/{}", self.canary, self.shot)?;
        if let Some(combination) = &self.combination {
            write!(out, "+{combination}")?;
        }
        write!(out, "@{width}x{height}")?;
        match (self.scale_percent / 100, self.scale_percent % 100) {
            (1, 0) => {}
            (whole, 0) => write!(out, "@{whole}x")?,
            (whole, part) => write!(out, "@{whole}.{part:02}x")?,
        }
        if self.theme == Theme::Dark {
            out.write_str(".dark")?;
        }
        if self.browser != USUAL_BROWSER {
            write!(out, ".{}", self.browser)?;
        }
        Ok(())
    }
}

impl FromStr for BaselineName {
    type Err = NotABaseline;

    /// Reads the picture's path, as [`BaselineName::picture`] writes it.
    fn from_str(path: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (canary, file) = path.strip_suffix(".png")?.split_once('/')?;
            let (shot, rest) = file.split_once('@')?;
            let (width, rest) = rest.split_once('x')?;
            let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
            let (height, rest) = rest.split_at(end);
            let (scale_percent, rest) = match rest.strip_prefix('@') {
                Some(rest) => scale(rest)?,
                None => (100, rest),
            };
            let (theme, rest) = match rest.strip_prefix(".dark") {
                Some(rest) if rest.is_empty() || rest.starts_with('.') => (Theme::Dark, rest),
                _ => (Theme::Light, rest),
            };
            let browser = match rest.strip_prefix('.') {
                Some(browser) => browser,
                None if rest.is_empty() => USUAL_BROWSER,
                None => return None,
            };
            let viewport = (width.parse().ok()?, height.parse().ok()?);
            let (shot, combination) = match shot.split_once('+') {
                Some((shot, combination)) => (shot, Some(combination)),
                None => (shot, None),
            };
            let parts = [canary, shot, browser, combination.unwrap_or(shot)];
            let safe = parts.iter().all(|part| is_safe(part));
            let [canary, shot, browser] = [canary, shot, browser].map(str::to_owned);
            let combination = combination.map(str::to_owned);
            safe.then_some(Self {
                canary,
                shot,
                combination,
                viewport,
                scale_percent,
                theme,
                browser,
            })
        };
        let name: Self = read().ok_or(NotABaseline)?;
        if name.picture() == path { Ok(name) } else { Err(NotABaseline) }
    }
}

/// Reads `2x` or `1.50x` as percent.
fn scale(text: &str) -> Option<(u32, &str)> {
    let (number, rest) = text.split_once('x')?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "00"));
    let percent = whole.parse::<u32>().ok()?.checked_mul(100)?;
    Some((percent + part.parse::<u32>().ok().filter(|part| *part < 100)?, rest))
}

/// Longest part of a path that is kept as it is.
const NAME_LENGTH_MAX: usize = 80;

fn is_safe(name: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    !name.is_empty()
        && name.len() <= NAME_LENGTH_MAX + 9
        && name.bytes().all(|byte| plain(byte) || byte == b'.')
        && name.bytes().next().is_some_and(plain)
        && !name.ends_with('.')
}

/// A part of a path for a name: the name itself where it is safe on every file system, else its
/// letters and eight digits of its hash.
fn file_name(name: &str) -> String {
    const RESERVED: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];
    let stem =
        name.split('.').next().unwrap_or_default().trim_end_matches(|c: char| c.is_ascii_digit());
    if is_safe(name) && name.len() <= NAME_LENGTH_MAX && !RESERVED.contains(&stem) {
        return name.to_owned();
    }
    let lowered = name.chars().flat_map(char::to_lowercase);
    let slug: String = lowered
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .take(NAME_LENGTH_MAX)
        .collect();
    let slug = slug.trim_matches('-');
    let hash = blake3::hash(name.as_bytes()).to_hex();
    let digits = hash.get(..8).unwrap_or_default();
    format!("{}-{digits}", if slug.is_empty() { "shot" } else { slug })
}

/// What else the pixels of a page depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// `chromium`, `firefox`.
    pub browser: String,
    /// Its major version: `156`.
    pub browser_major: u32,
    /// Operating system and processor: `linux-x86_64`.
    pub platform: String,
    /// A hash of the fonts that the browser would use.
    pub fonts: String,
    /// Device pixels per CSS pixel, in percent.
    pub scale_percent: u32,
    /// The colours that the page was asked for.
    pub theme: Theme,
    /// How the picture was taken: `cdp-fast`, `webdriver`.
    pub capture: String,
}

/// One way in which a shot was taken otherwise than its baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentDifference {
    /// What differs: `browser`, `fonts`.
    pub what: String,
    /// How it was for the baseline.
    pub baseline: String,
    /// How it is now.
    pub actual: String,
}

impl fmt::Display for EnvironmentDifference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} became {}", self.what, self.baseline, self.actual)
    }
}

impl Environment {
    /// How another environment differs from this, the baseline's.
    ///
    /// The way of capture is left out: it changes the bytes of a file, not the pixels.
    pub fn differences(&self, actual: &Self) -> Vec<EnvironmentDifference> {
        let named = |environment: &Self| {
            let Self { browser, browser_major, platform, fonts, scale_percent, theme, .. } =
                environment.clone();
            [
                ("browser", format!("{browser} {browser_major}")),
                ("platform", platform),
                ("fonts", fonts),
                ("scale", format!("{scale_percent} %")),
                ("theme", format!("{theme:?}").to_lowercase()),
            ]
        };
        let pairs = named(self).into_iter().zip(named(actual));
        pairs
            .filter(|(baseline, actual)| baseline != actual)
            .map(|((what, baseline), (_, actual))| EnvironmentDifference {
                what: what.to_owned(),
                baseline,
                actual,
            })
            .collect()
    }
}

/// What is kept beside a baseline picture, as JSON in git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaselineRecord {
    /// The form of this record.
    pub format: u32,
    /// Sides of the picture.
    pub size: Size,
    /// Hash of the pixels; the file may be encoded smaller at any time.
    pub pixels: PixelHash,
    /// Hash of the file as the browser wrote it: an equal shot is known without being decoded.
    pub capture_hash: PixelHash,
    /// Where it was taken.
    pub environment: Environment,
    /// Pixels that were accepted as noise of this picture.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tolerated: BTreeSet<PixelHash>,
    /// Who approved it, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Decision>,
}

/// Who approved or rejected a picture, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Name, address or job.
    pub by: String,
    /// In their words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// When, as RFC 3339.
    pub at: String,
    /// The run that took the picture, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// The form of records that this build writes.
pub const RECORD_FORMAT: u32 = 1;

impl BaselineRecord {
    /// Describes a picture as a browser wrote it, before it is encoded smaller.
    pub fn describe(capture: &[u8], environment: Environment) -> Result<Self, PictureFault> {
        Ok(Self {
            format: RECORD_FORMAT,
            size: size_of(capture)?,
            pixels: pixel_hash(capture)?,
            capture_hash: blake3::hash(capture).into(),
            environment,
            tolerated: BTreeSet::new(),
            approval: None,
        })
    }

    /// True when a shot's file is the very one that was approved.
    pub fn is_capture(&self, shot: &[u8]) -> bool {
        self.capture_hash == blake3::hash(shot).into()
    }
}

/// An approved picture, as far as it was found.
#[derive(Clone, Copy, Debug)]
pub struct Baseline<'a> {
    /// The picture's file.
    pub picture: &'a [u8],
    /// The record beside it; pictures that people put there have none.
    pub record: Option<&'a BaselineRecord>,
}

/// What a shot is worth.
#[derive(Clone, Debug)]
pub enum Review {
    /// There is no baseline; a person must approve the shot.
    New,
    /// It was compared.
    Compared {
        /// With this result.
        comparison: Box<Comparison>,
        /// The baseline was taken elsewhere, in these ways.
        environment: Vec<EnvironmentDifference>,
    },
}

/// Compares a shot with its baseline.
///
/// Errors: a picture that cannot be used, with its side.
pub fn review(
    shot: &[u8],
    environment: &Environment,
    baseline: Option<Baseline<'_>>,
    options: &CompareOptions,
) -> Result<Review, PictureError> {
    let Some(baseline) = baseline else { return Ok(Review::New) };
    let differences =
        baseline.record.map_or_else(Vec::new, |record| record.environment.differences(environment));
    let comparison = match baseline.record {
        Some(record) if record.is_capture(shot) => {
            let size = size_of(shot).map_err(Side::Actual.blame())?;
            Comparison::same(options.mode, size)
        }
        Some(record) if !record.tolerated.is_empty() => {
            let mut options = options.clone();
            options.tolerated.extend(record.tolerated.iter().copied());
            compare(baseline.picture, shot, &options)?
        }
        _ => compare(baseline.picture, shot, options)?,
    };
    Ok(Review::Compared { comparison: Box::new(comparison), environment: differences })
}

impl Review {
    /// One word for it: a page verdict, `new` or `environment-changed`.
    ///
    /// A failed comparison across environments says nothing about the page.
    pub fn verdict(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Compared { comparison, environment } => {
                if !environment.is_empty() && !comparison.passes() {
                    return "environment-changed";
                }
                match comparison.verdict {
                    PageVerdict::Same => "same",
                    PageVerdict::Tolerated => "tolerated",
                    PageVerdict::Noise => "noise",
                    PageVerdict::Soft => "soft",
                    PageVerdict::Shift => "shift",
                    PageVerdict::Changed => "changed",
                }
            }
        }
    }

    /// Whether it passes. What a missing baseline means is said by `new`: a failure in CI.
    pub fn outcome(&self, new: Outcome) -> Outcome {
        match self {
            Self::New => new,
            Self::Compared { comparison, .. } => comparison.outcome,
        }
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        match self {
            Self::New => "no baseline yet".to_owned(),
            Self::Compared { comparison, environment } if environment.is_empty() => {
                comparison.summary()
            }
            Self::Compared { comparison, environment } => {
                let changes: Vec<String> = environment.iter().map(ToString::to_string).collect();
                format!("{} (taken elsewhere: {})", comparison.summary(), changes.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment {
            browser: "chromium".to_owned(),
            browser_major: 156,
            platform: "linux-x86_64".to_owned(),
            fonts: "1f2e".to_owned(),
            scale_percent: 100,
            theme: Theme::Light,
            capture: "cdp-fast".to_owned(),
        }
    }

    const VIEWPORT: Size = Size { width: 1280, height: 720 };

    fn picture(level: u8) -> Vec<u8> {
        let mut png = std::io::Cursor::new(Vec::new());
        let image = image::RgbImage::from_pixel(32, 32, [level; 3].into());
        image.write_to(&mut png, image::ImageFormat::Png).unwrap();
        png.into_inner()
    }

    #[test]
    fn names_carry_what_is_unusual() {
        let rows: [(u32, Theme, &str, &str); 4] = [
            (100, Theme::Light, "chromium", "shop/results@1280x720.png"),
            (200, Theme::Light, "chromium", "shop/results@1280x720@2x.png"),
            (150, Theme::Dark, "chromium", "shop/results@1280x720@1.50x.dark.png"),
            (100, Theme::Dark, "firefox", "shop/results@1280x720.dark.firefox.png"),
        ];
        for (scale_percent, theme, browser, path) in rows {
            let environment =
                Environment { scale_percent, theme, browser: browser.to_owned(), ..environment() };
            let name = BaselineName::new("shop", "results", VIEWPORT, &environment);
            assert_eq!(name.picture(), path);
            assert_eq!(path.parse(), Ok(name));
        }
    }

    #[test]
    fn unsafe_names_become_safe_and_stay_apart() {
        let name = |shot| BaselineName::new("shop", shot, VIEWPORT, &environment()).picture();
        let mut seen = BTreeSet::new();
        for shot in ["a/b", "a b", "A B", "../../etc", "", "con", "nul.x", ".a", "größe", "a@2"] {
            let path = name(shot);
            assert_eq!(path.parse::<BaselineName>().map(|name| name.picture()), Ok(path.clone()));
            assert_eq!(path.matches('/').count(), 1, "{path}");
            assert!(!path.contains("..") && path.is_ascii(), "{path}");
            assert!(seen.insert(path), "{shot}");
        }
        assert!(name(&"x".repeat(500)).len() < 130);
    }

    #[test]
    fn each_combination_of_a_matrix_has_a_baseline_of_its_own() {
        let name = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(key, value)| (key.to_string(), value.to_string()));
            let name = BaselineName::new("shop", "cart", VIEWPORT, &environment());
            name.in_combination(&pairs.collect())
        };
        let plain = name(&[("currency", "eur"), ("lang", "de")]);
        assert_eq!(plain.picture(), "shop/cart+currency-eur-lang-de@1280x720.png");
        let mut seen = BTreeSet::new();
        for pairs in [
            &[][..],
            &[("currency", "eur")],
            &[("currency", "EUR")],
            &[("currency", "")],
            &[("a", "b-c"), ("d", "e")],
            &[("a", "b"), ("c-d", "e")],
            &[("url", "https://shop.test/?q=1")],
        ] {
            let name = name(pairs);
            assert_eq!(name.picture().parse(), Ok(name.clone()));
            assert!(name.is_of("shop", "cart"));
            assert!(seen.insert(name.picture()), "{pairs:?}");
        }
    }

    #[test]
    fn other_paths_are_no_baselines() {
        for path in [
            "shop/results.png",
            "results@1x2.png",
            "shop/../x@1x2.png",
            "shop/a@1x2.PNG",
            "shop/a@01x2.png",
            "shop/a/b@1x2.png",
            "shop/a@1x2@1x.png",
            "shop/a@1x2.chromium.png",
        ] {
            assert_eq!(path.parse::<BaselineName>(), Err(NotABaseline), "{path}");
        }
    }

    #[test]
    fn a_record_goes_through_json() {
        let record = BaselineRecord::describe(&picture(9), environment()).unwrap();
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<BaselineRecord>(&json).unwrap(), record);
        assert!(record.is_capture(&picture(9)) && !record.is_capture(&picture(8)));
    }

    #[test]
    fn a_changed_page_elsewhere_is_a_changed_environment() {
        let record = BaselineRecord::describe(&picture(9), environment()).unwrap();
        let old = picture(9);
        let elsewhere = Environment { browser_major: 157, ..environment() };
        let baseline = Some(Baseline { picture: &old, record: Some(&record) });
        let verdict = |shot: &[u8], environment: &Environment, baseline| {
            let options = CompareOptions::default();
            review(shot, environment, baseline, &options).unwrap().verdict()
        };
        assert_eq!(verdict(&picture(9), &environment(), None), "new");
        assert_eq!(verdict(&picture(9), &environment(), baseline), "same");
        assert_eq!(verdict(&picture(9), &elsewhere, baseline), "same");
        assert_eq!(verdict(&picture(90), &environment(), baseline), "changed");
        assert_eq!(verdict(&picture(90), &elsewhere, baseline), "environment-changed");
        let review = review(&picture(90), &elsewhere, baseline, &CompareOptions::default());
        let summary = review.unwrap().summary();
        assert!(summary.contains("browser chromium 156 became chromium 157"), "{summary}");
    }

    #[test]
    fn tolerated_pixels_of_the_record_count() {
        let mut record = BaselineRecord::describe(&picture(9), environment()).unwrap();
        record.tolerated.insert(pixel_hash(&picture(90)).unwrap());
        let old = picture(9);
        let baseline = Some(Baseline { picture: &old, record: Some(&record) });
        let reviewed = review(&picture(90), &environment(), baseline, &CompareOptions::default());
        assert_eq!(reviewed.unwrap().verdict(), "tolerated");
    }
}
