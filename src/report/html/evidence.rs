use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::canary::report::{Artifact, ArtifactKind, PictureReport, RunReport, StepReport};
use crate::report::visual::{data_url, escaped, shot_block, shot_source};
use crate::visual::{size_of, thumbnail};

/// BOUND: a longer archive or body is named, not carried.
const FILE_BYTES_MAX: usize = 512 * 1024;
/// BOUND: of a longer console the end is shown; it is what came before the failure.
const CONSOLE_BYTES_MAX: usize = 32 * 1024;
/// Largest side of a picture that was accepted.
const THUMBNAIL_SIDE: u32 = 240;

/// Numbers the shots that a report carries, so that they can be taken out of it again.
#[derive(Debug, Default)]
pub(super) struct Shots {
    count: usize,
}

/// The pictures of a step: whole ones where somebody has to look, small ones elsewhere.
pub(super) fn pictures(run: &RunReport, step: &StepReport, shots: &mut Shots) -> String {
    let mut out = String::new();
    for picture in &step.pictures {
        let class = if picture.accepted { "passed" } else { "failed" };
        writeln!(
            out,
            "<section class=\"picture\"><h4>{} <span class=\"badge {class}\">{}</span></h4>\
             <p class=\"quiet\">{}</p>",
            escaped(&picture.name),
            escaped(&picture.verdict),
            escaped(&picture.summary)
        )
        .unwrap_or(());
        let file = |kind| of_kind(run, picture, kind);
        let shot = file(ArtifactKind::Screenshot);
        match (picture.accepted, shot) {
            (true, Some(shot)) => {
                if let Ok(small) = thumbnail(&shot.bytes, THUMBNAIL_SIDE) {
                    let (url, name) = (data_url(&small), escaped(&picture.name));
                    writeln!(out, "<img class=\"small\" src=\"{url}\" alt=\"{name}\">")
                        .unwrap_or(());
                }
            }
            (false, Some(shot)) => {
                let id = shots.count;
                shots.count += 1;
                let baseline = file(ArtifactKind::Baseline);
                out.push_str(&stage(id, (shot, baseline), file(ArtifactKind::Difference)));
                let sidecar = file(ArtifactKind::Sidecar).map(|file| &*file.bytes);
                let record = file(ArtifactKind::ShotRecord);
                let block = record.and_then(|record| shot_block(id, &record.bytes, sidecar));
                out.push_str(&block.unwrap_or_default());
            }
            (_, None) => {}
        }
        out.push_str("</section>\n");
    }
    out
}

fn of_kind<'a>(
    run: &'a RunReport,
    picture: &PictureReport,
    kind: ArtifactKind,
) -> Option<&'a Artifact> {
    let mut files = run.artifacts.iter().filter(|artifact| artifact.kind == kind);
    files.find(|artifact| picture.artifacts.contains(&artifact.name))
}

/// The picture beside its baseline, or one above the other.
fn stage(
    id: usize,
    (shot, baseline): (&Artifact, Option<&Artifact>),
    difference: Option<&Artifact>,
) -> String {
    let width = size_of(&shot.bytes).map(|size| size.width).unwrap_or_default();
    let figure = |role: &str, name: &str, source: &str| {
        format!(
            "<figure class=\"{role}\"><figcaption>{name}</figcaption>\
             <img alt=\"{name}\" {source}\"></figure>"
        )
    };
    let actual = figure("actual", "now", &shot_source(id, "screenshot", &shot.bytes));
    let Some(baseline) = baseline else {
        return format!("<div class=\"stage\" data-mode=\"side\">{actual}</div>\n");
    };
    let baseline = figure("baseline", "approved", &shot_source(id, "baseline", &baseline.bytes));
    let difference = difference.map_or_else(String::new, |difference| {
        let source = format!("src=\"{}", data_url(&difference.bytes));
        figure("difference", "difference", &source)
    });
    let modes = [("side", "Side by side"), ("slider", "Slider"), ("blink", "Blink")];
    let modes = modes.iter().chain(if difference.is_empty() {
        &[][..]
    } else {
        &[("difference", "Difference")][..]
    });
    let buttons: String = modes
        .enumerate()
        .map(|(at, (mode, text))| {
            let pressed = at == 0;
            format!("<button data-mode=\"{mode}\" aria-pressed=\"{pressed}\">{text}</button>")
        })
        .collect();
    format!(
        "<div class=\"modes\">{buttons}<input type=\"range\" class=\"split\" hidden \
         aria-label=\"Share of the picture that shows how it is now\"></div>\
         <div class=\"stage\" data-mode=\"side\" style=\"--width:{width}\" tabindex=\"0\">\
         {baseline}{actual}{difference}</div>\n"
    )
}

/// Pictures of failures, consoles and archives that a run left.
pub(super) fn evidence(run: &RunReport) -> String {
    let mut out = String::new();
    for artifact in &run.artifacts {
        let name = escaped(&artifact.name);
        match artifact.kind {
            ArtifactKind::FailureScreenshot => {
                let url = data_url(&artifact.bytes);
                writeln!(
                    out,
                    "<details class=\"part\"><summary>The page when it failed</summary>\
                     <img class=\"whole\" src=\"{url}\" alt=\"The page when it failed\">\
                     <p class=\"quiet\">{name}</p></details>"
                )
                .unwrap_or(());
            }
            ArtifactKind::ConsoleLog => {
                let text = String::from_utf8_lossy(&artifact.bytes);
                let from = text.len().saturating_sub(CONSOLE_BYTES_MAX);
                let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                let lines = escaped(text.get(from..).unwrap_or_default());
                writeln!(
                    out,
                    "<details class=\"part\" open><summary>Console of the page</summary>\
                     <pre>{lines}</pre></details>"
                )
                .unwrap_or(());
            }
            ArtifactKind::Har | ArtifactKind::Body => out.push_str(&file(artifact, &name)),
            ArtifactKind::Screenshot
            | ArtifactKind::Baseline
            | ArtifactKind::Difference
            | ArtifactKind::Sidecar
            | ArtifactKind::ShotRecord => {}
        }
    }
    out
}

/// A file to keep, carried by the report where it is short enough.
fn file(artifact: &Artifact, name: &str) -> String {
    let what = match artifact.kind {
        ArtifactKind::Har => "HTTP archive",
        _ => "body",
    };
    if artifact.bytes.len() > FILE_BYTES_MAX {
        return format!("<p class=\"quiet\">{what}: {name}</p>\n");
    }
    let short = name.rsplit('/').next().unwrap_or(name);
    // As bytes, whatever it claims to be: the browser saves it and shows nothing of it.
    let bytes = STANDARD.encode(&artifact.bytes);
    format!(
        "<p>{what}: <a download=\"{short}\" href=\"data:application/octet-stream;base64,{bytes}\">\
         {name}</a></p>\n"
    )
}
