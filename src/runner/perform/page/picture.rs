//! Screenshots of a step: taken, reviewed against their baselines, and kept.

use super::target::selector;
use super::{Rendering, Stopped};
use crate::canary::definition::Step;
use crate::canary::page::{
    PictureComparison, PictureSensitivity, ScreenshotAction, ScreenshotExtent,
};
use crate::canary::report::{Artifact, ArtifactKind, Failure, PictureReport, Verdict};
use crate::runner::attempt::Attempt;
use crate::runner::baselines::{BaselineFolder, StoredBaseline};
use crate::runner::browser::{ActionLimit, BrowserSession, Shot, ShotExtent, ShotRequest};
use crate::runner::fault;
use crate::runner::policy::Trust;
use crate::runner::settings::NewPicture;
use crate::runner::step::StepRecord;
use crate::visual::{
    ApprovedShot, Baseline, BaselineName, CompareOptions, Decision, Mode, PictureError, Review,
    SHOT_RECORD_FORMAT, Sensitivity, Shape, ShotFiles, ShotRecord, difference_png, file_hash,
    looked_at_hash, review,
};

/// What came of reviewing one shot, off the runtime's threads.
struct Reviewed {
    review: Review,
    /// Drawn only where the shot does not pass.
    difference: Option<Vec<u8>>,
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
        let mut shot = page.shot(&request, limit).await?;
        // The words are compared and kept as they may be shown.
        let words = self.run.redaction.text(&String::from_utf8_lossy(&shot.sidecar));
        shot.sidecar = words.into();
        let canary = &self.run.canary.name;
        let name = BaselineName::new(canary, &action.name, shot.viewport, &shot.environment)
            .in_combination(&self.combination);
        let stored = self.stored_baseline(&name).await?;
        let options = options(action, &shot);
        let reviewed = reviewed(&shot, stored.as_ref(), options.clone()).await?;
        let approves = self.run.parts.settings.pictures.new == NewPicture::Approve
            && !passes(&reviewed.review);
        if approves {
            self.approve(&name, &shot).await?;
        }
        let verdict = reviewed.review.verdict();
        let accepted = approves || passes(&reviewed.review);
        let mut summary = reviewed.review.summary();
        if approves {
            summary.push_str("; approved");
        } else if !accepted && let Some(decision) = self.rejection(&name, &shot, &options).await {
            summary = format!("{summary}; rejected by {}: {}", decision.by, decision.why);
        }
        if !shot.unsteady.is_empty() {
            summary = format!("{summary}; never held still: {}", shot.unsteady.join(", "));
        }
        let comparison = match &reviewed.review {
            Review::New => None,
            Review::Compared { comparison, .. } => Some(comparison),
        };
        let record_of_shot = ShotRecord {
            format: SHOT_RECORD_FORMAT,
            canary: canary.to_string(),
            shot: action.name.to_string(),
            baseline: name.picture(),
            verdict: verdict.to_owned(),
            accepted,
            summary: summary.clone(),
            capture_hash: file_hash(&shot.png),
            baseline_hash: stored.as_ref().map(|stored| file_hash(&stored.picture)),
            change_id: comparison.and_then(|comparison| comparison.change_id.clone()),
            environment: shot.environment.clone(),
            options,
            run: self.run.id.to_string(),
            order: (self.number, self.emitted.artifacts.len()),
            files: ShotFiles { screenshot: String::new(), baseline: None, sidecar: None },
        };
        record.pictures.push(PictureReport {
            name: action.name.to_string(),
            baseline: name.picture(),
            verdict: verdict.to_owned(),
            accepted,
            changed_percent: comparison.map_or(0.0, |comparison| comparison.percent),
            summary: summary.clone(),
            artifacts: self.keep_pictures(&shot, record_of_shot, (stored, reviewed.difference)),
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

    async fn stored_baseline(
        &self,
        name: &BaselineName,
    ) -> Result<Option<StoredBaseline>, Box<Failure>> {
        let name = name.clone();
        let work = self.in_baselines(move |folder| {
            folder.stored(&name).map_err(|error| {
                let verdict = if error.is_policy() { Verdict::Policy } else { Verdict::Runner };
                Box::new(fault::failure(verdict, format!("cannot use baseline: {error}")))
            })
        });
        work.await
    }

    /// Who looked at the very same picture before and did not want it.
    async fn rejection(
        &self,
        name: &BaselineName,
        shot: &Shot,
        options: &CompareOptions,
    ) -> Option<Decision> {
        let (name, png, options) = (name.clone(), shot.png.clone(), options.clone());
        let work = self.in_baselines(move |folder| {
            let Ok(mut rejections) = folder.rejections(&name) else { return Ok(None) };
            // The pixels are looked at only where somebody rejected some.
            let some = !rejections.rejected.is_empty();
            let pixels = some.then(|| looked_at_hash(&png, &options).ok()).flatten();
            Ok(pixels.and_then(|pixels| rejections.rejected.remove(&pixels)))
        });
        work.await.ok().flatten()
    }

    /// Does something with the folder of baselines, off the runtime's threads.
    async fn in_baselines<T: Send + 'static>(
        &self,
        work: impl FnOnce(&BaselineFolder) -> Result<T, Box<Failure>> + Send + 'static,
    ) -> Result<T, Box<Failure>> {
        let folder = BaselineFolder::new(self.run.parts.settings.pictures.baselines.clone());
        let done = tokio::task::spawn_blocking(move || work(&folder)).await;
        done.unwrap_or_else(|panic| {
            Err(Box::new(fault::failure(Verdict::Runner, format!("cannot use baselines: {panic}"))))
        })
    }

    /// Makes the shot the baseline of its name.
    async fn approve(&self, name: &BaselineName, shot: &Shot) -> Result<(), Box<Failure>> {
        let settings = &self.run.parts.settings;
        if settings.network.policy.trust() == Trust::PullRequest {
            let message = "`pr` trust approves no pictures";
            return Err(Box::new(fault::failure(Verdict::Policy, message)));
        }
        let (png, sidecar) = (shot.png.clone(), shot.sidecar.clone());
        let (name, environment) = (name.clone(), shot.environment.clone());
        let work = self.in_baselines(move |folder| {
            let sidecar = Some(&*sidecar);
            let environment = &environment;
            let shot = ApprovedShot { capture: &png, environment, sidecar, approval: None };
            folder.approve(&name, &shot).map_err(|error| {
                let message = format!("cannot approve: {error}");
                let mut failure = fault::failure(Verdict::Runner, message);
                failure.detail = std::error::Error::source(&error).map(ToString::to_string);
                Box::new(failure)
            })
        });
        work.await
    }

    /// Keeps the shot, and where it does not pass what a person needs to judge it.
    fn keep_pictures(
        &mut self,
        shot: &Shot,
        mut record: ShotRecord,
        (stored, difference): (Option<StoredBaseline>, Option<Vec<u8>>),
    ) -> Vec<String> {
        const PNG: &str = "image/png";
        const JSON: &str = "application/json";
        let mut names = Vec::new();
        let mut keep = |this: &mut Self, (kind, rest): (_, &str), media_type, bytes| {
            let name = this.artifact_name(&record.shot, rest).replace("-png", ".png");
            names.push(name.clone());
            let artifact = Artifact { kind, name: name.clone(), media_type, bytes };
            this.emitted.artifacts.push(artifact);
            name
        };
        let screenshot = (ArtifactKind::Screenshot, "png");
        let screenshot = keep(self, screenshot, PNG, shot.png.clone());
        let mut baseline = None;
        if let (Some(stored), Some(difference)) = (stored, difference) {
            let kind = (ArtifactKind::Baseline, "baseline.png");
            baseline = Some(keep(self, kind, PNG, stored.picture));
            let kind = (ArtifactKind::Difference, "difference.png");
            keep(self, kind, PNG, difference.into());
        }
        let sidecar = (ArtifactKind::Sidecar, "dom.json");
        let sidecar = Some(keep(self, sidecar, JSON, shot.sidecar.clone()));
        record.files = ShotFiles { screenshot, baseline, sidecar };
        let json = serde_json::to_vec_pretty(&record).unwrap_or_default();
        let name = self.artifact_name(&record.shot, ShotRecord::SUFFIX);
        names.push(name.clone());
        let (kind, media_type, bytes) = (ArtifactKind::ShotRecord, JSON, json.into());
        self.emitted.artifacts.push(Artifact { kind, name, media_type, bytes });
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
        scale_percent: Some(shot.environment.scale_percent),
        ignore: shot.ignore.iter().copied().map(Shape::Rect).collect(),
        ..CompareOptions::default()
    }
}

/// Compares off the runtime's threads: a large picture takes tens of milliseconds.
async fn reviewed(
    shot: &Shot,
    stored: Option<&StoredBaseline>,
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
