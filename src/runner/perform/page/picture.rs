//! Screenshots of a step: taken, reviewed against their baselines, and kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::target::selector;
use super::{Rendering, Stopped};
use crate::canary::definition::Step;
use crate::canary::page::{
    PictureComparison, PictureSensitivity, ScreenshotAction, ScreenshotExtent,
};
use crate::canary::report::{Artifact, ArtifactKind, Failure, PictureReport, Verdict};
use crate::runner::attempt::Attempt;
use crate::runner::browser::{ActionLimit, BrowserSession, Shot, ShotExtent, ShotRequest};
use crate::runner::fault;
use crate::runner::files::{self, CanaryFileError};
use crate::runner::policy::Trust;
use crate::runner::settings::NewPicture;
use crate::runner::step::StepRecord;
use crate::visual::{
    Baseline, BaselineName, BaselineRecord, CompareOptions, Mode, PictureError, PictureFault,
    Review, Sensitivity, Shape, Sidecar, difference_png, encode_small, review,
};

/// A baseline's picture and its record may be so large.
const BASELINE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What came of reviewing one shot, off the runtime's threads.
struct Reviewed {
    review: Review,
    /// Drawn only where the shot does not pass.
    difference: Option<Vec<u8>>,
}

/// A baseline as it lies on the disk.
#[derive(Clone)]
struct Stored {
    picture: Bytes,
    record: Option<BaselineRecord>,
    /// The page's words when it was approved; pictures that people put there have none.
    sidecar: Option<Sidecar>,
}

impl Attempt {
    /// Takes a picture and compares it with its baseline.
    pub(super) async fn screenshot(
        &mut self,
        step: &Step,
        action: &ScreenshotAction,
        (page, record): (&mut BrowserSession, &mut StepRecord),
        limit: ActionLimit,
    ) -> Result<(), Stopped> {
        let request = self.shot_request(step, action)?;
        let shot = page.shot(&request, limit).await?;
        let canary = &self.run.canary.name;
        let name = BaselineName::new(canary, &action.name, shot.viewport, &shot.environment);
        let stored = self.stored_baseline(&name).await?;
        let options = options(action, &shot);
        let reviewed = reviewed(&shot, stored.as_ref(), options).await?;
        let updates = self.run.parts.settings.pictures.new == NewPicture::Approve;
        let verdict = reviewed.review.verdict();
        let approves = updates && !passes(&reviewed.review);
        if approves {
            self.approve(&name, &shot).await?;
        }
        let accepted = approves || passes(&reviewed.review);
        let mut summary = reviewed.review.summary();
        if approves {
            summary.push_str("; approved");
        }
        if !shot.unsteady.is_empty() {
            summary = format!("{summary}; never held still: {}", shot.unsteady.join(", "));
        }
        let artifacts = self.keep_pictures(action, &shot, (stored, reviewed.difference));
        record.pictures.push(PictureReport {
            name: action.name.to_string(),
            baseline: name.picture(),
            verdict: verdict.to_owned(),
            accepted,
            changed_percent: match &reviewed.review {
                Review::New => 0.0,
                Review::Compared { comparison, .. } => comparison.percent,
            },
            summary: summary.clone(),
            artifacts,
        });
        if accepted { Ok(()) } else { Err(refused(action, verdict, &summary).into()) }
    }

    fn shot_request(
        &self,
        step: &Step,
        action: &ScreenshotAction,
    ) -> Result<ShotRequest, Box<Failure>> {
        let mut rendering = Rendering::new(step, &self.scope);
        let extent = match &action.extent {
            ScreenshotExtent::Viewport => ShotExtent::Viewport,
            ScreenshotExtent::FullPage => ShotExtent::FullPage,
            ScreenshotExtent::Element(of) => ShotExtent::Element(selector(&mut rendering, of)?),
        };
        let ignore: Result<Vec<_>, _> =
            action.ignore.iter().map(|of| selector(&mut rendering, of)).collect();
        let ignore_rectangles = action.ignore_rectangles.clone();
        Ok(ShotRequest { extent, ignore: ignore?, ignore_rectangles })
    }

    async fn stored_baseline(&self, name: &BaselineName) -> Result<Option<Stored>, Box<Failure>> {
        let Some(picture) = self.read_baseline(&name.picture()).await? else { return Ok(None) };
        let record = self.read_baseline(&name.record()).await?;
        // A record that cannot be read says nothing; the picture still does.
        let record = record.and_then(|record| serde_json::from_slice(&record).ok());
        let sidecar = self.read_baseline(&name.sidecar()).await?;
        let sidecar = sidecar.and_then(|sidecar| serde_json::from_slice(&sidecar).ok());
        Ok(Some(Stored { picture, record, sidecar }))
    }

    async fn read_baseline(&self, path: &str) -> Result<Option<Bytes>, Box<Failure>> {
        let root = &self.run.parts.settings.pictures.baselines;
        match files::read_inside(root, Path::new(path), BASELINE_BYTES_MAX).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(CanaryFileError::Read { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            Err(error) => {
                let verdict = if error.is_policy() { Verdict::Policy } else { Verdict::Runner };
                Err(Box::new(fault::failure(verdict, format!("cannot use baseline: {error}"))))
            }
        }
    }

    /// Makes the shot the baseline of its name.
    async fn approve(&self, name: &BaselineName, shot: &Shot) -> Result<(), Box<Failure>> {
        let settings = &self.run.parts.settings;
        if settings.network.policy.trust() == Trust::PullRequest {
            let message = "`pr` trust approves no pictures";
            return Err(Box::new(fault::failure(Verdict::Policy, message)));
        }
        let root = settings.pictures.baselines.clone();
        let paths = [name.picture(), name.record(), name.sidecar()].map(|path| root.join(path));
        let (png, sidecar) = (shot.png.clone(), shot.sidecar.clone());
        let environment = shot.environment.clone();
        let written = tokio::task::spawn_blocking(move || {
            let record = BaselineRecord::describe(&png, environment).map_err(invalid)?;
            let record = serde_json::to_vec_pretty(&record)?;
            let [picture_path, record_path, sidecar_path] = &paths;
            write(picture_path, &encode_small(&png).map_err(invalid)?)?;
            write(record_path, &record)?;
            write(sidecar_path, &sidecar)
        });
        let written = written.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        written.map_err(|error| {
            let message = format!("cannot write baseline {}: {error}", name.picture());
            Box::new(fault::failure(Verdict::Runner, message))
        })
    }

    /// Keeps the shot, and where it does not pass what a person needs to judge it.
    fn keep_pictures(
        &mut self,
        action: &ScreenshotAction,
        shot: &Shot,
        (stored, difference): (Option<Stored>, Option<Vec<u8>>),
    ) -> Vec<String> {
        let mut files = vec![(ArtifactKind::Screenshot, "png", shot.png.clone())];
        if let (Some(stored), Some(difference)) = (stored, difference) {
            files.push((ArtifactKind::Baseline, "baseline.png", stored.picture));
            files.push((ArtifactKind::Difference, "difference.png", difference.into()));
        }
        let sidecar = self.run.redaction.text(&String::from_utf8_lossy(&shot.sidecar));
        files.push((ArtifactKind::Sidecar, "dom.json", sidecar.into()));
        let mut names = Vec::new();
        for (kind, rest, bytes) in files {
            let name = self.artifact_name(&action.name, rest).replace("-png", ".png");
            let is_picture = Path::new(rest).extension().is_some_and(|kind| kind == "png");
            let media_type =
                if is_picture || rest == "png" { "image/png" } else { "application/json" };
            names.push(name.clone());
            self.emitted.artifacts.push(Artifact { kind, name, media_type, bytes });
        }
        names
    }
}

fn passes(review: &Review) -> bool {
    match review {
        Review::New => false,
        Review::Compared { comparison, .. } => comparison.passes(),
    }
}

fn options(action: &ScreenshotAction, shot: &Shot) -> CompareOptions {
    let (mode, sensitivity, max_diff) = match action.comparison {
        PictureComparison::Perceptual(sensitivity) => (Mode::Perceptual, sensitivity, None),
        PictureComparison::MaxDiff(percent) => {
            (Mode::Percent, PictureSensitivity::Normal, Some(percent))
        }
        PictureComparison::Ssim(score) => {
            (Mode::Ssim, PictureSensitivity::Normal, Some((1.0 - score) * 100.0))
        }
        PictureComparison::Hybrid(score) => {
            (Mode::Hybrid, PictureSensitivity::Normal, Some((1.0 - score) * 100.0))
        }
    };
    CompareOptions {
        mode,
        max_diff,
        sensitivity: match sensitivity {
            PictureSensitivity::Strict => Sensitivity::Strict,
            PictureSensitivity::Normal => Sensitivity::Normal,
            PictureSensitivity::Layout => Sensitivity::Layout,
        },
        ignore: shot.ignore.iter().copied().map(Shape::Rect).collect(),
        ..CompareOptions::default()
    }
}

/// Compares off the runtime's threads: a large picture takes tens of milliseconds.
async fn reviewed(
    shot: &Shot,
    stored: Option<&Stored>,
    options: CompareOptions,
) -> Result<Reviewed, Box<Failure>> {
    let (png, environment) = (shot.png.clone(), shot.environment.clone());
    let (words, stored) = (shot.sidecar.clone(), stored.cloned());
    let work = tokio::task::spawn_blocking(move || -> Result<Reviewed, PictureError> {
        let baseline = stored.as_ref().map(|stored| Baseline {
            picture: stored.picture.as_ref(),
            record: stored.record.as_ref(),
        });
        let mut review = review(&png, &environment, baseline, &options)?;
        let was = stored.as_ref().and_then(|stored| stored.sidecar.as_ref());
        if let (Review::Compared { comparison, .. }, Some(was)) = (&mut review, was)
            && let Ok(is) = serde_json::from_slice(&words)
        {
            comparison.add_sidecars((was, &is), &options);
        }
        let difference = match &review {
            Review::Compared { comparison, .. } if !comparison.passes() => {
                difference_png(&png, comparison).ok()
            }
            _ => None,
        };
        Ok(Reviewed { review, difference })
    });
    let failed = |message: String| Box::new(fault::failure(Verdict::Runner, message));
    match work.await {
        Ok(reviewed) => reviewed.map_err(|error| failed(format!("cannot compare: {error}"))),
        Err(panic) => Err(failed(format!("cannot compare: {panic}"))),
    }
}

fn refused(action: &ScreenshotAction, verdict: &str, summary: &str) -> Box<Failure> {
    let name = &action.name;
    let (whose, message) = match verdict {
        "new" => (
            Verdict::Visual,
            format!("picture `{name}` has no baseline yet; look at it and approve it"),
        ),
        // What differs may be the fonts and not the page, so the page is not blamed.
        "environment-changed" => {
            (Verdict::Runner, format!("picture `{name}` cannot be judged here: {summary}"))
        }
        _ => (Verdict::Visual, format!("picture `{name}` differs: {summary}")),
    };
    Box::new(fault::failure(whose, message))
}

fn invalid(fault: PictureFault) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}

/// Writes a file under a name of its own first, so that nobody reads half of it.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut unfinished = PathBuf::from(path);
    unfinished.as_mut_os_string().push(".new");
    fs::write(&unfinished, bytes)?;
    fs::rename(&unfinished, path)
}
