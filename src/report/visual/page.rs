use std::collections::BTreeMap;
use std::fmt::Write;

use super::markup::{data_url, escaped, script_hash};
use crate::visual::{
    Comparison, Outcome, PageChanges, Region, RegionVerdict, Size, TextChange, TextChangeKind,
    mask_png, thumbnail,
};

const STYLE: &str = include_str!("pictures.css");
const SCRIPT: &str = include_str!("pictures.js");

/// One picture of a report.
#[derive(Clone, Copy, Debug)]
pub struct PictureEntry<'a> {
    /// Its name, as its owner knows it.
    pub name: &'a str,
    /// The approved picture's file.
    pub baseline: Option<&'a [u8]>,
    /// The file of the picture taken now.
    pub actual: Option<&'a [u8]>,
    /// What became of it.
    pub state: PictureState<'a>,
    /// How a reader decides about it; a decided picture is shown even when it passes.
    pub decision: Option<PictureDecision<'a>>,
}

/// How a reader of the page decides about a picture.
#[derive(Clone, Copy, Debug)]
pub enum PictureDecision<'a> {
    /// By this command.
    Command(&'a str),
    /// By buttons; the page is served.
    Form(DecisionForm<'a>),
    /// It is decided, in these words.
    Decided(&'a str),
}

/// The buttons of one picture.
#[derive(Clone, Copy, Debug)]
pub struct DecisionForm<'a> {
    /// Shows that the form comes from the page.
    pub token: &'a str,
    /// How many pictures have the very same change.
    pub group: usize,
}

/// What became of a picture.
#[derive(Clone, Copy, Debug)]
pub enum PictureState<'a> {
    /// It was compared.
    Compared(&'a Comparison),
    /// There is no baseline.
    New,
    /// There is a baseline and no picture.
    Missing,
    /// One of the two cannot be read, for this reason.
    Unusable(&'a str),
}

/// Largest side of the pictures in the list.
const THUMBNAIL_SIDE: u32 = 88;

/// Regions that are drawn and listed for one picture.
const REGIONS_MAX: usize = 200;

/// Text and style changes that are listed for one picture.
const CHANGES_MAX: usize = 100;

/// Writes the report. Pictures that are the same are counted, not shown.
pub fn pictures_html(title: &str, entries: &[PictureEntry<'_>]) -> String {
    let shown: Vec<&PictureEntry<'_>> = entries.iter().filter(|entry| is_shown(entry)).collect();
    let title = escaped(title);
    let serves =
        entries.iter().any(|entry| matches!(entry.decision, Some(PictureDecision::Form(_))));
    let policy = format!(
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {}; \
         base-uri 'none'; {}",
        script_hash(SCRIPT),
        if serves { "connect-src 'self'; form-action 'self'" } else { "form-action 'none'" }
    );
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\
         <title>{title}</title>\n<style>\n{STYLE}</style></head>\n<body>\n"
    );
    page.push_str(&header(&title, entries));
    page.push_str(
        "<noscript><p class=\"no-js\">Without scripts all pictures are shown side by \
                   side.</p></noscript>\n<div class=\"layout\">\n",
    );
    page.push_str(&list(&shown));
    page.push_str("<main>\n");
    if shown.is_empty() {
        page.push_str("<p>All pictures are the same.</p>\n");
    }
    for (at, entry) in shown.iter().enumerate() {
        page.push_str(&section(at, entry));
    }
    write!(page, "</main></div>\n{HELP}\n<script>{SCRIPT}</script>\n</body></html>\n")
        .unwrap_or(());
    page
}

fn is_shown(entry: &PictureEntry<'_>) -> bool {
    if entry.decision.is_some() {
        return true;
    }
    match entry.state {
        PictureState::Compared(comparison) => {
            comparison.differing_pixels > 0 || comparison.outcome != Outcome::Passed
        }
        _ => true,
    }
}

const HELP: &str = r#"<dialog aria-label="Keys"><table>
<tr><td><kbd>n</kbd> <kbd>p</kbd></td><td>next and previous change, enlarged when small</td></tr>
<tr><td><kbd>j</kbd> <kbd>k</kbd></td><td>next and previous picture</td></tr>
<tr><td><kbd>1</kbd> … <kbd>5</kbd></td>
<td>side by side, slider, onion skin, blink, changed pixels</td></tr>
<tr><td><kbd>←</kbd> <kbd>→</kbd></td><td>move the slider, fade the onion skin</td></tr>
<tr><td><kbd>space</kbd></td><td>blink once</td></tr>
<tr><td><kbd>+</kbd> <kbd>-</kbd> <kbd>0</kbd></td><td>zoom in, out, fit</td></tr>
<tr><td><kbd>a</kbd> <kbd>x</kbd></td><td>approve, reject, where the page has buttons</td></tr>
<tr><td><kbd>b</kbd> <kbd>q</kbd></td><td>frames on and off, noise on and off</td></tr>
</table><form method="dialog"><button>Close</button></form></dialog>"#;

fn header(title: &str, entries: &[PictureEntry<'_>]) -> String {
    let mut counts: BTreeMap<(u8, &str), usize> = BTreeMap::new();
    for entry in entries {
        *counts.entry((rank(entry), label(entry))).or_default() += 1;
    }
    let counts: Vec<String> =
        counts.iter().map(|((_, label), count)| format!("<b>{count}</b> {label}")).collect();
    let modes = [
        ("side", "Side by side"),
        ("slider", "Slider"),
        ("onion", "Onion skin"),
        ("blink", "Blink"),
        ("mask", "Changed pixels"),
    ];
    let modes: String = modes
        .iter()
        .map(|(mode, text)| format!("<button data-set-mode=\"{mode}\">{text}</button>"))
        .collect();
    format!(
        "<header><h1>{title}</h1><span class=\"counts\">{}</span>\
         <span class=\"group\">{modes}</span>\
         <input id=\"split\" type=\"range\" aria-label=\"Share of the actual picture\" hidden>\
         <span class=\"group\"><button data-key=\"p\">‹ change</button>\
         <button data-key=\"n\">change ›</button></span>\
         <span class=\"group\"><button data-key=\"-\">−</button><span id=\"zoom\">100 %</span>\
         <button data-key=\"+\">+</button><button data-key=\"0\">Fit</button></span>\
         <button data-key=\"?\">Keys <kbd>?</kbd></button></header>\n",
        counts.join(", ")
    )
}

/// Order of the list: what needs a person first.
fn rank(entry: &PictureEntry<'_>) -> u8 {
    match entry.state {
        PictureState::Unusable(_) => 0,
        PictureState::Compared(comparison) if comparison.outcome == Outcome::Failed => 1,
        PictureState::Missing => 2,
        PictureState::New => 3,
        PictureState::Compared(comparison) if comparison.outcome == Outcome::Warned => 4,
        PictureState::Compared(_) => 5,
    }
}

fn label(entry: &PictureEntry<'_>) -> &'static str {
    match entry.state {
        PictureState::Unusable(_) => "unusable",
        PictureState::Missing => "missing",
        PictureState::New => "new",
        PictureState::Compared(comparison) => match comparison.outcome {
            Outcome::Failed => "differ",
            Outcome::Warned => "differ a little",
            Outcome::Passed => "pass",
        },
    }
}

fn class(entry: &PictureEntry<'_>) -> &'static str {
    match rank(entry) {
        0..=2 => "failed",
        3 | 4 => "warned",
        _ => "passed",
    }
}

/// The list of pictures; those with the very same change stand together.
fn list(shown: &[&PictureEntry<'_>]) -> String {
    let mut groups: BTreeMap<(u8, String), Vec<(usize, &PictureEntry<'_>)>> = BTreeMap::new();
    for (at, entry) in shown.iter().enumerate() {
        let change = match entry.state {
            PictureState::Compared(comparison) => comparison.change_id.clone(),
            _ => None,
        };
        let alone = format!("~{at:08}");
        groups.entry((rank(entry), change.unwrap_or(alone))).or_default().push((at, entry));
    }
    let mut nav = String::from("<nav aria-label=\"Pictures\">\n");
    for members in groups.values() {
        if members.len() > 1 {
            write!(nav, "<h2>{} pictures with the same change</h2>", members.len()).unwrap_or(());
        }
        nav.push_str("<ol>");
        for (at, entry) in members {
            let picture = entry.actual.or(entry.baseline).unwrap_or_default();
            let image = thumbnail(picture, THUMBNAIL_SIDE)
                .map(|small| format!("<img src=\"{}\" alt=\"\">", data_url(&small)))
                .unwrap_or_default();
            let (class, name, verdict) = (class(entry), escaped(entry.name), verdict(entry));
            let text = format!("<span>{name}<br><small class=\"{class}\">{verdict}</small></span>");
            write!(nav, "<li><a href=\"#p{at}\">{image}{text}</a></li>").unwrap_or(());
        }
        nav.push_str("</ol>\n");
    }
    nav.push_str("</nav>\n");
    nav
}

fn verdict(entry: &PictureEntry<'_>) -> String {
    match entry.state {
        PictureState::Compared(comparison) => comparison.verdict.to_string(),
        _ => label(entry).to_owned(),
    }
}

fn section(at: usize, entry: &PictureEntry<'_>) -> String {
    let summary = match entry.state {
        PictureState::Compared(comparison) => comparison.summary(),
        PictureState::New => "no baseline yet: approve it if it should look so".to_owned(),
        PictureState::Missing => "the baseline has no picture".to_owned(),
        PictureState::Unusable(reason) => reason.to_owned(),
    };
    let mut out = format!(
        "<section id=\"p{at}\"><h2>{} <span class=\"badge {}\">{}</span></h2>\
         <p class=\"summary\">{}</p>\n",
        escaped(entry.name),
        class(entry),
        verdict(entry),
        escaped(&summary)
    );
    out.push_str(&decision(entry));
    out.push_str(&stage(at, entry));
    if let PictureState::Compared(comparison) = entry.state {
        out.push_str(&regions(at, comparison));
        out.push_str(&changes(&comparison.page));
    }
    out.push_str("</section>\n");
    out
}

fn decision(entry: &PictureEntry<'_>) -> String {
    let name = escaped(entry.name);
    match entry.decision {
        None => String::new(),
        Some(PictureDecision::Decided(told)) => {
            format!("<p class=\"decision\"><output>{}</output></p>\n", escaped(told))
        }
        Some(PictureDecision::Command(command)) => {
            format!("<p class=\"decision\">approve: <code>{}</code></p>\n", escaped(command))
        }
        Some(PictureDecision::Form(DecisionForm { token, group })) => {
            let token = escaped(token);
            let group = match group {
                0 | 1 => String::new(),
                count => format!(
                    "<button name=\"verb\" value=\"approve-group\">Approve all {count} with this \
                     change</button>"
                ),
            };
            let noise = match entry.state {
                PictureState::Compared(_) => {
                    "<button name=\"verb\" value=\"noise\">Only noise</button>"
                }
                _ => "",
            };
            format!(
                "<form class=\"decision\" method=\"post\" action=\"decide\">\
                 <input type=\"hidden\" name=\"token\" value=\"{token}\">\
                 <input type=\"hidden\" name=\"name\" value=\"{name}\">\
                 <input name=\"why\" aria-label=\"Reason\" autocomplete=\"off\" \
                 placeholder=\"why (kept with the picture)\">\
                 <button name=\"verb\" value=\"approve\">Approve <kbd>a</kbd></button>{group}\
                 {noise}<button name=\"verb\" value=\"reject\">Reject <kbd>x</kbd></button>\
                 <output role=\"status\"></output></form>\n"
            )
        }
    }
}

fn stage(at: usize, entry: &PictureEntry<'_>) -> String {
    let size =
        |picture: Option<&[u8]>| picture.and_then(|picture| crate::visual::size_of(picture).ok());
    let (old, new) = (size(entry.baseline), size(entry.actual));
    let Some(largest) = [old, new].into_iter().flatten().map(|size| size.width).max() else {
        return String::new();
    };
    let wide = new.or(old).map_or(largest, |size| size.width);
    let mut out = format!(
        "<div class=\"view\" tabindex=\"0\"><div class=\"stage\" data-mode=\"side\" \
         data-width=\"{largest}\" style=\"--aw:{wide}\">"
    );
    let comparison = match entry.state {
        PictureState::Compared(comparison) => Some(comparison),
        _ => None,
    };
    if let (Some(picture), Some(size)) = (entry.baseline, old) {
        let boxes = comparison.map(|found| boxes(at, found, Face::Baseline)).unwrap_or_default();
        out.push_str(&figure("baseline", picture, size, &boxes));
    }
    if let (Some(picture), Some(size)) = (entry.actual, new) {
        let above = comparison.map(|found| {
            let mask = data_url(&mask_png(found));
            let boxes = boxes(at, found, Face::Actual);
            format!("<img class=\"mask\" src=\"{mask}\" alt=\"\">{boxes}")
        });
        out.push_str(&figure("actual", picture, size, &above.unwrap_or_default()));
    }
    out.push_str("</div></div>\n");
    out
}

fn figure(name: &str, picture: &[u8], size: Size, above: &str) -> String {
    format!(
        "<figure class=\"{name}\"><figcaption>{name}, {size}</figcaption>\
         <div class=\"frame\" style=\"--w:{};--h:{}\"><img src=\"{}\" alt=\"{name} picture\">\
         {above}</div></figure>",
        size.width,
        size.height,
        data_url(picture)
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Face {
    Baseline,
    Actual,
}

fn boxes(at: usize, comparison: &Comparison, face: Face) -> String {
    let mut out = String::new();
    for (number, region) in comparison.regions.iter().take(REGIONS_MAX).enumerate() {
        let area = if face == Face::Actual { region.area } else { region.baseline };
        write!(
            out,
            "<div class=\"box {}\" data-of=\"{at}-{number}\" \
             style=\"--x:{};--y:{};--bw:{};--bh:{}\"></div>",
            if region.is_blank { "moved" } else { region.verdict.name() },
            area.x,
            area.y,
            area.width,
            area.height
        )
        .unwrap_or(());
    }
    out
}

fn regions(at: usize, comparison: &Comparison) -> String {
    let mut out = String::from("<ol class=\"regions\">");
    for (number, region) in comparison.regions.iter().take(REGIONS_MAX).enumerate() {
        let area = region.area;
        let owner = region.owner.as_deref().map(escaped).unwrap_or_default();
        let kind = region.verdict.name();
        write!(
            out,
            "<li class=\"{kind}\"><button data-box=\"{at}-{number}\" data-x=\"{}\" data-y=\"{}\" \
             data-w=\"{}\" data-h=\"{}\">{} <small>{}x{} at {}, {} {owner}</small></button></li>",
            area.x,
            area.y,
            area.width,
            area.height,
            told(region),
            area.width.max(region.baseline.width),
            area.height.max(region.baseline.height),
            area.x,
            area.y
        )
        .unwrap_or(());
    }
    out.push_str("</ol>\n");
    let left = comparison.regions.len().saturating_sub(REGIONS_MAX);
    if left > 0 {
        write!(out, "<p>and {left} areas more</p>").unwrap_or(());
    }
    out
}

fn told(region: &Region) -> String {
    match region.verdict {
        RegionVerdict::Moved { dx, dy } => {
            let part = |distance: f32, ahead: &str, back: &str| match distance {
                0.0 => None,
                distance if distance > 0.0 => Some(format!("{distance} px {ahead}")),
                distance => Some(format!("{} px {back}", -distance)),
            };
            let parts = [part(dx, "right", "left"), part(dy, "down", "up")];
            format!("moved {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
        }
        verdict if region.is_blank => format!("{}, blank", verdict.name()),
        verdict => verdict.name().to_owned(),
    }
}

fn changes(page: &PageChanges) -> String {
    if page.is_empty() {
        return String::new();
    }
    let mut out = String::from("<table><tr><th>element</th><th>was</th><th>is</th></tr>");
    let mut row = |owner: &str, what: &str, was: &str, is: &str| {
        write!(
            out,
            "<tr><td><code>{}</code> <small>{what}</small></td><td><del>{}</del></td>\
             <td><ins>{}</ins></td></tr>",
            escaped(owner),
            escaped(was),
            escaped(is)
        )
        .unwrap_or(());
    };
    for TextChange { kind, owner, baseline, actual, .. } in page.texts.iter().take(CHANGES_MAX) {
        let kind = match kind {
            TextChangeKind::Changed => "text",
            TextChangeKind::Digits => "digits",
            TextChangeKind::Added => "text added",
            TextChangeKind::Removed => "text removed",
        };
        row(owner, kind, baseline, actual);
    }
    for change in page.styles.iter().take(CHANGES_MAX) {
        let property = escaped(&change.property);
        row(&change.selector, &property, &change.baseline, &change.actual);
    }
    out.push_str("</table>\n");
    out
}
