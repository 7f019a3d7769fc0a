use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::fields::Fields;
use super::import::{self, Imported};
use super::reader::Reader;
use super::{parameters, shapes, step};
use crate::alarm::Condition;
use crate::canary::action::Action;
use crate::canary::definition::{
    AlarmDeclaration, BrowserSettings, Canary, CanaryBody, ColourScheme, ConnectionReuse,
    MaintenanceWindow, MissingData, OverlapPolicy, RetryPolicy, SecretDeclaration, Silence, Step,
    StepRole,
};
use crate::canary::document::Node;
use crate::canary::load::{Fault, Imports, Loaded};
use crate::canary::report::Verdict;
use crate::canary::schedule::Schedule;
use crate::diagnostic::{Diagnostic, SourceFile, Span};

/// Source: CloudWatch Synthetics, `Schedule` and `RunConfig`: a run takes at most 14 minutes; ours
/// may take longer.
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(600);

/// BOUND: of steps of a canary, those of used files included.
const STEPS_MAX: usize = 1000;

/// Checks a whole document.
pub(in crate::canary) fn canary(
    root: &Node,
    file: &SourceFile,
    folder: &Path,
    imports: &dyn Imports,
) -> Result<Loaded, Vec<Fault>> {
    let mut reader = Reader::new(file, imports);
    let canary = read(root, folder, &mut reader);
    let faults = reader.into_faults(file);
    match canary {
        Some(mut canary) if !faults.iter().any(|fault| fault.diagnostic.is_error()) => {
            fit(&mut canary);
            Ok(Loaded { canary, warnings: faults })
        }
        _ => Err(faults),
    }
}

/// Gives back what lists reserved while they grew: a server holds canaries by the thousand, and
/// holds them for long.
fn fit(canary: &mut Canary) {
    let CanaryBody::Steps(steps) = &mut canary.body else { return };
    steps.shrink_to_fit();
    for step in steps {
        step.expect.shrink_to_fit();
        step.capture.shrink_to_fit();
        step.emit.metrics.shrink_to_fit();
        step.emit.logs.shrink_to_fit();
        step.emit.annotations.shrink_to_fit();
        if let Action::Http(http) = &mut step.action {
            http.headers.shrink_to_fit();
            http.query.shrink_to_fit();
        }
    }
    canary.tags.shrink_to_fit();
    canary.variables.shrink_to_fit();
    canary.secrets.shrink_to_fit();
    canary.combinations.shrink_to_fit();
    canary.alarms.shrink_to_fit();
}

fn read(root: &Node, folder: &Path, reader: &mut Reader<'_>) -> Option<Canary> {
    let fields = Fields::of(root, Span::point(0), &shapes::CANARY, reader)?;
    read_fields(&fields, folder, reader, all_steps)
}

/// Everything but the steps, for a script that says it about itself.
pub(super) fn read_head(
    fields: &Fields<'_>,
    folder: &Path,
    reader: &mut Reader<'_>,
) -> Option<Canary> {
    read_fields(fields, folder, reader, |_, _, _| Some(Vec::new()))
}

fn read_fields(
    fields: &Fields<'_>,
    folder: &Path,
    reader: &mut Reader<'_>,
    steps_of: impl FnOnce(&Fields<'_>, &mut Imported, &mut Reader<'_>) -> Option<Vec<Step>>,
) -> Option<Canary> {
    let name = fields.entry("canary").and_then(|entry| name(&entry.value, reader));
    let combinations = parameters::combinations(fields, reader);
    let mut secrets = Vec::new();
    if let Some(node) = fields.node("secrets") {
        secrets.extend(self::secrets(node, reader));
    }
    let mut variables = Vec::new();
    if let Some(node) = fields.node("vars") {
        variables = parameters::variables(node, reader);
    }
    let mut imported = Imported::default();
    if let Some(node) = fields.node("use") {
        import::all(node, &mut imported, reader);
    }
    let steps = steps_of(fields, &mut imported, reader);
    secrets.append(&mut imported.secrets);
    // Values given by `with` may use the canary's own variables, which win over theirs.
    imported.variables.retain(|theirs| variables.iter().all(|ours| ours.name != theirs.name));
    variables.append(&mut imported.variables);
    let schedule = fields.node("schedule").and_then(|node| schedule(node, reader));
    let timeout = fields.node("timeout").and_then(|node| reader.timeout(node, TIMEOUT_MAX));
    let retry = fields.node("retry").and_then(|node| retry(node, reader));
    let overlap = fields.node("overlap").and_then(|node| overlap(node, reader));
    let tags = fields.node("tags").map(|node| texts(node, reader)).unwrap_or_default();
    let reuse = [("fresh", ConnectionReuse::Fresh), ("keep", ConnectionReuse::Keep)];
    let connections = fields.node("connections").and_then(|node| reader.choice(node, &reuse));
    let browser = fields.node("browser").and_then(|node| browser_settings(node, reader));
    let alarms = fields.node("alarms").map(|node| alarms(node, reader)).unwrap_or_default();
    let silences = [("alarm", Silence::Alarm), ("ignore", Silence::Ignore)];
    let silence = fields.node("silence").and_then(|node| reader.choice(node, &silences));
    let maintenance = fields.node("maintenance").map(|node| maintenance(node, reader));
    let description = fields.node("description").and_then(|node| reader.text(node));
    Some(Canary {
        name: name?,
        description: description.map(|text| text.to_string()),
        source: reader.file.clone(),
        folder: folder.to_owned(),
        schedule,
        timeout: timeout.unwrap_or(TIMEOUT_DEFAULT),
        retry: retry.unwrap_or_default(),
        overlap: overlap.unwrap_or_default(),
        tags,
        variables,
        secrets,
        combinations,
        connections: connections.unwrap_or_default(),
        browser: browser.unwrap_or_default(),
        body: CanaryBody::Steps(steps?),
        alarms,
        silence: silence.unwrap_or_default(),
        maintenance: maintenance.unwrap_or_default(),
    })
}

/// Setup, the steps of used files, the canary's own steps, then everything that always runs.
fn all_steps(
    fields: &Fields<'_>,
    imported: &mut Imported,
    reader: &mut Reader<'_>,
) -> Option<Vec<Step>> {
    let lists = ["setup", "steps", "teardown"];
    for entry in lists.iter().filter_map(|key| fields.entry(key)) {
        step::note_captures(&entry.value, &mut reader.names);
    }
    let mut steps = Vec::new();
    if let Some(node) = fields.node("setup") {
        steps.extend(import::steps(node, StepRole::Ordinary, imported, reader));
    }
    steps.append(&mut imported.steps);
    if let Some(node) = fields.node("steps") {
        steps.extend(import::steps(node, StepRole::Ordinary, imported, reader));
    }
    steps.append(&mut imported.teardown);
    if let Some(node) = fields.node("teardown") {
        steps.extend(import::steps(node, StepRole::Teardown, imported, reader));
    }
    let shown = fields.entry("steps").or_else(|| fields.entry("canary"));
    let shown = shown.map_or(fields.span, |entry| entry.key_span);
    if steps.is_empty() {
        if fields.node("steps").is_none_or(|node| node.as_list().is_some_and(<[_]>::is_empty)) {
            let message = "this canary has no steps";
            reader.error("no-steps", message, shown);
        }
        return None;
    }
    if steps.len() > STEPS_MAX {
        let message =
            format!("a canary has at most {STEPS_MAX} steps; this one has {}", steps.len());
        reader.error("yaml-limit", message, shown);
        return None;
    }
    step::check_unique(&steps, reader);
    Some(steps)
}

/// Source: CloudWatch Synthetics API Reference, `Canary.Name`; 255 characters at most.
fn name(node: &Node, reader: &mut Reader<'_>) -> Option<Arc<str>> {
    let name = reader.text(node)?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > 255 || !name.chars().all(fits) {
        let message = format!("`{name}` cannot be the name of a canary");
        let fault = Diagnostic::error("canary-name", message, node.span);
        let lower: String =
            name.to_lowercase().chars().map(|c| if fits(c) { c } else { '-' }).collect();
        let hint = "a name is 1 to 255 lower-case letters, digits, `-` and `_`";
        let fault = fault.help(hint);
        let usable = !lower.trim_matches('-').is_empty() && lower.len() <= 64;
        reader.push(if usable { fault.label(format!("`{lower}` would do")) } else { fault });
        return None;
    }
    Some(name)
}

fn texts(node: &Node, reader: &mut Reader<'_>) -> Vec<Arc<str>> {
    let items = reader.one_or_many(node);
    items.iter().filter_map(|item| reader.text(item)).collect()
}

/// Reads secret declarations and makes their names known.
pub(super) fn secrets(node: &Node, reader: &mut Reader<'_>) -> Vec<SecretDeclaration> {
    let mut all = Vec::new();
    for item in reader.list(node).unwrap_or(&[]) {
        let (name, hosts) = if item.as_map().is_some() {
            let Some(fields) = Fields::of(item, item.span, &shapes::SECRET, reader) else {
                continue;
            };
            let hosts = fields.node("hosts").map(|node| texts(node, reader)).unwrap_or_default();
            (fields.node("name").and_then(|node| reader.text(node)), hosts)
        } else {
            (reader.text(item), Vec::new())
        };
        let Some(name) = name else { continue };
        let usable = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !usable {
            let message = format!("`{name}` cannot be the name of a secret");
            reader.error("variable-name", message, item.span);
            continue;
        }
        reader.names.declare_secret(&name);
        all.push(SecretDeclaration { name, hosts, span: item.span });
    }
    all
}

fn maintenance(node: &Node, reader: &mut Reader<'_>) -> Vec<MaintenanceWindow> {
    let mut windows = Vec::new();
    for item in reader.list(node).unwrap_or(&[]) {
        let Some(fields) = Fields::of(item, item.span, &shapes::MAINTENANCE, reader) else {
            continue;
        };
        let timezone = fields.node("timezone").and_then(|node| reader.text(node));
        let lasts = fields.node("lasts").and_then(|node| reader.duration(node));
        let Some(starts) = fields.node("starts") else { continue };
        let Some(text) = reader.text(starts) else { continue };
        let parsed = parsed_schedule((&text, timezone.as_deref()), starts.span, reader);
        let (Some(schedule), Some(lasts)) = (parsed, lasts) else { continue };
        if schedule.period().is_some() || schedule.is_once() {
            let message = "a window opens by the calendar: cron(0 2 ? * SUN *)";
            reader.error("schedule", message, starts.span);
            continue;
        }
        windows.push(MaintenanceWindow { starts: schedule, lasts });
    }
    windows
}

fn schedule(node: &Node, reader: &mut Reader<'_>) -> Option<Schedule> {
    let (expression, timezone, span) = if node.as_map().is_some() {
        let fields = Fields::of(node, node.span, &shapes::SCHEDULE, reader)?;
        let timezone = fields.node("timezone").and_then(|node| reader.text(node));
        let expression = fields.node("expression")?;
        (reader.text(expression)?, timezone, expression.span)
    } else {
        (reader.text(node)?, None, node.span)
    };
    parsed_schedule((&expression, timezone.as_deref()), span, reader)
}

fn parsed_schedule(
    (expression, timezone): (&str, Option<&str>),
    span: Span,
    reader: &mut Reader<'_>,
) -> Option<Schedule> {
    let fault = match Schedule::parse(expression, timezone.unwrap_or("UTC")) {
        Ok(schedule) => return Some(schedule),
        Err(fault) => fault,
    };
    // Exact where the text was written as it is.
    let shift = reader.file.slice(span).find(expression);
    let place = shift.map_or(span, |shift| {
        Span::new(fault.range.start + shift, fault.range.end + shift).within(span)
    });
    let diagnostic = Diagnostic::error("schedule", fault.problem, place);
    reader.push(diagnostic.maybe_help(fault.help.map(str::to_owned)));
    None
}

/// Reads a retry: a number of repeats, or a map.
pub(super) fn retry(node: &Node, reader: &mut Reader<'_>) -> Option<RetryPolicy> {
    if node.as_map().is_none() {
        let repeats = reader.integer(node, 0..=10)?;
        return Some(RetryPolicy { attempts: repeats + 1, ..RetryPolicy::default() });
    }
    let fields = Fields::of(node, node.span, &shapes::RETRY, reader)?;
    let attempts = fields.node("attempts").and_then(|node| reader.integer(node, 1..=100));
    let delay = fields.node("delay").and_then(|node| reader.duration(node));
    if let (Some(node), Some(delay)) = (fields.node("delay"), delay)
        && delay > RETRY_DELAY_MAX
    {
        reader.error("out-of-range", "a delay is at most 10 minutes", node.span);
    }
    let kinds = [
        ("target", Verdict::Target),
        ("no-answer", Verdict::NoAnswer),
        ("visual", Verdict::Visual),
        ("runner", Verdict::Runner),
    ];
    let mut on = Vec::new();
    if let Some(node) = fields.node("on") {
        for item in reader.one_or_many(node) {
            on.extend(reader.choice(item, &kinds));
        }
    }
    Some(RetryPolicy { attempts: attempts?, delay: delay.unwrap_or_default(), on })
}

fn overlap(node: &Node, reader: &mut Reader<'_>) -> Option<OverlapPolicy> {
    if node.as_map().is_some() {
        let fields = Fields::of(node, node.span, &shapes::OVERLAP, reader)?;
        let allow = fields.node("allow").and_then(|node| reader.integer(node, 1..=100));
        return allow.map(OverlapPolicy::Allow);
    }
    let words = [
        ("skip", OverlapPolicy::Skip),
        ("queue", OverlapPolicy::Queue),
        ("cancel", OverlapPolicy::Cancel),
    ];
    reader.choice(node, &words)
}

fn browser_settings(node: &Node, reader: &mut Reader<'_>) -> Option<BrowserSettings> {
    let fields = Fields::of(node, node.span, &shapes::BROWSER, reader)?;
    let mut settings = BrowserSettings::default();
    if let Some(node) = fields.node("viewport") {
        (settings.width, settings.height) = viewport(node, reader)?;
    }
    if let Some(node) = fields.node("scale") {
        let scale = reader.number(node)?;
        if !(0.5..=4.0).contains(&scale) {
            reader.error("out-of-range", "a scale lies between 0.5 and 4", node.span);
        }
        settings.scale = scale;
    }
    if let Some(locale) = fields.node("locale").and_then(|node| reader.text(node)) {
        settings.locale = locale;
    }
    if let Some(node) = fields.node("timezone") {
        let name = reader.text(node)?;
        if name.parse::<chrono_tz::Tz>().is_err() {
            let message = format!("`{name}` is no time zone");
            reader.error("timezone", message, node.span);
        }
        settings.timezone = name;
    }
    let schemes = [("light", ColourScheme::Light), ("dark", ColourScheme::Dark)];
    let scheme = fields.node("colour_scheme").and_then(|node| reader.choice(node, &schemes));
    settings.colour_scheme = scheme.unwrap_or_default();
    Some(settings)
}

/// Reads `1280x720`.
pub(super) fn viewport(node: &Node, reader: &mut Reader<'_>) -> Option<(u32, u32)> {
    let text = reader.text(node)?;
    let side = |text: &str| text.trim().parse().ok().filter(|side| (16..=10_000).contains(side));
    let size = text.split_once('x').and_then(|(width, height)| Some((side(width)?, side(height)?)));
    if size.is_none() {
        let message = format!("`{text}` is no size of a viewport");
        let fault = Diagnostic::error("viewport", message, node.span);
        reader.push(fault.help("write width and height in CSS pixels, each 16 to 10000: 1280x720"));
    }
    size
}

const CARE_MIN: Duration = Duration::from_secs(10);
const CARE_MAX: Duration = Duration::from_secs(7 * 86_400);

fn alarms(node: &Node, reader: &mut Reader<'_>) -> Vec<AlarmDeclaration> {
    let treatments = [
        ("missing", MissingData::Missing),
        ("ignore", MissingData::Ignore),
        ("breaching", MissingData::Breaching),
        ("notBreaching", MissingData::NotBreaching),
    ];
    let mut alarms = Vec::new();
    for item in reader.list(node).unwrap_or(&[]) {
        let Some(fields) = Fields::of(item, item.span, &shapes::ALARM, reader) else { continue };
        let missing = fields.node("missing").and_then(|node| reader.choice(node, &treatments));
        let name = fields.node("name").and_then(|node| reader.text(node));
        let notify = fields.node("notify").map(|node| texts(node, reader)).unwrap_or_default();
        let mut care = |key| {
            let node = fields.node(key)?;
            let found = reader.duration(node)?;
            if !(CARE_MIN..=CARE_MAX).contains(&found) || found.subsec_nanos() > 0 {
                let message = format!("`{key}` lies between 10 seconds and 7 days");
                reader.error("out-of-range", message, node.span);
            }
            Some(found)
        };
        let (dwell, remind) = (care("dwell"), care("remind"));
        let Some(when) = fields.node("when") else { continue };
        if let Some(text) = reader.text(when) {
            if let Err(fault) = Condition::parse(&text) {
                let placed = placed_in(fault, &text, when.span, reader);
                reader.push(placed);
            }
            let missing = missing.unwrap_or_default();
            let span = when.span;
            let when = text;
            let alarm = AlarmDeclaration { name, when, span, missing, notify, dwell, remind };
            alarms.push(alarm);
        }
    }
    alarms
}

/// A fault of a text inside the file, marked where the text stands.
fn placed_in(mut fault: Diagnostic, text: &str, span: Span, reader: &Reader<'_>) -> Diagnostic {
    // Exact where the text was written as it is.
    let shift = reader.file.slice(span).find(text);
    for label in &mut fault.labels {
        label.span = shift.map_or(span, |shift| {
            Span::new(label.span.start + shift, label.span.end + shift).within(span)
        });
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::load::{NoImports, load};
    use crate::canary::validate::names::Names;

    #[test]
    fn a_wrong_condition_is_marked_inside_its_text() {
        let text = "canary: a\nsteps:\n- step: s\n  http: { get: 'http://h/' }\n\
                    alarms:\n- when: \"SucessPercent < 100\"\n";
        let file = SourceFile::new("f.yaml", text);
        let faults = load(&file, Path::new("."), &NoImports).unwrap_err();
        let fault = &faults[0].diagnostic;
        assert_eq!(fault.code, "alarm-metric");
        let span = fault.span().unwrap();
        assert_eq!(&text[span.start..span.end], "SucessPercent");
    }

    #[test]
    fn names_are_independent_of_the_order_of_keys() {
        let text =
            "steps:\n- step: a\n  http: '{{ base }}'\nvars: { base: 'http://h/' }\ncanary: a\n";
        let file = SourceFile::new("f.yaml", text);
        assert!(load(&file, Path::new("."), &NoImports).is_ok());
        assert!(Names::default().define("env", Span::default()).is_err());
    }
}
