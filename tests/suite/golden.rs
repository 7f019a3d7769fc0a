//! Golden files: what a person reads, kept as text and reviewed as text.

use std::path::Path;

/// Compares `actual` with the file at `path` (relative to the project). With `COALMINE_BLESS` set
/// the file is written instead; `scripts/bless.sh` does that.
pub(crate) fn check(path: &str, actual: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("COALMINE_BLESS").is_some() {
        let folder = file.parent().expect("a golden file stands in a folder");
        std::fs::create_dir_all(folder).expect("the folder of golden files can be made");
        std::fs::write(&file, actual).expect("a golden file can be written");
        return;
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    if expected != actual {
        let diff = similar::TextDiff::from_lines(&expected, actual);
        let diff = diff.unified_diff().header(path, "now").to_string();
        panic!("{path} is out of date; if it should be, run scripts/bless.sh\n{diff}");
    }
}
