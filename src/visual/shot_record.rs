//! What a run leaves about one shot, so that a person can judge it later and elsewhere; and what
//! that person decides, as files of the baselines folder.
//!
//! Main types: [`ShotRecord`], [`ApprovedShot`], [`Rejections`]. Nothing here touches the disk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::baseline::{BaselineName, BaselineRecord, Decision, Environment, NotABaseline};
use super::encode::encode_small;
use super::error::PictureFault;
use super::options::{CompareOptions, PixelHash};
use super::sidecar::Sidecar;

/// The form of shot records that this build writes.
pub const SHOT_RECORD_FORMAT: u32 = 1;

/// One shot of a run: how it was judged, and all that is needed to judge it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShotRecord {
    /// The form of this record.
    pub format: u32,
    /// The canary.
    pub canary: String,
    /// The shot's name in it.
    pub shot: String,
    /// Path of its baseline, relative to the baselines folder.
    pub baseline: String,
    /// `same`, `changed`, `new`: one word of [`Review::verdict`](super::Review::verdict).
    pub verdict: String,
    /// Whether the run accepted it.
    pub accepted: bool,
    /// One line for people.
    pub summary: String,
    /// Hash of the shot's file: what is approved is what was judged.
    pub capture_hash: PixelHash,
    /// Hash of the baseline's file that it was compared with; another one lies there by now when
    /// somebody decided meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_hash: Option<PixelHash>,
    /// The same for the very same change on another page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_id: Option<String>,
    /// Where it was taken.
    pub environment: Environment,
    /// How it was compared.
    pub options: CompareOptions,
    /// The run.
    pub run: String,
    /// The attempt of the run, 1 for the first, and the shot's place among its files: the last shot
    /// of a name is the one that counts.
    pub order: (u32, usize),
    /// Files beside this record.
    pub files: ShotFiles,
}

/// Names of the files beside a [`ShotRecord`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShotFiles {
    /// The picture as the browser wrote it.
    pub screenshot: String,
    /// The approved picture that it did not pass against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// Text runs and boxes of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidecar: Option<String>,
}

/// Why a document is no shot record that this build can use.
#[derive(Debug, Error)]
pub enum ShotRecordFault {
    /// It is no such JSON.
    #[error("it is no record of a shot")]
    Malformed(#[source] serde_json::Error),
    /// It was written by a newer build.
    #[error("it has format {found}, this build reads {SHOT_RECORD_FORMAT}")]
    Format {
        /// The format it says.
        found: u32,
    },
    /// It names a baseline that is none.
    #[error("`{path}` is no baseline's name")]
    Name {
        /// What it names.
        path: String,
        /// What is expected.
        #[source]
        source: NotABaseline,
    },
    /// It names a file that does not lie beside it.
    #[error("`{name}` is not the name of a file beside it")]
    Elsewhere {
        /// What it names.
        name: String,
    },
}

impl ShotRecord {
    /// How the names of these records end.
    pub const SUFFIX: &str = "shot.json";

    /// Reads one; its names are safe to use as paths then.
    pub fn parse(json: &[u8]) -> Result<Self, ShotRecordFault> {
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        let form: Form = serde_json::from_slice(json).map_err(ShotRecordFault::Malformed)?;
        if form.format != SHOT_RECORD_FORMAT {
            return Err(ShotRecordFault::Format { found: form.format });
        }
        let record: Self = serde_json::from_slice(json).map_err(ShotRecordFault::Malformed)?;
        record.name()?;
        let ShotFiles { screenshot, baseline, sidecar } = &record.files;
        for name in [Some(screenshot), baseline.as_ref(), sidecar.as_ref()].into_iter().flatten() {
            let is_path = name.contains(['/', '\\', '\0']) || name.starts_with('.');
            if is_path || name.is_empty() {
                return Err(ShotRecordFault::Elsewhere { name: name.clone() });
            }
        }
        Ok(record)
    }

    /// The baseline's name.
    pub fn name(&self) -> Result<BaselineName, ShotRecordFault> {
        self.baseline
            .parse()
            .map_err(|source| ShotRecordFault::Name { path: self.baseline.clone(), source })
    }
}

/// The hash by which the file of a picture is known again.
pub fn file_hash(bytes: &[u8]) -> PixelHash {
    blake3::hash(bytes).into()
}

/// A shot that becomes the baseline of its name.
#[derive(Clone, Copy, Debug)]
pub struct ApprovedShot<'a> {
    /// The picture as the browser wrote it.
    pub capture: &'a [u8],
    /// Where it was taken.
    pub environment: &'a Environment,
    /// Text runs and boxes of the page, as JSON.
    pub sidecar: Option<&'a [u8]>,
    /// Who approved it.
    pub approval: Option<&'a Decision>,
}

/// One file of a baseline: its path relative to the baselines folder, and its bytes.
pub type BaselineFile = (String, Vec<u8>);

impl ApprovedShot<'_> {
    /// The files of the baseline: picture, record, and the sidecar where there is one.
    ///
    /// A sidecar that cannot be read is left out: it would be compared with nothing.
    pub fn files(&self, name: &BaselineName) -> Result<Vec<BaselineFile>, PictureFault> {
        let mut record = BaselineRecord::describe(self.capture, self.environment.clone())?;
        record.approval = self.approval.cloned();
        let sidecar = self.sidecar.filter(|json| serde_json::from_slice::<Sidecar>(json).is_ok());
        let mut files = vec![
            (name.picture(), encode_small(self.capture)?),
            (name.record(), serde_json::to_vec_pretty(&record).unwrap_or_default()),
        ];
        files.extend(sidecar.map(|json| (name.sidecar(), json.to_vec())));
        Ok(files)
    }
}

/// Pictures that a person looked at and did not want, by the hash of their pixels; kept beside the
/// baseline, so that the next run can say who rejected the very same picture, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejections {
    /// The form of this document.
    pub format: u32,
    /// Who did not want which picture.
    pub rejected: BTreeMap<PixelHash, Decision>,
}

impl Default for Rejections {
    fn default() -> Self {
        Self { format: SHOT_RECORD_FORMAT, rejected: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visual::Theme;

    fn record() -> ShotRecord {
        ShotRecord {
            format: SHOT_RECORD_FORMAT,
            canary: "shop".to_owned(),
            shot: "results".to_owned(),
            baseline: "shop/results@1280x720.png".to_owned(),
            verdict: "new".to_owned(),
            accepted: false,
            summary: "no baseline yet".to_owned(),
            capture_hash: file_hash(b"png"),
            baseline_hash: None,
            change_id: None,
            environment: Environment {
                browser: "chromium".to_owned(),
                browser_major: 156,
                platform: "linux-x86_64".to_owned(),
                fonts: "1f2e".to_owned(),
                scale_percent: 100,
                theme: Theme::Light,
                capture: "cdp-fast".to_owned(),
            },
            options: CompareOptions::default(),
            run: "one".to_owned(),
            order: (1, 0),
            files: ShotFiles {
                screenshot: "results.png".to_owned(),
                baseline: None,
                sidecar: Some("results-dom.json".to_owned()),
            },
        }
    }

    fn parsed(record: &ShotRecord) -> Result<ShotRecord, String> {
        ShotRecord::parse(&serde_json::to_vec(record).unwrap()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_record_goes_through_json() {
        assert_eq!(parsed(&record()), Ok(record()));
    }

    #[test]
    fn a_record_from_elsewhere_names_no_path() {
        for name in ["../results.png", "/etc/passwd", "a/b.png", "..", "", "a\\b", "a\0"] {
            let mut hostile = record();
            hostile.files.screenshot = name.to_owned();
            let told = parsed(&hostile).unwrap_err();
            assert!(told.contains("is not the name of a file beside it"), "{told}");
        }
        for path in ["../shop/results@1280x720.png", "/x@1x1.png", "shop/results.png"] {
            let hostile = ShotRecord { baseline: path.to_owned(), ..record() };
            assert_eq!(parsed(&hostile).unwrap_err(), format!("`{path}` is no baseline's name"));
        }
        let newer = ShotRecord { format: 2, ..record() };
        assert_eq!(parsed(&newer).unwrap_err(), "it has format 2, this build reads 1");
    }
}
