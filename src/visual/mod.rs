//! Picture comparison: pixels in, verdict out.
//!
//! [`compare()`] is the entry and [`Comparison`] its answer. Nothing here reads or writes a file,
//! takes a screenshot or decides where baselines lie.

mod align;
mod baseline;
mod caret;
mod changed;
mod cluster;
mod compare;
mod comparison;
mod container;
mod encode;
mod error;
mod evidence;
mod judge;
mod memory;
mod oklab;
mod options;
mod pair;
mod patch;
mod percent;
mod perceptual;
mod picture;
mod raster;
mod realign;
mod residual;
mod score;
mod shape;
mod shot_record;
mod sidecar;
mod soft;
mod unfilter;
mod window;

pub use baseline::{
    Baseline, BaselineName, BaselineRecord, Decision, Environment, EnvironmentDifference,
    NotABaseline, RECORD_FORMAT, Review, Theme, review,
};
pub use compare::{compare, looked_at_hash, pixel_hash, size_of};
pub use comparison::{Comparison, Outcome, PageVerdict, Region, RegionVerdict, Size};
pub use encode::{encode_small, thumbnail};
pub use error::{Damage, PIXELS_MAX, PictureError, PictureFault, SIDE_MAX, Side};
pub use options::{CompareOptions, Mode, PixelHash, Sensitivity, UnknownName};
pub use picture::{difference_png, mask_png};
pub use shape::{Rect, Shape};
pub use shot_record::{
    ApprovedShot, BaselineFile, Rejections, SHOT_RECORD_FORMAT, ShotFiles, ShotRecord,
    ShotRecordFault, file_hash,
};
pub use sidecar::{
    ElementBox, PageChanges, Sidecar, StyleChange, TextChange, TextChangeKind, TextRun,
    compare_sidecars,
};
