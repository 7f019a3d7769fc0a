//! A thousand hostile canary files: each is refused, or read, in bounded time, with a place.

use std::fs;
use std::path::Path;
use std::time::Duration;

use coalmine::canary::load::{NoImports, load};
use coalmine::diagnostic::{MessageFormat, SourceFile, render};
use coalmine::time::{Clock, SystemClock};

const FILES: u64 = 1000;

/// Far above what a file takes (a few milliseconds unoptimised), so that a busy machine passes.
const TIME_MAX: Duration = Duration::from_secs(5);

/// Things that break parsers, terminals and validators.
const POISON: &[&str] = &[
    "\u{0}",
    "\u{feff}",
    "\t",
    "\u{202e}",
    "\u{1b}[31m",
    "&a [*a]",
    "*nope",
    "!!binary x",
    "<<: 1",
    "{{",
    "}}",
    "{{ secret.X }}",
    "{{ a | b | c }}",
    "---",
    "...",
    "%YAML 9",
    "? ",
    ": ",
    "- - - -",
    "[[[[[[[[",
    "{a: {a: {a: ",
    "|\n",
    ">\n",
    "'",
    "\"",
    "\\",
    "#",
    "@",
    "`",
    "9999999999999999999",
    "1e999",
    ".nan",
    "~",
    "null",
    "matches /(a+)+$/",
    "matches /(((((/",
    "under",
    "$..[?@.a",
    "://",
    "rate(99999999999999999999 minutes)",
    "cron(* * * * * *)",
    "é漢字",
    "\r\n",
    "\u{85}\u{2028}",
];

/// A generator of our own, so that a failing file can be made again from its number.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Source: Steele et al., "Fast splittable pseudorandom number generators".
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides.max(1)).unwrap()).unwrap()
    }
}

pub(crate) fn mutated(seed: &str, number: u64) -> String {
    let mut dice = Dice(number);
    let mut lines: Vec<String> = seed.lines().map(str::to_owned).collect();
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(lines.len());
        let poison = POISON[dice.roll(POISON.len())];
        let line = lines[at].clone();
        let cut = line.char_indices().map(|(at, _)| at).nth(dice.roll(line.chars().count().max(1)));
        let (before, after) = line.split_at(cut.unwrap_or(0));
        match dice.roll(9) {
            0 => lines[at] = format!("{before}{poison}{after}"),
            1 => lines[at] = format!("{before}{poison}"),
            2 => lines[at] = after.to_owned(),
            3 => lines.insert(at, line),
            4 => drop(lines.remove(at)),
            5 => lines[at] = format!("  {line}"),
            6 => lines[at] = line.replace(": ", &format!(": {poison}")),
            7 => lines[at] = line.replacen(|c: char| c.is_alphabetic(), "x", 3),
            _ => lines[at] = format!("{before}{}{after}", poison.repeat(1 + dice.roll(3000))),
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n")
}

#[test]
fn a_thousand_hostile_files_are_answered_in_time_and_with_a_place() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/canary/valid.yaml");
    let seed = fs::read_to_string(path).unwrap();
    let mut refused = 0;
    for number in 0..FILES {
        let file = SourceFile::new("hostile.yaml", mutated(&seed, number));
        let begun = SystemClock.monotonic();
        let loaded = load(&file, Path::new("."), &NoImports);
        let took = SystemClock.monotonic().since(begun);
        assert!(took < TIME_MAX, "file {number} took {took:?}");
        let Err(faults) = loaded else { continue };
        refused += 1;
        assert!(!faults.is_empty(), "file {number} is refused without a word");
        for fault in &faults {
            let line = render(&fault.diagnostic, &fault.file, MessageFormat::Short);
            assert!(fault.diagnostic.span().is_some(), "file {number}: {line}");
            assert!(line.starts_with("hostile.yaml:"), "file {number}: {line}");
            assert!(!line.contains('\u{1b}') && line.lines().count() == 1, "file {number}: {line}");
        }
    }
    assert!(refused > FILES * 9 / 10, "only {refused} of {FILES} were refused");
}

#[test]
fn bombs_are_refused_at_once() {
    let pair = |n: usize| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n.max(1) - 1);
    let laughs: String = (1..40).map(pair).collect();
    for (name, text) in [
        ("deep lists", "[".repeat(1_000_000)),
        ("deep maps", "{a: ".repeat(100_000)),
        ("laughs", format!("a0: &a0 x\n{laughs}")),
        ("many keys", (0..60_000).map(|n| format!("k{n}: 1\n")).collect()),
        ("one key", format!("{}: 1", "k".repeat(900_000))),
        ("long scalar", format!("canary: {}", "x".repeat(1_000_000))),
        ("long template", format!("canary: a\ndescription: \"{{{{ {} }}}}\"", "(".repeat(200_000))),
        ("many templates", format!("canary: \"{}\"", "{{ a }}".repeat(30_000))),
        ("long regex", format!("canary: \"matches /{}/\"", "(a{99}){99}".repeat(99))),
        ("merges", format!("a: &a {{k: v}}\n{}", "b: {<<: *a}\n".repeat(10_000))),
        ("anchors", "- &a x\n".repeat(60_000)),
        ("comments", "#".repeat(900_000)),
    ] {
        let begun = SystemClock.monotonic();
        let loaded = load(&SourceFile::new("bomb.yaml", text), Path::new("."), &NoImports);
        let took = SystemClock.monotonic().since(begun);
        assert!(loaded.is_err(), "{name}");
        assert!(took < TIME_MAX, "{name} took {took:?}");
    }
}
