//! HTTP archives, as every browser's network panel saves them.
//!
//! Main function: [`draft`]. Differs: what a browser loads to draw a page (pictures, fonts, style,
//! scripts) and what it asks of other hosts (counters, advertisements) is no business of a canary
//! and is left out, and said; redirects are followed by the canary itself.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::assemble::{STEPS_MAX, assemble};
use super::draft::Draft;
use super::recorded::{Recorded, RecordedAnswer, RecordedBody, RecordedPart, media_type};
use super::{ImportError, ImportExtent, ImportOptions};

/// BOUND: entries of an archive that are looked at.
const ENTRIES_MAX: usize = 100_000;

/// Makes a draft of an archive.
///
/// Errors: it is no archive; nothing of it is left.
/// Source: HTTP Archive (HAR) format, version 1.2.
pub fn draft(text: &str, options: &ImportOptions) -> Result<Draft, ImportError> {
    let not_a = |reason: String| ImportError::NotA { what: "HAR file", reason };
    let root: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| not_a(error.to_string()))?;
    let entries = root.pointer("/log/entries").and_then(Value::as_array);
    let entries = entries.ok_or_else(|| not_a("it has no `log.entries`".to_owned()))?;
    let mut left_out = LeftOut::default();
    let mut asked = Vec::new();
    for entry in entries.iter().take(ENTRIES_MAX) {
        match recorded(entry) {
            Ok(recorded) => asked.push((recorded, redirect(entry))),
            Err(why) => left_out.count(why),
        }
    }
    let base = site(&asked).ok_or_else(|| ImportError::Nothing { reason: left_out.to_string() })?;
    let kept = chosen(asked, &base, options.extent, &mut left_out);
    let cookies = first_cookies(entries, &base);
    let mut draft = assemble(&kept, &base, base.host_str().unwrap_or("recorded"), options);
    let steps = kept.len().min(STEPS_MAX);
    draft.notes.push(format!("From an HTTP archive: {steps} of {} requests.", entries.len()));
    if !left_out.0.is_empty() {
        draft.notes.push(format!("Left out: {left_out}."));
    }
    if kept.len() > STEPS_MAX {
        let more = kept.len() - STEPS_MAX;
        draft.notes.push(format!("{more} more requests would not fit into one canary."));
    }
    if cookies {
        let note = "The recording began signed in: its cookies are not taken over. Add a step that \
                    signs in.";
        draft.notes.push(note.to_owned());
    }
    Ok(draft)
}

/// Why entries were left out, and how many.
#[derive(Debug, Default)]
struct LeftOut(BTreeMap<&'static str, usize>);

impl LeftOut {
    fn count(&mut self, why: &'static str) {
        *self.0.entry(why).or_default() += 1;
    }
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("it holds no requests");
        }
        let parts: Vec<String> =
            self.0.iter().map(|(why, count)| format!("{count} {why}")).collect();
        f.write_str(&parts.join("; "))
    }
}

const STATIC: &str = "for pictures, fonts, style and scripts";
const PREFLIGHT: &str = "that browsers ask before others";
const UNANSWERED: &str = "without an answer";
const OTHER_SCHEME: &str = "not over HTTP";
const REDIRECTED: &str = "that redirects lead to";
const OTHER_HOST: &str = "to other hosts";

/// An entry that a canary would ask, or why it would not.
fn recorded(entry: &Value) -> Result<Recorded, &'static str> {
    let request = entry.get("request").unwrap_or(&Value::Null);
    let response = entry.get("response").unwrap_or(&Value::Null);
    let (method, url) = (text(request, "method"), text(request, "url"));
    let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(parsed) = parsed else { return Err(OTHER_SCHEME) };
    if method.eq_ignore_ascii_case("OPTIONS") {
        return Err(PREFLIGHT);
    }
    let content = response.get("content").unwrap_or(&Value::Null);
    let media_type = media_type(text(content, "mimeType"));
    if is_static(entry, &parsed, &media_type) {
        return Err(STATIC);
    }
    let status = response.get("status").and_then(Value::as_u64);
    let status = status.and_then(|status| u16::try_from(status).ok());
    let status = status.filter(|status| (200..600).contains(status)).ok_or(UNANSWERED)?;
    let has_body = !matches!(status, 204 | 205 | 304);
    let is_json = media_type.ends_with("json");
    let answer = RecordedAnswer {
        // Without the cache that a browser has, the whole answer comes.
        status: if status == 304 { 200 } else { status },
        media_type: if has_body && media_type != "x-unknown" { media_type } else { String::new() },
        json: if is_json { serde_json::from_str(text(content, "text")).ok() } else { None },
    };
    Ok(Recorded {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: pairs(request, "headers"),
        body: body(request),
        answer: Some(answer),
        ..Recorded::default()
    })
}

fn is_static(entry: &Value, url: &Url, media_type: &str) -> bool {
    const KINDS: &[&str] =
        &["image", "stylesheet", "script", "font", "media", "manifest", "texttrack", "ping"];
    const ENDINGS: &[&str] = &[
        ".css", ".js", ".mjs", ".map", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".avif",
        ".ico", ".woff", ".woff2", ".ttf", ".otf", ".mp4", ".webm", ".mp3",
    ];
    // Browsers other than Firefox say what asked for it.
    let kind = entry.get("_resourceType").and_then(Value::as_str).unwrap_or("");
    if matches!(kind, "xhr" | "fetch" | "document") {
        return false;
    }
    let path = url.path().to_ascii_lowercase();
    KINDS.contains(&kind)
        || ENDINGS.iter().any(|ending| path.ends_with(ending))
        || ["image/", "font/", "video/", "audio/"].iter().any(|kind| media_type.starts_with(kind))
        || matches!(media_type, "text/css" | "text/javascript" | "application/javascript")
}

fn body(request: &Value) -> RecordedBody {
    let Some(data) = request.get("postData") else { return RecordedBody::Empty };
    let mime = text(data, "mimeType");
    let written = RecordedBody::of(text(data, "text"), mime);
    let params = data.get("params").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if params.is_empty() {
        return written;
    }
    match media_type(mime).as_str() {
        "multipart/form-data" => RecordedBody::Multipart(params.iter().map(part).collect()),
        _ if matches!(written, RecordedBody::Empty) => RecordedBody::Form(pairs(data, "params")),
        _ => written,
    }
}

fn part(param: &Value) -> (String, RecordedPart) {
    let name = text(param, "name").to_owned();
    match param.get("fileName").and_then(Value::as_str) {
        Some(file) => (name, RecordedPart::File(file.to_owned())),
        None => (name, RecordedPart::Text(text(param, "value").to_owned())),
    }
}

/// Where an entry sends the browser.
fn redirect(entry: &Value) -> Option<Url> {
    let status = entry.pointer("/response/status").and_then(Value::as_u64)?;
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let from = Url::parse(entry.pointer("/request/url")?.as_str()?).ok()?;
    let to = entry.pointer("/response/redirectURL").and_then(Value::as_str);
    let to = to.filter(|to| !to.is_empty()).map(str::to_owned).or_else(|| {
        let headers = pairs(entry.get("response")?, "headers");
        headers
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("location"))
            .map(|(_, to)| to)
    })?;
    from.join(&to).ok()
}

/// The site that was recorded: that of the first page, or else of the first request.
fn site(asked: &[(Recorded, Option<Url>)]) -> Option<Url> {
    let is_page = |recorded: &Recorded| {
        recorded.answer.as_ref().is_some_and(|answer| answer.media_type == "text/html")
    };
    let page = asked.iter().find(|(recorded, redirect)| redirect.is_none() && is_page(recorded));
    let (first, _) = page.or(asked.first())?;
    Url::parse(&first.url).ok()
}

/// The requests that become steps. A canary follows redirects by itself: what a chain of them ends
/// with is the answer of its first request.
fn chosen(
    asked: Vec<(Recorded, Option<Url>)>,
    base: &Url,
    extent: ImportExtent,
    left_out: &mut LeftOut,
) -> Vec<Recorded> {
    let mut kept: Vec<Recorded> = Vec::new();
    // Where a chain of redirects stands, and which of `kept` began it.
    let mut chains: Vec<(Url, Option<usize>)> = Vec::new();
    for (recorded, redirect) in asked {
        let Ok(url) = Url::parse(&recorded.url) else { continue };
        if let Some(at) = chains.iter().position(|(next, _)| *next == url) {
            let (_, first) = chains.remove(at);
            if let Some(first) = first.and_then(|first| kept.get_mut(first)) {
                first.answer.clone_from(&recorded.answer);
            }
            if let Some(next) = redirect {
                chains.push((next, first));
            }
            left_out.count(REDIRECTED);
            continue;
        }
        if extent == ImportExtent::Careful && url.origin() != base.origin() {
            left_out.count(OTHER_HOST);
            // What it leads to is not asked either.
            chains.extend(
                redirect.map(|next| (next, None)).filter(|(n, _)| n.origin() != base.origin()),
            );
            continue;
        }
        chains.extend(redirect.map(|next| (next, Some(kept.len()))));
        kept.push(recorded);
    }
    kept
}

/// Whether the first request to the site had cookies already.
fn first_cookies(entries: &[Value], base: &Url) -> bool {
    let first = entries.iter().filter_map(|entry| entry.get("request")).find(|request| {
        Url::parse(text(request, "url")).is_ok_and(|url| url.origin() == base.origin())
    });
    first.is_some_and(|request| {
        pairs(request, "headers").iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie"))
            || !pairs(request, "cookies").is_empty()
    })
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

fn pairs(value: &Value, key: &str) -> Vec<(String, String)> {
    let list = value.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter()
        .map(|pair| (text(pair, "name").to_owned(), text(pair, "value").to_owned()))
        .collect()
}
