//! Canary files that are refused, and what is said about each: one file a reason.
//!
//! `scripts/bless.sh` rewrites the `.stderr` files; a person reads them as the author of the file.

use std::fs;
use std::path::{Path, PathBuf};

use coalmine::canary::load::{Fault, ImportError, Imports, load};
use coalmine::canary::schema::{SchemaKind, schema};
use coalmine::diagnostic::{MessageFormat, SourceFile, Style, render};

use crate::golden;

const FOLDER: &str = "tests/ui/canary";

/// What the files there use.
const SHARED: &str = "tests/ui/canary/shared";

/// Faults that a schema cannot see: of names, texts and what lies in other files.
const BEYOND_SCHEMAS: &[&str] = &[
    "canary-name",
    "css",
    "duplicate-screenshot",
    "duplicate-step",
    "fixed-wait",
    "grpc-method",
    "import",
    "json-path",
    "never-holds",
    "path",
    "regex",
    "rows",
    "schedule",
    "screenshot-name",
    "template",
    "timezone",
    "too-many-runs",
    "undeclared-secret",
    "undefined-variable",
    "unknown-parameter",
    "url",
    "variable-conflict",
    "xpath",
];

struct Folder(PathBuf);

impl Imports for Folder {
    fn read(&self, path: &str) -> Result<SourceFile, ImportError> {
        let text = fs::read_to_string(self.0.join(path)).map_err(|_io| ImportError::NotFound)?;
        Ok(SourceFile::new(format!("{FOLDER}/{path}"), text))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    files
}

/// The faults and warnings of a file.
fn faults(path: &Path) -> Vec<Fault> {
    let name = path.file_name().unwrap().to_str().unwrap();
    let file = SourceFile::new(format!("{FOLDER}/{name}"), fs::read_to_string(path).unwrap());
    let folder = path.parent().unwrap();
    match load(&file, folder, &Folder(folder.to_owned())) {
        Ok(loaded) => loaded.warnings,
        Err(faults) => faults,
    }
}

#[test]
fn every_reason_of_rejection_reads_as_a_person_would_say_it() {
    for path in files(FOLDER) {
        let text: String = faults(&path)
            .iter()
            .map(|f| render(&f.diagnostic, &f.file, MessageFormat::Human(Style::Plain)))
            .collect::<Vec<_>>()
            .join("\n");
        let stem = path.file_stem().unwrap().to_str().unwrap();
        golden::check(&format!("{FOLDER}/{stem}.stderr"), &text);
    }
}

#[test]
fn each_file_is_refused_for_the_reason_it_is_named_after() {
    for path in files(FOLDER) {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let codes: Vec<&str> = faults(&path).iter().map(|f| f.diagnostic.code).collect();
        match stem {
            "valid" => assert!(codes.is_empty(), "{codes:?}"),
            "schema-of-json" => assert_eq!(codes, ["schema"]),
            "yaml-tab" => assert_eq!(codes, ["yaml-syntax"]),
            stem => assert!(codes.contains(&stem), "{stem}: {codes:?}"),
        }
    }
}

#[test]
fn the_shared_files_fit_the_schema_of_shared_files() {
    let validator = jsonschema::validator_for(&schema(SchemaKind::Fragment)).unwrap();
    for path in files(SHARED) {
        let text = fs::read_to_string(&path).unwrap();
        let value: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        assert!(validator.is_valid(&value), "{}", path.display());
    }
}

/// The schema and the validator never part: what one refuses by shape, the other does.
#[test]
fn the_schema_agrees_with_the_validator() {
    let validator = jsonschema::validator_for(&schema(SchemaKind::Canary)).unwrap();
    for path in files(FOLDER).into_iter().chain(files("canaries")) {
        let Ok(value) =
            serde_yaml::from_str::<serde_json::Value>(&fs::read_to_string(&path).unwrap())
        else {
            continue;
        };
        let problems: Vec<String> =
            validator.iter_errors(&value).map(|error| error.to_string()).collect();
        let codes: Vec<&str> = faults(&path).iter().map(|f| f.diagnostic.code).collect();
        let of_shape = codes.iter().any(|c| matches!(*c, "unknown-key" | "missing-key"));
        if of_shape {
            assert!(!problems.is_empty(), "{}: {codes:?}", path.display());
        } else if codes.iter().all(|code| BEYOND_SCHEMAS.contains(code)) {
            assert!(problems.is_empty(), "{}: {problems:?}", path.display());
        }
    }
}
