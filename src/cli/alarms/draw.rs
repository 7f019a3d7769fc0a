use std::collections::BTreeSet;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style as Ansi};

use crate::alarm::replay::{Page, PageKind};
use crate::cli::words::{grouped, length, minute, times};
use crate::diagnostic::{Style, printable};
use crate::monitor::backtest::{Backtest, Outcome};
use crate::time::TimeRange;

/// How a backtest is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawing {
    pub(super) style: Style,
    pub(super) lists_all: bool,
}

/// Columns of the strip that shows the whole time.
const STRIP: usize = 60;
/// Eighths of a column, from none to all of it in ALARM.
const BLOCKS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// BOUND: of more pages only the last are listed, unless all are asked for.
const LISTED: usize = 30;

/// One line of a comparison.
type Fact = fn(&Outcome, TimeRange) -> String;

impl Drawing {
    /// The backtest as people read it.
    pub(super) fn of(self, backtest: &Backtest) -> String {
        let mut text = String::new();
        self.head(&mut text, backtest);
        match &backtest.changed {
            None => self.alone(&mut text, backtest),
            Some(changed) => self.beside(&mut text, backtest, changed),
        }
        let versions = || std::iter::once(&backtest.original).chain(&backtest.changed);
        if versions().any(|outcome| outcome.flakes > 0) {
            add(
                &mut text,
                format_args!("\n{}: no breach came after those that paged\n", {
                    let bounds = versions().map(|outcome| outcome.flake_bound_secs);
                    match bounds.collect::<BTreeSet<_>>().first() {
                        Some(bound) if versions().all(|o| o.flake_bound_secs == *bound) => {
                            let bound = length(i64::try_from(*bound).unwrap_or(i64::MAX));
                            format!("a flake was over within {bound}")
                        }
                        _ => "a flake was over in the least time that M of N allows".to_owned(),
                    }
                }),
            );
        }
        text
    }

    fn head(self, text: &mut String, backtest: &Backtest) {
        let strong = self.ansi(Ansi::new().bold());
        let (name, range) = (printable(&backtest.alarm), backtest.replayed);
        add(text, format_args!("{strong}{name}{strong:#}\n"));
        add(text, format_args!("{}\n", printable(&backtest.original.condition)));
        let (from, to) = (minute(range.start), minute(range.end));
        let lasted = length(range.end.millis_since(range.start) / 1_000);
        let evaluations = grouped(backtest.original.evaluations);
        add(text, format_args!("{from} to {to} UTC: {lasted}, {evaluations} evaluations\n"));
        if backtest.coarse_before {
            let from = minute(range.start);
            add(
                text,
                format_args!(
                    "older data is kept in steps too coarse for this alarm: from {from} on\n"
                ),
            );
        } else if backtest.asked.start < range.start {
            add(text, format_args!("nothing is stored of the time before\n"));
        }
        add(text, format_args!("\n"));
    }

    fn alone(self, text: &mut String, backtest: &Backtest) {
        let (outcome, range) = (&backtest.original, backtest.replayed);
        add(text, format_args!("  {}\n\n", self.strip(outcome, range)));
        add(text, format_args!("{}\n", verdict(outcome, range)));
        if outcome.pages.is_empty() {
            return;
        }
        let (pages, left_out) = self.listed(&outcome.pages);
        let worst: Vec<String> = pages.iter().map(|page| number(page.worst)).collect();
        let wide = worst.iter().map(String::len).max().unwrap_or(0).max("worst".len());
        add(text, format_args!("\n  {:<19}  {:>12}  {:>wide$}\n", "paged", "for", "worst"));
        if left_out > 0 {
            add(text, format_args!("  ... {left_out} more; --all lists them\n"));
        }
        for (page, worst) in pages.iter().zip(&worst) {
            let (from, lasted) = (minute(page.from), lasted(page, range));
            let mark = self.mark(page.kind);
            let line = format!("  {from:<19}  {lasted:>12}  {worst:>wide$}");
            add(text, format_args!("{line}{mark}\n"));
        }
    }

    fn beside(self, text: &mut String, backtest: &Backtest, changed: &Outcome) {
        let (original, range) = (&backtest.original, backtest.replayed);
        let settings = changed.settings.join(", ");
        let is_short = settings.chars().count() <= 24;
        let name = if is_short { settings.as_str() } else { "changed" };
        if !is_short {
            add(text, format_args!("changed: {settings}\n\n"));
        }
        let wide = name.chars().count().max("as it is".len());
        for (label, outcome) in [("as it is", original), (name, changed)] {
            add(text, format_args!("  {label:<wide$}  {}\n", self.strip(outcome, range)));
        }
        let column = wide.max(14);
        add(text, format_args!("\n  {:<14}  {:>14}  {name:>column$}\n", "", "as it is"));
        let facts: [(&str, Fact); 5] = [
            ("pages", |outcome, _| grouped(outcome.pages.len().try_into().unwrap_or(u64::MAX))),
            ("of them flakes", |outcome, _| outcome.flakes.to_string()),
            ("in ALARM", |outcome, _| length(outcome.alarm_secs)),
            ("longest", |outcome, range| {
                let longest = outcome.pages.iter().map(|page| seconds(page, range)).max();
                length(longest.unwrap_or(0))
            }),
            ("without data", |outcome, _| length(outcome.unknown_secs)),
        ];
        for (label, fact) in facts {
            let (one, other) = (fact(original, range), fact(changed, range));
            add(text, format_args!("  {label:<14}  {one:>14}  {other:>column$}\n"));
        }
        self.pairs(text, backtest, (changed, name));
    }

    fn pairs(self, text: &mut String, backtest: &Backtest, (changed, name): (&Outcome, &str)) {
        let range = backtest.replayed;
        let pairs = paired(&backtest.original.pages, &changed.pages, range);
        if pairs.is_empty() {
            return add(text, format_args!("\nneither would have paged\n"));
        }
        let (pairs, left_out) = self.listed(&pairs);
        add(text, format_args!("\n  {:<38}  {name}\n", "as it is"));
        if left_out > 0 {
            add(text, format_args!("  ... {left_out} more; --all lists them\n"));
        }
        for pair in pairs {
            let side = |page: Option<&Page>| match page {
                None => ("-".to_owned(), String::new()),
                Some(page) => {
                    let said = format!("{:<16}  {:>12}", minute(page.from), lasted(page, range));
                    (said, self.mark(page.kind))
                }
            };
            let ((one, one_mark), (other, other_mark)) = (side(pair.0), side(pair.1));
            let space = " ".repeat(38_usize.saturating_sub(one.chars().count() + marked(pair.0)));
            let note = match pair {
                (Some(one), Some(other)) => moved(one, other),
                (None, Some(_)) => "  only here".to_owned(),
                _ => String::new(),
            };
            let line = format!("  {one}{one_mark}{space}  {other}{other_mark}{note}");
            add(text, format_args!("{}\n", line.trim_end()));
        }
    }

    /// The whole time in one line, a column the higher the more of its time was in ALARM.
    fn strip(self, outcome: &Outcome, range: TimeRange) -> String {
        let red = self.ansi(AnsiColor::Red.on_default());
        let whole = range.end.millis_since(range.start).max(1);
        let columns = i64::try_from(STRIP).unwrap_or(1);
        let edge = |column: i64| range.start.plus_millis(whole * column / columns);
        let column = |number: i64| {
            let (from, to) = (edge(number), edge(number + 1));
            let inside = |page: &Page| {
                let until = page.until.unwrap_or(range.end).min(to);
                until.millis_since(page.from.max(from)).max(0)
            };
            let touched = outcome.pages.iter().any(|page| page.from >= from && page.from < to);
            let alarm: i64 = outcome.pages.iter().map(inside).sum();
            let eighths = (alarm * 8).div_euclid(to.millis_since(from).max(1)).clamp(0, 8);
            // Somebody who was paged sees it, however short it was.
            let eighths = if alarm > 0 || touched { eighths.max(1) } else { 0 };
            usize::try_from(eighths).ok().and_then(|at| BLOCKS.get(at)).copied().unwrap_or('·')
        };
        let drawn: String = (0..columns).map(column).collect();
        format!("{red}{drawn}{red:#}")
    }

    /// The last of a list, and how many are left out.
    fn listed<T: Clone>(self, all: &[T]) -> (Vec<T>, usize) {
        let left_out = if self.lists_all { 0 } else { all.len().saturating_sub(LISTED) };
        (all.iter().skip(left_out).cloned().collect(), left_out)
    }

    fn mark(self, kind: PageKind) -> String {
        let yellow = self.ansi(AnsiColor::Yellow.on_default());
        match kind {
            PageKind::Lasting => String::new(),
            PageKind::Flake => format!("  {yellow}flake{yellow:#}"),
            PageKind::Open => "  open".to_owned(),
        }
    }

    fn ansi(self, ansi: Ansi) -> Ansi {
        if self.style == Style::Coloured { ansi } else { Ansi::new() }
    }
}

fn verdict(outcome: &Outcome, range: TimeRange) -> String {
    let count = outcome.pages.len();
    let mut said = match count {
        0 => "would never have paged".to_owned(),
        _ => format!("would have paged {}", times(count)),
    };
    match (outcome.flakes, count) {
        (0, _) => {}
        (flakes, count) if flakes == count && count == 1 => said.push_str(", a flake"),
        (flakes, count) if flakes == count => said.push_str(", all of them flakes"),
        (flakes, _) => add(&mut said, format_args!(", {flakes} of them flakes")),
    }
    if outcome.alarm_secs > 0 {
        let whole = (range.end.millis_since(range.start) / 1_000).max(1);
        let percent = share(outcome.alarm_secs, whole);
        add(&mut said, format_args!("; {} in ALARM ({percent} %)", length(outcome.alarm_secs)));
    }
    if outcome.unknown_secs > 0 {
        add(&mut said, format_args!("; {} without data", length(outcome.unknown_secs)));
    }
    if outcome.suppressed > 0 {
        add(&mut said, format_args!("; {} more held by the suppressor", outcome.suppressed));
    }
    said
}

/// A share in percent, with two digits that mean something.
fn share(part: i64, whole: i64) -> String {
    // Seconds of years fit an f64 exactly.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 seconds")]
    let percent = part as f64 * 100.0 / whole as f64;
    if percent < 1.0 { format!("{percent:.2}") } else { format!("{percent:.1}") }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(
        || "-".to_owned(),
        |value| {
            let text = format!("{value:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        },
    )
}

fn seconds(page: &Page, range: TimeRange) -> i64 {
    page.until.unwrap_or(range.end).millis_since(page.from) / 1_000
}

fn lasted(page: &Page, range: TimeRange) -> String {
    length(seconds(page, range))
}

/// How wide the mark of a page is on the screen.
fn marked(page: Option<&Page>) -> usize {
    match page.map(|page| page.kind) {
        Some(PageKind::Flake) => "  flake".len(),
        Some(PageKind::Open) => "  open".len(),
        _ => 0,
    }
}

fn moved(one: &Page, other: &Page) -> String {
    let later = other.from.millis_since(one.from) / 1_000;
    match later {
        0 => String::new(),
        later if later > 0 => format!("  {} later", length(later)),
        earlier => format!("  {} earlier", length(-earlier)),
    }
}

type Pair<'a> = (Option<&'a Page>, Option<&'a Page>);

/// Pages of two versions side by side, in order of time: those that overlap are one pair.
fn paired<'a>(one: &'a [Page], other: &'a [Page], range: TimeRange) -> Vec<Pair<'a>> {
    let end = |page: &Page| page.until.unwrap_or(range.end);
    let overlap = |a: &Page, b: &Page| a.from <= end(b) && b.from <= end(a);
    let (mut left, mut right) = (one.iter().peekable(), other.iter().peekable());
    let mut pairs = Vec::new();
    loop {
        match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if overlap(a, b) => pairs.push((left.next(), right.next())),
            (Some(a), Some(b)) if a.from <= b.from => pairs.push((left.next(), None)),
            (Some(_), None) => pairs.push((left.next(), None)),
            (_, Some(_)) => pairs.push((None, right.next())),
            (None, None) => return pairs,
        }
    }
}

/// Writing to a String cannot fail.
fn add(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).unwrap_or(());
}
