//! User flows as the Recorder panel of Chrome's developer tools exports them.
//!
//! Main function: [`draft`]. A page is a step, named after its title; what is done on it are the
//! step's actions. Differs: elements are found as a person names them (role and name, label, text)
//! where the recording knows such a name, and by CSS only where it knows no better; scrolling is
//! left out, because every action brings its element into view by itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use url::Url;

use super::draft::{Draft, DraftStep, base_variable, canary_name, escaped};
use super::recorder_locator::{Purpose, is_secret_field, locator};
use super::scheme::Scheme;
use super::{ImportError, ImportOptions};

/// BOUND: steps of a recording that are looked at.
const STEPS_MAX: usize = 10_000;

/// Makes a draft of a recording.
///
/// Errors: it is no recording; it has a step that no page action does.
/// Source: `@puppeteer/replay`, "Schema" (`UserFlow`), as of DevTools 156.
pub fn draft(text: &str, options: &ImportOptions) -> Result<Draft, ImportError> {
    let not_a = |reason: String| ImportError::NotA { what: "recording", reason };
    let root: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| not_a(error.to_string()))?;
    let recorded = root.get("steps").and_then(Value::as_array);
    let recorded = recorded.ok_or_else(|| not_a("it has no `steps`".to_owned()))?;
    if recorded.len() > STEPS_MAX {
        return Err(not_a(format!("it has more than {STEPS_MAX} steps")));
    }
    let title = text_of(&root, "title");
    let first = recorded.iter().find(|step| text_of(step, "type") == "navigate");
    let first = first.and_then(|step| Url::parse(text_of(step, "url")).ok());
    let Some(first) = first.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        let reason = "it opens no page".to_owned();
        return Err(ImportError::Nothing { reason });
    };
    let origin = first.origin().ascii_serialization();
    let mut flow = Flow::new(origin.clone());
    for (at, step) in recorded.iter().enumerate() {
        flow.take(step, recorded.get(at + 1))?;
    }
    flow.close_page();
    let target = options.base_url.as_deref().map_or(origin, |url| url.trim_end_matches('/').into());
    let mut notes = vec![format!("From a recording of {} steps.", recorded.len())];
    if !flow.left_out.is_empty() {
        let parts: Vec<String> =
            flow.left_out.iter().map(|(what, count)| format!("{count} {what}")).collect();
        notes.push(format!("Left out: {}.", parts.join("; ")));
    }
    Ok(Draft {
        name: options.name.clone().unwrap_or_else(|| canary_name(title)),
        notes,
        variables: vec![("base".to_owned(), base_variable(&target))],
        secrets: flow.scheme.secrets(),
        steps: flow.pages,
        ..Draft::default()
    })
}

fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

/// A recording while it is read.
struct Flow {
    origin: String,
    scheme: Scheme,
    pages: Vec<DraftStep>,
    /// The step under construction.
    name: String,
    actions: Vec<Value>,
    /// Where the recording works: the target and frame of its last action.
    place: Place,
    /// Keys that are held down.
    held: Vec<String>,
    left_out: BTreeMap<&'static str, usize>,
}

/// The tab and the frames within it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    target: String,
    frame: Vec<u64>,
}

impl Place {
    fn of(step: &Value) -> Self {
        let frame = step.get("frame").and_then(Value::as_array);
        let frame = frame.into_iter().flatten().filter_map(Value::as_u64).collect();
        Self { target: text_of(step, "target").replace("main", ""), frame }
    }
}

impl Flow {
    fn new(origin: String) -> Self {
        Self {
            origin,
            scheme: Scheme::default(),
            pages: Vec::new(),
            name: String::new(),
            actions: Vec::new(),
            place: Place::default(),
            held: Vec::new(),
            left_out: BTreeMap::new(),
        }
    }

    fn take(&mut self, step: &Value, next: Option<&Value>) -> Result<(), ImportError> {
        let kind = text_of(step, "type");
        match kind {
            "setViewport" => {
                let side = |key| step.get(key).and_then(Value::as_u64).unwrap_or(0);
                let size = format!("{}x{}", side("width").max(100), side("height").max(100));
                self.actions.push(json!({ "viewport": size }));
            }
            "navigate" => {
                self.close_page();
                let url = self.url(text_of(step, "url"));
                self.place = Place::default();
                self.actions.push(json!({ "open": url }));
                self.arrive(step);
            }
            "click" | "doubleClick" | "hover" => {
                self.go_to(step);
                let key = match (kind, text_of(step, "button")) {
                    ("click", "" | "primary") => "click",
                    ("doubleClick", "" | "primary") => "double_click",
                    ("hover", _) => "hover",
                    (_, button) => {
                        return Err(unsupported(&format!("a click of the {button} button")));
                    }
                };
                let found = locator(step, Purpose::Point)?;
                self.actions.push(json!({ key: found }));
                self.arrive(step);
            }
            "change" => self.change(step)?,
            "keyDown" => self.key_down(text_of(step, "key"), step, next),
            "keyUp" => self.held.retain(|key| key != text_of(step, "key")),
            "waitForElement" => self.wait_for(step)?,
            "scroll" => *self.left_out.entry("that only scroll").or_default() += 1,
            "close" => self.actions.push(json!({ "tab": "close" })),
            "emulateNetworkConditions" => {
                *self.left_out.entry("that slow the network").or_default() += 1;
            }
            other => return Err(unsupported(&format!("a recorded step `{other}`"))),
        }
        Ok(())
    }

    /// Ends the step of a page; the next action begins another.
    fn close_page(&mut self) {
        let actions = std::mem::take(&mut self.actions);
        let is_only_size = actions.iter().all(|action| action.get("viewport").is_some());
        if is_only_size {
            self.actions = actions;
            return;
        }
        self.pages.push(DraftStep {
            name: std::mem::take(&mut self.name),
            action: ("browser", Value::Array(actions)),
            expect: Map::new(),
            capture: Map::new(),
        });
    }

    /// What the page says once an action led to it; a page of another address is a new step.
    fn arrive(&mut self, step: &Value) {
        let asserted = step.get("assertedEvents").and_then(Value::as_array);
        let is_arrival = |event: &&Value| text_of(event, "type") == "navigation";
        let Some(event) = asserted.into_iter().flatten().find(is_arrival) else {
            self.name_page(step);
            return;
        };
        let is_opened = text_of(step, "type") == "navigate";
        if !is_opened && let Ok(url) = Url::parse(text_of(event, "url")) {
            self.name_page(step);
            if url.path() != "/" {
                let path = escaped(url.path());
                self.actions.push(json!({ "wait": { "url": { "contains": path } } }));
            }
            self.close_page();
        }
        let title = text_of(event, "title");
        if title.trim().is_empty() {
            self.name_page(step);
            return;
        }
        self.actions.push(json!({ "expect": { "title": escaped(title) } }));
        if is_opened || self.name.is_empty() {
            self.name = short(title);
        }
    }

    /// Names a step that has no title yet.
    fn name_page(&mut self, step: &Value) {
        if self.name.is_empty() {
            let url = Url::parse(text_of(step, "url")).ok();
            self.name = url.map_or_else(|| "work on the page".to_owned(), |url| short(url.path()));
        }
    }

    fn change(&mut self, step: &Value) -> Result<(), ImportError> {
        self.go_to(step);
        let found = locator(step, Purpose::Fill)?;
        let value = text_of(step, "value");
        let key = if is_secret_field(step) { "password" } else { "" };
        let text = self.scheme.text(key, value);
        let written = written(&found);
        self.actions.push(json!({ "fill": { written: text } }));
        self.arrive(step);
        Ok(())
    }

    /// A key; one that is held while another is pressed is part of a chord.
    fn key_down(&mut self, key: &str, step: &Value, next: Option<&Value>) {
        self.go_to(step);
        let is_held = matches!(key, "Control" | "Shift" | "Alt" | "Meta");
        let is_alone = next
            .is_some_and(|next| text_of(next, "type") == "keyUp" && text_of(next, "key") == key);
        if is_held && !is_alone {
            self.held.push(key.to_owned());
            return;
        }
        let chord: Vec<&str> = self.held.iter().map(String::as_str).chain([key]).collect();
        self.actions.push(json!({ "press": escaped(&chord.join("+")) }));
        self.arrive(step);
    }

    fn wait_for(&mut self, step: &Value) -> Result<(), ImportError> {
        self.go_to(step);
        let found = locator(step, Purpose::Point)?;
        for key in ["properties", "attributes"] {
            let named = step.get(key).and_then(Value::as_object);
            if named.is_some_and(|named| !named.is_empty()) {
                return Err(unsupported(&format!("waiting for {key} of an element")));
            }
        }
        let count = step.get("count").and_then(Value::as_u64).unwrap_or(1);
        let is_shown = step.get("visible").and_then(Value::as_bool).unwrap_or(true);
        let wait = match (text_of(step, "operator"), count, is_shown) {
            ("" | ">=" | "==", 1, true) => json!({ "wait": found }),
            ("==", 0, _) | ("" | ">=" | "==", 1, false) => json!({ "wait": { "hidden": found } }),
            (operator, count, _) => {
                let predicate = match operator {
                    "==" => json!(count),
                    "<=" => json!({ "under": count.saturating_add(1) }),
                    _ => json!({ "over": count.saturating_sub(1) }),
                };
                json!({ "expect": { "count": { written(&found): predicate } } })
            }
        };
        self.actions.push(wait);
        Ok(())
    }

    /// Goes to the tab and frame of an action.
    fn go_to(&mut self, step: &Value) {
        let place = Place::of(step);
        if place == self.place {
            return;
        }
        if !self.place.frame.is_empty() {
            self.actions.push(json!({ "frame": "main" }));
        }
        if place.target != self.place.target {
            let to = if place.target.is_empty() { "first" } else { "newest" };
            self.actions.push(json!({ "tab": to }));
        }
        for nth in &place.frame {
            self.actions.push(json!({ "frame": { "css": "iframe, frame", "nth": nth } }));
        }
        self.place = place;
    }

    fn url(&self, text: &str) -> String {
        let Ok(url) = Url::parse(text) else { return escaped(text) };
        let rest = text.get(self.origin.len()..).filter(|_| text.starts_with(&self.origin));
        match rest {
            Some(rest) if url.origin().ascii_serialization() == self.origin => {
                let rest = if rest.is_empty() { "/" } else { rest };
                format!("{{{{ base }}}}{}", escaped(rest))
            }
            _ => escaped(text),
        }
    }
}

fn unsupported(what: &str) -> ImportError {
    ImportError::Unsupported { what: what.to_owned() }
}

fn short(text: &str) -> String {
    const LENGTH_MAX: usize = 60;
    let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
    squeezed.chars().filter(|c| !c.is_control()).take(LENGTH_MAX).collect()
}

/// A locator as the key of a map, where only its short form can stand.
fn written(locator: &Value) -> String {
    match locator {
        Value::String(short) => short.clone(),
        other => {
            let (role, name) = (text_of(other, "role"), text_of(other, "name"));
            format!("role={role}[name=\"{name}\"]")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported(steps: &Value) -> String {
        let recording = json!({ "title": "Buy a lamp", "steps": steps }).to_string();
        draft(&recording, &ImportOptions::default()).unwrap().to_yaml()
    }

    fn after_open(steps: &[Value]) -> String {
        let mut all = vec![json!({ "type": "navigate", "url": "https://h/a?b=1" })];
        all.extend(steps.iter().cloned());
        let written = imported(&Value::Array(all));
        let after = written.split_once("open: \"{{ base }}/a?b=1\" }\n");
        after.unwrap_or_else(|| panic!("nothing is opened:\n{written}")).1.to_owned()
    }

    #[test]
    fn held_keys_are_a_chord_and_a_lone_one_is_pressed() {
        let key = |kind: &str, key: &str| json!({ "type": kind, "key": key, "target": "main" });
        let written = imported(&json!([
            { "type": "navigate", "url": "https://h/" },
            key("keyDown", "Control"),
            key("keyDown", "a"),
            key("keyUp", "a"),
            key("keyUp", "Control"),
            key("keyDown", "Enter"),
            key("keyUp", "Enter"),
        ]));
        assert!(written.ends_with(" }, { press: Control+a }, { press: Enter }]\n"), "{written}");
    }

    #[test]
    fn frames_and_tabs_are_entered_and_left() {
        let click = |target: &str, frame: &[u64]| {
            let at = json!([["#x"]]);
            json!({ "type": "click", "target": target, "frame": frame, "selectors": at })
        };
        let written =
            after_open(&[click("main", &[1]), click("main", &[]), click("https://p/", &[])]);
        assert_eq!(
            written,
            "      - { frame: { css: \"iframe, frame\", nth: 1 } }\n      \
             - { click: \"#x\" }\n      - { frame: main }\n      - { click: \"#x\" }\n      \
             - { tab: newest }\n      - { click: \"#x\" }\n"
        );
    }

    #[test]
    fn what_no_action_does_is_refused_by_name() {
        let of = |step: Value| {
            let open = json!({ "type": "navigate", "url": "https://h/" });
            let recording = json!({ "title": "t", "steps": [open, step] }).to_string();
            draft(&recording, &ImportOptions::default()).unwrap_err().to_string()
        };
        for (step, told) in [
            (json!({ "type": "customStep", "name": "x" }), "a recorded step `customStep`"),
            (
                json!({ "type": "click", "button": "secondary", "selectors": [["#x"]] }),
                "a click of the secondary button",
            ),
            (json!({ "type": "click", "selectors": [] }), "a step without a selector"),
        ] {
            assert_eq!(of(step), format!("{told} is not supported"));
        }
        let empty = draft(r#"{"title": "t", "steps": []}"#, &ImportOptions::default());
        assert_eq!(empty.unwrap_err().to_string(), "nothing is left to ask: it opens no page");
    }
}
