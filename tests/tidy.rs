//! Holds the tree to the rules that no compiler knows: layers, purity, sizes, names, comments.
//!
//! Main function: [`faults`], over file texts only, so that each rule is tested on a bad sample.
//! Only the standard library is used. Formatting is rustfmt's business, lints are clippy's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

/// The layers, lowest first. A module imports only from layers below its own.
const LAYERS: &[(&str, &[&str])] = &[
    ("ground", &["time", "task", "diagnostic", "telemetry"]),
    ("rules", &["canary", "visual", "query", "pattern", "alarm"]),
    ("engines", &["store", "runner", "notify"]),
    ("loop", &["monitor", "bus"]),
    ("doors", &["report", "api", "otlp", "console", "demo"]),
    ("main", &["config", "cli"]),
];

/// Imports that are right inside one layer, `(importer, imported)`. Anything else is wrong.
const WITHIN_A_LAYER: &[(&str, &str)] = &[
    ("telemetry", "time"),
    ("task", "time"),
    ("alarm", "query"),
    ("canary", "query"),
    ("canary", "visual"),
    ("canary", "alarm"),
    ("pattern", "query"),
    ("monitor", "bus"),
    ("cli", "config"),
];

/// Modules that may import less than their layer allows, with the highest layer they may see.
const NARROWED: &[(&str, &str)] = &[("report", "rules"), ("demo", "ground")];

/// What a rules module must not mention, and why.
const IMPURE: &[(&str, &str)] = &[
    ("async", "rules are synchronous; async begins at the engines"),
    (".await", "rules are synchronous; async begins at the engines"),
    ("tokio::", "rules know no runtime"),
    ("std::fs", "rules read no disk: take the text as an argument"),
    ("std::env", "rules read no environment: take the value as an argument"),
    ("std::net", "rules open no sockets; for address types use core::net"),
    ("std::process", "rules start no processes"),
    ("tracing::", "rules do not log: return what happened"),
    ("SystemClock", "rules know no clock: take a Timestamp as an argument"),
    ("dyn Clock", "rules know no clock: take a Timestamp as an argument"),
];

const NAMES_THAT_SAY_NOTHING: &[&str] = &[
    "util", "utils", "helper", "helpers", "manager", "common", "misc", "data", "info", "impl",
    "impls", "stuff", "base",
];

const PRODUCTION_LINES_MAX: usize = 600;
const COLUMNS_MAX: usize = 100;
const FEATURES_MAX: usize = 2;

#[test]
fn the_tree_is_tidy() {
    let tree = read_tree(Path::new(env!("CARGO_MANIFEST_DIR")));
    let found = faults(&tree);
    let listing: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{} untidy places:\n{}\n", found.len(), listing.join("\n"));
}

/// One broken rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    path: String,
    line: usize,
    rule: &'static str,
    remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.remedy)
    }
}

/// Every text file of the project by its path, `/`-separated, relative to the root.
type Tree = BTreeMap<String, String>;

fn faults(tree: &Tree) -> Vec<Fault> {
    let mut found = Vec::new();
    for (path, text) in tree.iter().filter(|(path, _)| is_rust(path)) {
        let source = Source::new(path, text);
        source.columns(&mut found);
        source.attributes(&mut found);
        source.comments(&mut found);
        source.name(&mut found);
        if path.starts_with("src/") {
            source.length(&mut found);
            source.front_page(&mut found);
            source.imports(&mut found);
            source.purity(&mut found);
            source.errors(&mut found);
        }
    }
    modules_are_placed(tree, &mut found);
    architecture_is_complete(tree, &mut found);
    golden_files_are_read(tree, &mut found);
    found.sort();
    found
}

/// One Rust file, split into what is code and what is comment; both keep the file's lines.
struct Source<'a> {
    path: &'a str,
    text: &'a str,
    code: String,
    comment: String,
    /// 1-based line at which the unit tests begin; one past the end when there are none.
    tests_from: usize,
}

impl<'a> Source<'a> {
    fn new(path: &'a str, text: &'a str) -> Self {
        let (code, comment) = split(text);
        let lines: Vec<&str> = code.lines().collect();
        let is_test_file = path.starts_with("tests/")
            || path.ends_with("/tests.rs")
            || path.ends_with("_tests.rs")
            || path.contains("/tests/");
        let opens = |at: usize| {
            let next = lines.get(at + 1).map_or("", |line| line.trim_start());
            next.starts_with("mod ") && next.trim_end().ends_with('{')
        };
        let unit_tests =
            (0..lines.len()).find(|at| lines.get(*at) == Some(&"#[cfg(test)]") && opens(*at));
        let tests_from = match unit_tests {
            _ if is_test_file => 1,
            Some(at) => at + 1,
            None => lines.len() + 1,
        };
        Self { path, text, code, comment, tests_from }
    }

    fn fault(&self, line: usize, rule: &'static str, remedy: impl Into<String>) -> Fault {
        Fault { path: self.path.to_owned(), line, rule, remedy: remedy.into() }
    }

    /// The module under `src/` that the file belongs to.
    fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        inside.split_once('/').map(|(module, _)| module)
    }

    /// Numbered lines of production code.
    fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(at, line)| (at + 1, line)).take(self.tests_from - 1)
    }

    fn columns(&self, found: &mut Vec<Fault>) {
        for (at, line) in self.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS_MAX {
                let remedy = format!("{columns} columns; break the line at {COLUMNS_MAX}");
                found.push(self.fault(at + 1, "long-line", remedy));
            }
        }
    }

    fn length(&self, found: &mut Vec<Fault>) {
        let lines = self.tests_from - 1;
        if lines > PRODUCTION_LINES_MAX {
            let remedy = format!(
                "{lines} production lines; split by responsibility below {PRODUCTION_LINES_MAX}"
            );
            found.push(self.fault(1, "long-file", remedy));
        }
    }

    fn attributes(&self, found: &mut Vec<Fault>) {
        for (at, line) in self.code.lines().enumerate() {
            if line.contains("#[allow") || line.contains("#![allow") {
                let remedy =
                    "use #[expect(.., reason = \"..\")], which fails when it is not needed";
                found.push(self.fault(at + 1, "allow-attribute", remedy));
            }
        }
    }

    fn comments(&self, found: &mut Vec<Fault>) {
        for (at, line) in self.comment.lines().enumerate() {
            for mark in ["TODO", "FIXME", "XXX", "HACK"] {
                let Some((_, after)) = line.split_once(mark) else { continue };
                let numbered = after.split_once('#').is_some_and(|(_, number)| {
                    number.chars().next().is_some_and(|c| c.is_ascii_digit())
                });
                if !numbered {
                    let remedy = format!("finish it, or open an issue and write {mark} #123");
                    found.push(self.fault(at + 1, "unnumbered-todo", remedy));
                }
            }
        }
    }

    fn name(&self, found: &mut Vec<Fault>) {
        for part in self.path.split('/') {
            let stem = part.strip_suffix(".rs").unwrap_or(part);
            if NAMES_THAT_SAY_NOTHING.contains(&stem) {
                let remedy = format!("`{stem}` says nothing; name it after what it is about");
                found.push(self.fault(1, "empty-name", remedy));
            }
        }
    }

    fn front_page(&self, found: &mut Vec<Fault>) {
        let is_front =
            self.path.ends_with("/mod.rs") || matches!(self.path, "src/lib.rs" | "src/main.rs");
        if is_front && !self.text.starts_with("//!") {
            let remedy = "start with //!: the responsibility, the main type, what it does not do";
            found.push(self.fault(1, "no-front-page", remedy));
        }
    }

    fn imports(&self, found: &mut Vec<Fault>) {
        let code = self.production_text();
        for (offset, name) in rooted_names(&code, "crate::") {
            let line = line_of(&code, offset);
            if let (Some(module), Some(_)) = (self.module(), layer_of(name))
                && let Some(remedy) = forbidden(module, name)
            {
                found.push(self.fault(line, "layer", remedy));
            }
        }
        // `super::super::x` that climbs to the root would escape the table.
        let depth = self.path.matches('/').count() - usize::from(self.path.ends_with("/mod.rs"));
        let climb = "super::".repeat(depth.max(1));
        for (offset, _) in code.match_indices(&climb) {
            let before = code.get(..offset).unwrap_or("");
            if !before.ends_with("super::") && self.module().is_some() {
                let remedy = "climbs to the root with super::; write crate::, which is checked";
                found.push(self.fault(line_of(&code, offset), "layer", remedy));
            }
        }
    }

    fn purity(&self, found: &mut Vec<Fault>) {
        let is_rules = self.module().and_then(layer_of) == Some(layer("rules"));
        if !is_rules {
            return;
        }
        for (at, line) in self.production() {
            for (word, remedy) in IMPURE {
                if contains_word(line, word) {
                    let remedy = format!("`{word}`: {remedy}");
                    found.push(self.fault(at, "impure-rule", remedy));
                }
            }
        }
    }

    /// Error types: typed variants, messages that can follow "cannot ..: ".
    fn errors(&self, found: &mut Vec<Fault>) {
        let mut in_error_enum = false;
        for (at, line) in self.production() {
            if line.contains("enum ") && line.contains("Error") && line.ends_with('{') {
                in_error_enum = true;
            } else if line.starts_with('}') {
                in_error_enum = false;
            }
            if in_error_enum && line.trim().ends_with("(String),") {
                let remedy = "a variant of bare text; give it named, typed fields";
                found.push(self.fault(at, "string-error", remedy));
            }
        }
        for (at, line) in self.text.lines().enumerate().take(self.tests_from - 1) {
            let Some((_, message)) = line.split_once("#[error(\"") else { continue };
            let mut start = message.chars();
            let (first, second) = (start.next(), start.next());
            let capital =
                first.is_some_and(char::is_uppercase) && second.is_some_and(char::is_lowercase);
            if capital || message.contains(".\"") {
                let remedy = "a lowercase fragment without a full stop, to follow `cannot ..: `";
                found.push(self.fault(at + 1, "error-text", remedy));
            }
        }
    }

    fn production_text(&self) -> String {
        self.production().map(|(_, line)| format!("{line}\n")).collect()
    }
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

fn layer(name: &str) -> usize {
    LAYERS.iter().position(|(layer, _)| *layer == name).unwrap_or(usize::MAX)
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, modules)| modules.contains(&module))
}

/// Why `importer` may not import `imported`; `None` when it may.
fn forbidden(importer: &str, imported: &str) -> Option<String> {
    if importer == imported || WITHIN_A_LAYER.contains(&(importer, imported)) {
        return None;
    }
    let (from, to) = (layer_of(importer)?, layer_of(imported)?);
    let narrowed = NARROWED.iter().find(|(module, _)| *module == importer);
    if let Some((_, highest)) = narrowed
        && to > layer(highest)
    {
        return Some(format!("`{importer}` may import nothing above {highest}, not `{imported}`"));
    }
    if to < from {
        return None;
    }
    let (from, to) = (LAYERS.get(from)?.0, LAYERS.get(to)?.0);
    Some(format!(
        "`{importer}` ({from}) must not import `{imported}` ({to}); \
         move what is shared to a lower layer, or meet in a higher one"
    ))
}

/// The names that follow `root` in paths and in (nested) use groups, with their offsets.
fn rooted_names<'c>(code: &'c str, root: &str) -> Vec<(usize, &'c str)> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(root) {
        let start = at + root.len();
        let rest = code.get(start..).unwrap_or("");
        let Some(group) = rest.strip_prefix('{') else {
            names.push((start, identifier(rest)));
            continue;
        };
        let mut depth = 0_usize;
        let mut at_name = true;
        for (offset, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => at_name = true,
                c if at_name && (c.is_alphabetic() || c == '_') => {
                    names.push((start + 1 + offset, identifier(group.get(offset..).unwrap_or(""))));
                    at_name = false;
                }
                _ => {}
            }
        }
    }
    names
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.get(..end).unwrap_or("")
}

/// Whether `word` stands in `line` with no letter glued to its alphabetic ends.
fn contains_word(line: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
        let glued_before = word.starts_with(is_letter) && before.is_some_and(is_letter);
        let glued_after = word.ends_with(is_letter) && after.is_some_and(is_letter);
        !glued_before && !glued_after
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or("").matches('\n').count() + 1
}

/// Every folder of `src/` is in the layer table, and the table names no ghosts.
fn modules_are_placed(tree: &Tree, found: &mut Vec<Fault>) {
    let fault = |line, remedy| Fault { path: "tests/tidy.rs".into(), line, rule: "layer", remedy };
    let folders = module_folders(tree);
    for folder in folders.iter().filter(|folder| layer_of(folder).is_none()) {
        found.push(fault(1, format!("src/{folder} is in no layer; place it in LAYERS")));
    }
    for module in LAYERS.iter().flat_map(|(_, modules)| *modules) {
        if !folders.contains(*module) {
            found.push(fault(1, format!("LAYERS names `{module}`, which src/ does not have")));
        }
    }
}

fn module_folders(tree: &Tree) -> BTreeSet<&str> {
    let inside = tree.keys().filter_map(|path| path.strip_prefix("src/"));
    inside.filter_map(|path| path.split_once('/')).map(|(folder, _)| folder).collect()
}

/// ARCHITECTURE.md shows every module folder and argues every dependency; features stay few.
fn architecture_is_complete(tree: &Tree, found: &mut Vec<Fault>) {
    let architecture = tree.get("ARCHITECTURE.md").map_or("", String::as_str);
    let fault =
        |rule, remedy: String| Fault { path: "ARCHITECTURE.md".to_owned(), line: 1, rule, remedy };
    for folder in module_folders(tree) {
        if !architecture.contains(&format!("{folder}/")) {
            found.push(fault("unmapped-module", format!("say in one line what {folder}/ is for")));
        }
    }
    let manifest = tree.get("Cargo.toml").map_or("", String::as_str);
    for section in ["[dependencies]", "[dev-dependencies]"] {
        for (name, _) in entries(manifest, section) {
            if !architecture.contains(&format!("`{name}`")) {
                let remedy = format!("argue the dependency `{name}` in one line");
                found.push(fault("unargued-dependency", remedy));
            }
        }
    }
    let features = entries(manifest, "[features]");
    if let Some((name, line)) = features.get(FEATURES_MAX) {
        let remedy = format!("feature `{name}` is one too many; at most {FEATURES_MAX}");
        let path = "Cargo.toml".to_owned();
        found.push(Fault { path, line: *line, rule: "features", remedy });
    }
}

/// Keys of one section of a manifest with their lines.
fn entries<'m>(manifest: &'m str, section: &str) -> Vec<(&'m str, usize)> {
    let numbered = manifest.lines().enumerate().map(|(at, line)| (line, at + 1));
    numbered
        .skip_while(|(line, _)| line.trim() != section)
        .skip(1)
        .take_while(|(line, _)| !line.starts_with('['))
        .filter_map(|(line, at)| Some((line.split_once('=')?.0.trim(), at)))
        .filter(|(key, _)| !key.starts_with('#') && key.chars().all(|c| c != ' '))
        .collect()
}

/// A golden file that no test reads is a promise nobody checks.
fn golden_files_are_read(tree: &Tree, found: &mut Vec<Fault>) {
    let rust: Vec<&str> =
        tree.iter().filter(|(path, _)| is_rust(path)).map(|(_, text)| text.as_str()).collect();
    let mentioned = |needle: &str| rust.iter().any(|text| text.contains(needle));
    for path in tree.keys() {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let read = if let Some(snapshot) = file.strip_suffix(".snap") {
            // insta names a snapshot after the module path and the test, `-2` for the second.
            let name = snapshot.rsplit("__").next().unwrap_or(snapshot);
            let test = name.rsplit_once('-').map_or(name, |(test, number)| {
                if number.chars().all(|c| c.is_ascii_digit()) { test } else { name }
            });
            mentioned(test)
        } else if path.starts_with("tests/ui/") {
            mentioned(file) || mentioned(&format!("\"{folder}\"")) || mentioned(path)
        } else {
            continue;
        };
        if !read {
            let remedy = "no test reads this golden file; delete it or read it".to_owned();
            found.push(Fault { path: path.clone(), line: 1, rule: "unread-golden", remedy });
        }
    }
}

/// Splits Rust text into code and comments, blanking the rest; strings belong to neither.
fn split(text: &str) -> (String, String) {
    let (mut code, mut comment) = (String::new(), String::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = token(rest, first, code.chars().next_back());
        let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let blank: String = piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        code.push_str(if kind == Kind::Code { piece } else { &blank });
        comment.push_str(if kind == Kind::Comment { piece } else { &blank });
        rest = after;
    }
    (code, comment)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Text,
}

/// The kind and length in bytes of the piece that `rest` starts with.
fn token(rest: &str, first: char, before: Option<char>) -> (Kind, usize) {
    let until = |end: &str, from: usize| {
        let tail = rest.get(from..).unwrap_or("");
        tail.find(end).map_or(rest.len(), |at| from + at + end.len())
    };
    let glued = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Kind::Comment, until("*/", 2));
    }
    let raw = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - raw.len();
    if !glued && prefix <= 1 && raw.starts_with('r') {
        let hashes = raw.chars().skip(1).take_while(|c| *c == '#').count();
        if raw.chars().nth(1 + hashes) == Some('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return (Kind::Text, until(&end, prefix + hashes + 2));
        }
    }
    if first == '"' {
        return (Kind::Text, quoted(rest, '"'));
    }
    if first == '\'' {
        // A lifetime has no closing quote within two characters; an escape has a backslash.
        let escape = rest.chars().nth(1) == Some('\\');
        if escape || rest.chars().nth(2) == Some('\'') {
            return (Kind::Text, quoted(rest, '\''));
        }
    }
    (Kind::Code, first.len_utf8())
}

/// Length of a quoted piece, escapes skipped.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

fn read_tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    for name in ["ARCHITECTURE.md", "Cargo.toml"] {
        tree.insert(name.to_owned(), fs::read_to_string(root.join(name)).unwrap_or_default());
    }
    for folder in ["src", "tests"] {
        read_folder(root, folder, &mut tree);
    }
    tree
}

fn read_folder(root: &Path, folder: &str, tree: &mut Tree) {
    let entries = fs::read_dir(root.join(folder)).expect("the folders of the tree can be listed");
    for entry in entries {
        let entry = entry.expect("the folders of the tree can be listed");
        let name = entry.file_name();
        let path = format!("{folder}/{}", name.to_str().expect("file names are UTF-8"));
        if entry.path().is_dir() {
            read_folder(root, &path, tree);
        } else {
            // A picture is not text; its name still counts.
            tree.insert(path, fs::read_to_string(entry.path()).unwrap_or_default());
        }
    }
}

/// A small tidy tree with one file replaced or added.
fn sample(path: &str, text: &str) -> Tree {
    let modules = LAYERS.iter().flat_map(|(_, modules)| *modules);
    let mut tree: Tree = modules
        .clone()
        .map(|module| (format!("src/{module}/mod.rs"), "//! A room.\n".to_owned()))
        .collect();
    let map: String = modules.map(|module| format!("{module}/ is a room\n")).collect();
    tree.insert("ARCHITECTURE.md".to_owned(), map);
    tree.insert(path.to_owned(), text.to_owned());
    tree
}

#[test]
fn each_rule_fires_on_a_bad_sample_at_its_line() {
    let long_line = format!("\nconst A: &str = \"{}\";", "x".repeat(100));
    let long_file = "\n".repeat(PRODUCTION_LINES_MAX + 1);
    let rows: &[(&str, &str, &str, usize)] = &[
        ("src/time/late.rs", "\nuse crate::canary::Canary;", "layer", 2),
        ("src/store/late.rs", "use crate::{\n    time::Clock,\n    runner::Run,\n};", "layer", 3),
        ("src/store/late.rs", "fn f() {\n    crate::notify::send();\n}", "layer", 2),
        ("src/report/late.rs", "use crate::store::Store;", "layer", 1),
        ("src/api/late.rs", "use super::super::cli;", "layer", 1),
        ("src/attic/mod.rs", "//! A room.", "layer", 1),
        ("src/alarm/late.rs", "\npub async fn f() {}", "impure-rule", 2),
        ("src/canary/late.rs", "use std::fs;", "impure-rule", 1),
        ("src/visual/late.rs", "use tracing::info;", "impure-rule", 1),
        ("src/cli/late.rs", &long_line, "long-line", 2),
        ("src/cli/late.rs", &long_file, "long-file", 1),
        ("src/cli/late.rs", "\n#[allow(dead_code)]\nfn f() {}", "allow-attribute", 2),
        ("tests/suite/late.rs", "// TODO later", "unnumbered-todo", 1),
        ("src/store/utils.rs", "", "empty-name", 1),
        ("src/store/mod.rs", "mod late;", "no-front-page", 1),
        ("src/store/late.rs", "enum ReadError {\n    Other(String),\n}", "string-error", 2),
        ("src/store/late.rs", "#[error(\"Cannot read.\")]", "error-text", 1),
        ("ARCHITECTURE.md", "no rooms", "unmapped-module", 1),
        ("Cargo.toml", "[dependencies]\nleftpad = \"1\"", "unargued-dependency", 1),
        ("Cargo.toml", "[features]\na = []\nb = []\nc = []", "features", 4),
        ("tests/ui/late.txt", "golden", "unread-golden", 1),
        ("src/store/snapshots/coalmine__store__late.snap", "golden", "unread-golden", 1),
    ];
    for (path, text, rule, line) in rows {
        let found = faults(&sample(path, text));
        let fired = found.iter().any(|fault| fault.rule == *rule && fault.line == *line);
        assert!(fired, "{rule} did not fire at {path}:{line}: {found:?}\n{text}");
    }
}

#[test]
fn what_only_looks_wrong_is_left_alone() {
    let rows: &[(&str, &str)] = &[
        ("src/canary/fine.rs", "// `use std::fs` is what rules must not do.\n"),
        ("src/canary/fine.rs", "const A: &str = r#\"async \"#[allow\" \"#;\n"),
        ("src/canary/fine.rs", "fn asynchronous<'a>(quote: char) { quote == '\"'; }\n"),
        ("src/canary/fine.rs", "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n"),
        ("src/cli/fine.rs", "use crate::{api, store::Store, time::{Clock, Period}};\n"),
        ("src/alarm/fine.rs", "use crate::query::Statistic;\n"),
        ("src/store/scan/fine.rs", "use super::super::Lsn;\n"),
        ("src/store/fine.rs", "// TODO #123: wider rows.\n"),
        ("src/store/fine.rs", "#[error(\"HTTP status {0}\")]\n"),
    ];
    for (path, text) in rows {
        let found = faults(&sample(path, text));
        assert!(found.is_empty(), "{path}: {found:?}\n{text}");
    }
}
