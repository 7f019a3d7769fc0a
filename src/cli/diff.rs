use std::path::{Path, PathBuf};
use std::str::FromStr;

use anstyle::AnsiColor;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};

use super::ExitStatus;
use super::context::Context;
use super::fatal::Fatal;
use super::picture_files::{PictureFile, Pictures};
use crate::report::{PictureEntry, PictureState, pictures_html};
use crate::visual::{
    CompareOptions, Comparison, Mode, Outcome, Rect, RegionVerdict, Sensitivity, Shape, Sidecar,
    compare, difference_png,
};

/// Compare two pictures, or the pictures of two folders
///
/// Differences are grouped into areas, and each is judged: content, colour, moved, inserted,
/// removed, warped or noise. Noise and moves of one pixel pass; --sensitivity says what else.
/// Pictures are PNG, JPEG or WebP. Where both pictures have a sidecar beside them (NAME.dom.json
/// for NAME.png), texts are compared exactly and areas carry the name of their element.
///
/// Ends with 0 when nothing fails, 1 when pictures differ, 2 when one cannot be used.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct DiffCommand {
    /// The approved picture, or a folder of them
    baseline: PathBuf,

    /// The picture to judge, or a folder of them
    actual: PathBuf,

    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,

    /// Write a report to look at: one HTML file that needs no other
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Write the difference as a picture; for folders, into this folder
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Leave an area out: `X,Y,WIDTH,HEIGHT`, or the corners of a polygon `X,Y X,Y X,Y`
    #[arg(long, value_name = "AREA", value_parser = area)]
    mask: Vec<Shape>,

    /// Look at this area only; may be repeated
    #[arg(long, value_name = "AREA", value_parser = area)]
    only: Vec<Shape>,

    /// What fails: everything but noise, what a person sees, or only what moves and comes and goes
    #[arg(long, default_value = "normal", value_parser = named::<Sensitivity>(SENSITIVITIES))]
    sensitivity: Sensitivity,

    /// Percent of pixels that may differ; for scores, percent below a perfect one
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    max_diff: Option<f64>,

    /// What is measured: areas, the share of differing pixels, or a score of the whole
    #[arg(long, default_value = "perceptual", value_parser = named::<Mode>(MODES))]
    mode: Mode,
}

const SENSITIVITIES: &[&str] = &["strict", "normal", "layout"];
const MODES: &[&str] = &["perceptual", "percent", "ssim", "hybrid"];

const EXAMPLES: &str = "\
Examples:
  coalmine diff old.png new.png
  coalmine diff old.png new.png --out difference.png --mask 20,10,120,16
  coalmine diff baselines/ shots/ --html report.html
  coalmine diff old.png new.png --mode percent --max-diff 0.1
  coalmine diff old.png new.png --json | jq .regions";

fn named<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>();
    let number = number.ok().filter(|number| (0.0..=100.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 100".to_owned())
}

fn area(text: &str) -> Result<Shape, String> {
    let expected = || "expected X,Y,WIDTH,HEIGHT, or at least three corners X,Y X,Y X,Y".to_owned();
    if text.trim().contains(' ') {
        let corner = |corner: &str| {
            let (x, y) = corner.split_once(',')?;
            Some([x.parse::<f32>().ok()?, y.parse::<f32>().ok()?])
        };
        let points: Option<Vec<[f32; 2]>> = text.split_whitespace().map(corner).collect();
        let points = points.filter(|points| points.len() >= 3).ok_or_else(expected)?;
        return Ok(Shape::Polygon { points });
    }
    let sides: Result<Vec<u32>, _> = text.split(',').map(|side| side.trim().parse()).collect();
    match sides.map_err(|_| expected())?.as_slice() {
        &[x, y, width, height] => Ok(Shape::Rect(Rect { x, y, width, height })),
        _ => Err(expected()),
    }
}

pub(super) fn execute(context: &Context, command: &DiffCommand) -> Result<ExitStatus, Fatal> {
    let options = CompareOptions {
        sensitivity: command.sensitivity,
        mode: command.mode,
        max_diff: command.max_diff,
        ignore: command.mask.clone(),
        only: command.only.clone(),
        ..CompareOptions::default()
    };
    let pictures = Pictures::find(&command.baseline, &command.actual)?;
    let mut judged = Vec::new();
    for (name, baseline, actual) in pictures.pairs() {
        let one = Judged::of(name, (baseline, actual), &options);
        if let (Some(out), Some(comparison)) = (&command.out, one.comparison()) {
            let path = if pictures.are_folders() {
                out.join(name).with_extension("png")
            } else {
                out.clone()
            };
            write_difference(&path, &one, comparison)?;
        }
        judged.push(one.kept(command.html.is_some()));
    }
    if let Some(path) = &command.html {
        let entries: Vec<PictureEntry<'_>> = judged.iter().map(Judged::entry).collect();
        let title = format!("{} against {}", command.actual.display(), command.baseline.display());
        write(path, pictures_html(&title, &entries).as_bytes())?;
    }
    let status = judged.iter().map(Judged::status).max().unwrap_or(ExitStatus::Passed);
    match (command.json, judged.as_slice(), pictures.are_folders()) {
        (true, [one], false) => context.screen.line(&one.json().to_string()),
        (true, all, _) => context.screen.line(&all_json(all, status).to_string()),
        (false, all, _) => print(context, all),
    }
    Ok(status)
}

/// One picture, compared or not.
struct Judged {
    name: String,
    baseline: Option<Vec<u8>>,
    actual: Option<Vec<u8>>,
    state: State,
}

enum State {
    Compared(Box<Comparison>),
    New,
    Missing,
    Unusable(String),
}

impl Judged {
    fn of(
        name: &str,
        (baseline, actual): (Option<&PictureFile>, Option<&PictureFile>),
        options: &CompareOptions,
    ) -> Self {
        let mut judged =
            Self { name: name.to_owned(), baseline: None, actual: None, state: State::Missing };
        let read = |file: Option<&PictureFile>| file.map(PictureFile::read).transpose();
        match (read(baseline), read(actual)) {
            (Ok(old), Ok(new)) => (judged.baseline, judged.actual) = (old, new),
            (Err(fault), _) | (_, Err(fault)) => {
                judged.state = State::Unusable(fault);
                return judged;
            }
        }
        judged.state = match (&judged.baseline, &judged.actual) {
            (Some(old), Some(new)) => match compare(old, new, options) {
                Ok(mut comparison) => {
                    let sidecar = |file: Option<&PictureFile>| file.and_then(PictureFile::sidecar);
                    add_sidecars(&mut comparison, (sidecar(baseline), sidecar(actual)), options);
                    State::Compared(Box::new(comparison))
                }
                Err(error) => State::Unusable(format!("{error}: {}", error.fault)),
            },
            (None, Some(new)) => fault_of(new).map_or(State::New, State::Unusable),
            (Some(old), None) => fault_of(old).map_or(State::Missing, State::Unusable),
            (None, None) => State::Missing,
        };
        judged
    }

    /// Lets go of pictures that no report shows.
    fn kept(mut self, is_reported: bool) -> Self {
        let same = self.comparison().is_some_and(|found| found.differing_pixels == 0);
        if same || !is_reported {
            (self.baseline, self.actual) = (None, None);
        }
        self
    }

    fn comparison(&self) -> Option<&Comparison> {
        match &self.state {
            State::Compared(comparison) => Some(comparison),
            _ => None,
        }
    }

    fn status(&self) -> ExitStatus {
        match &self.state {
            State::Compared(comparison) if comparison.passes() => ExitStatus::Passed,
            State::Compared(_) | State::New | State::Missing => ExitStatus::CanaryFailed,
            State::Unusable(_) => ExitStatus::Usage,
        }
    }

    fn entry(&self) -> PictureEntry<'_> {
        let state = match &self.state {
            State::Compared(comparison) => PictureState::Compared(comparison),
            State::New => PictureState::New,
            State::Missing => PictureState::Missing,
            State::Unusable(reason) => PictureState::Unusable(reason),
        };
        let (baseline, actual) = (self.baseline.as_deref(), self.actual.as_deref());
        PictureEntry { name: &self.name, baseline, actual, state, decision: None }
    }

    /// What happened to it, in one line.
    fn summary(&self) -> String {
        match &self.state {
            State::Compared(comparison) => comparison.summary(),
            State::New => "new: there is no baseline".to_owned(),
            State::Missing => "missing: only the baseline is there".to_owned(),
            State::Unusable(reason) => format!("unusable: {reason}"),
        }
    }

    fn json(&self) -> Value {
        let mut value = match &self.state {
            State::Compared(comparison) => json!(comparison),
            State::New => json!({ "verdict": "new", "outcome": "failed" }),
            State::Missing => json!({ "verdict": "missing", "outcome": "failed" }),
            State::Unusable(reason) => {
                json!({ "verdict": "unusable", "outcome": "failed", "reason": reason })
            }
        };
        if let Some(fields) = value.as_object_mut() {
            fields.insert("name".to_owned(), json!(self.name));
            fields.insert("exit_code".to_owned(), json!(self.status().code()));
        }
        value
    }
}

/// What is wrong with a picture that has no partner.
fn fault_of(picture: &[u8]) -> Option<String> {
    crate::visual::size_of(picture).err().map(|fault| fault.to_string())
}

fn add_sidecars(
    comparison: &mut Comparison,
    sidecars: (Option<Sidecar>, Option<Sidecar>),
    options: &CompareOptions,
) {
    if let (Some(baseline), Some(actual)) = sidecars {
        comparison.add_sidecars((&baseline, &actual), options);
    }
}

fn all_json(all: &[Judged], status: ExitStatus) -> Value {
    let pictures: Vec<Value> = all.iter().map(Judged::json).collect();
    json!({ "exit_code": status.code(), "pictures": pictures })
}

/// Areas that are listed for one picture; the report shows the rest.
const AREAS_MAX: usize = 12;

fn print(context: &Context, all: &[Judged]) {
    let screen = &context.screen;
    for one in all {
        let color = match (one.status(), one.comparison().map(|found| found.outcome)) {
            (ExitStatus::Passed, Some(Outcome::Warned)) => AnsiColor::Yellow,
            (ExitStatus::Passed, _) => AnsiColor::Green,
            _ => AnsiColor::Red,
        };
        if all.len() > 1 && one.comparison().is_some_and(|found| found.differing_pixels == 0) {
            continue;
        }
        let paint = screen.paint(color);
        let name = crate::diagnostic::printable(&one.name);
        screen.line(&format!("{paint}{name}{paint:#}: {}", one.summary()));
        for line in one.comparison().map(areas).unwrap_or_default() {
            screen.line(&line);
        }
    }
    if all.len() > 1 {
        let failed = all.iter().filter(|one| one.status() != ExitStatus::Passed).count();
        screen.line(&format!("{} of {} pictures differ", failed, all.len()));
    }
}

fn areas(comparison: &Comparison) -> Vec<String> {
    let shown = comparison.regions.iter().filter(|region| region.verdict != RegionVerdict::Noise);
    let count = shown.clone().count();
    let mut lines: Vec<String> = shown
        .take(AREAS_MAX)
        .map(|region| {
            let (area, old) = (region.area, region.baseline);
            let (width, height) = (area.width.max(old.width), area.height.max(old.height));
            let moved = match region.verdict {
                _ if region.is_blank => ", blank".to_owned(),
                RegionVerdict::Moved { dx, dy } => format!(" by {dx:+},{dy:+}"),
                _ => String::new(),
            };
            let owner = region.owner.as_deref().map(crate::diagnostic::printable);
            let owner = owner.map(|owner| format!("  {owner}")).unwrap_or_default();
            let (name, x, y) = (region.verdict.name(), area.x, area.y);
            format!("  {name:<8} {width}x{height} at {x},{y}{moved}{owner}")
        })
        .collect();
    if count > AREAS_MAX {
        lines.push(format!("  and {} areas more", count - AREAS_MAX));
    }
    for change in comparison.page.texts.iter().take(AREAS_MAX) {
        let line = format!("  {}: {:?} -> {:?}", change.owner, change.baseline, change.actual);
        lines.push(crate::diagnostic::printable(&line).to_string());
    }
    lines
}

fn write_difference(path: &Path, one: &Judged, comparison: &Comparison) -> Result<(), Fatal> {
    if comparison.differing_pixels == 0 {
        return Ok(());
    }
    let picture = one.actual.as_deref().unwrap_or_default();
    let drawn = difference_png(picture, comparison).map_err(|fault| {
        Fatal::new(ExitStatus::OurSide, "cannot draw the difference").because(&fault)
    })?;
    write(path, &drawn)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Fatal> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, bytes)).map_err(|error| {
        Fatal::new(ExitStatus::OurSide, format!("cannot write {}", path.display())).because(&error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_a_rectangle_or_a_polygon() {
        let rect = Rect { x: 1, y: 2, width: 3, height: 4 };
        assert_eq!(area("1,2,3,4"), Ok(Shape::Rect(rect)));
        assert!(matches!(area("0,0 9,0 9,9"), Ok(Shape::Polygon { points }) if points.len() == 3));
        for text in ["", "1,2,3", "1,2,3,-4", "0,0 1,1", "a,b c,d e,f"] {
            assert!(area(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_percentage_lies_between_0_and_100() {
        assert_eq!((percent("0.1%"), percent("5")), (Ok(0.1), Ok(5.0)));
        assert!(percent("101").is_err() && percent("-1").is_err() && percent("x").is_err());
    }
}
