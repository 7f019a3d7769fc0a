//! Steps and variables of other files.

use std::sync::Arc;

use super::fields::Fields;
use super::reader::Reader;
use super::{parameters, root, shapes, step};
use crate::canary::definition::{SecretDeclaration, Step, StepRole, Variable};
use crate::canary::document::{self, Node};
use crate::canary::load::Fault;
use crate::canary::template::TemplateValue;
use crate::diagnostic::{Diagnostic, did_you_mean};

/// BOUND: of files that a canary uses. They cannot use others, so there are no loops.
const FILES_MAX: usize = 32;

/// What came from used files.
#[derive(Debug, Default)]
pub(super) struct Imported {
    pub(super) variables: Vec<Variable>,
    pub(super) secrets: Vec<SecretDeclaration>,
    pub(super) steps: Vec<Step>,
    pub(super) teardown: Vec<Step>,
    files: usize,
}

/// Reads the `use` of a canary.
pub(super) fn all(node: &Node, imported: &mut Imported, reader: &mut Reader<'_>) {
    for item in reader.one_or_many(node) {
        if item.as_map().is_some() {
            let fields = Fields::of(item, item.span, &shapes::USE_FILE, reader);
            if let Some(fields) = fields
                && let Some(file) = fields.node("file")
            {
                let steps = one(file, fields.node("with"), imported, reader);
                imported.steps.extend(steps);
            }
        } else {
            let steps = one(item, None, imported, reader);
            imported.steps.extend(steps);
        }
    }
}

/// Reads a list of steps, some of which may be uses of files.
pub(super) fn steps(
    node: &Node,
    role: StepRole,
    imported: &mut Imported,
    reader: &mut Reader<'_>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for item in reader.list(node).unwrap_or(&[]) {
        let is_use = item.as_map().is_some_and(|map| map.iter().any(|entry| entry.key == "use"));
        if !is_use {
            steps.extend(step::step(item, role, reader));
            continue;
        }
        let fields = Fields::of(item, item.span, &shapes::USE_SHAPE, reader);
        if let Some(fields) = fields
            && let Some(file) = fields.node("use")
        {
            let mut theirs = one(file, fields.node("with"), imported, reader);
            if role == StepRole::Teardown {
                theirs.iter_mut().for_each(|step| step.role = role);
            }
            steps.extend(theirs);
        }
    }
    steps
}

/// Reads one file and gives its steps; what always runs and what it declares is put aside.
fn one(
    path_node: &Node,
    with: Option<&Node>,
    imported: &mut Imported,
    reader: &mut Reader<'_>,
) -> Vec<Step> {
    let given = with.map(|node| parameters_of(node, reader)).unwrap_or_default();
    let Some(path) = reader.text(path_node) else { return Vec::new() };
    if reader.check_path(&path, path_node.span).is_none() {
        return Vec::new();
    }
    imported.files += 1;
    if imported.files > FILES_MAX {
        let message = format!("a canary uses at most {FILES_MAX} files");
        reader.error("yaml-limit", message, path_node.span);
        return Vec::new();
    }
    let file = match reader.imports.read(&path) {
        Ok(file) => file,
        Err(error) => {
            reader.error("import", format!("cannot use `{path}`: {error}"), path_node.span);
            return Vec::new();
        }
    };
    let root = match document::parse(&file) {
        Ok(root) => root,
        Err(faults) => {
            reader
                .extend_of(faults.into_iter().map(|d| Fault { file: file.clone(), diagnostic: d }));
            return Vec::new();
        }
    };
    let outer = std::mem::replace(&mut reader.file, file);
    let steps = fragment(&root, imported, reader);
    reader.file = outer;
    for parameter in given {
        bind(parameter, imported, reader);
    }
    steps
}

fn parameters_of(node: &Node, reader: &mut Reader<'_>) -> Vec<Variable> {
    let mut all = Vec::new();
    for entry in reader.map(node, "a map of variables").unwrap_or(&[]) {
        if let Some(value) = reader.value(&entry.value) {
            all.push(Variable { name: entry.key.as_str().into(), value, span: entry.key_span });
        }
    }
    all
}

/// Gives a variable of a used file the value that its user wants.
fn bind(given: Variable, imported: &mut Imported, reader: &mut Reader<'_>) {
    let known = imported.variables.iter().map(|variable| &*variable.name);
    let guess = did_you_mean(&given.name, known).map(str::to_owned);
    match imported.variables.iter_mut().find(|variable| variable.name == given.name) {
        Some(variable) => variable.value = given.value,
        None => {
            let message = format!("the file has no variable `{}`", given.name);
            let fault = Diagnostic::error("unknown-parameter", message, given.span);
            reader.push(match guess {
                Some(guess) => fault.label(format!("did you mean `{guess}`?")),
                None => fault,
            });
        }
    }
}

fn fragment(root: &Node, imported: &mut Imported, reader: &mut Reader<'_>) -> Vec<Step> {
    let Some(fields) = Fields::of(root, root.span, &shapes::FRAGMENT, reader) else {
        return Vec::new();
    };
    if let Some(node) = fields.node("secrets") {
        imported.secrets.extend(root::secrets(node, reader));
    }
    if let Some(node) = fields.node("vars") {
        for variable in parameters::variables(node, reader) {
            declare(variable, imported, reader);
        }
    }
    let mut steps = Vec::new();
    for item in fields.node("steps").and_then(|node| reader.list(node)).unwrap_or(&[]) {
        steps.extend(step::step(item, StepRole::Ordinary, reader));
    }
    for item in fields.node("teardown").and_then(|node| reader.list(node)).unwrap_or(&[]) {
        imported.teardown.extend(step::step(item, StepRole::Teardown, reader));
    }
    steps
}

/// Two used files may name the same variable only when both give it the same value.
fn declare(variable: Variable, imported: &mut Imported, reader: &mut Reader<'_>) {
    let found = imported.variables.iter().find(|other| other.name == variable.name);
    let same = |other: &Variable| {
        let (ours, theirs) = (other.value.as_literal(), variable.value.as_literal());
        ours.is_some() && ours == theirs || same_text(&other.value, &variable.value)
    };
    match found {
        None => imported.variables.push(variable),
        Some(other) if same(other) => {}
        Some(_) => {
            let name: &Arc<str> = &variable.name;
            let message = format!("another used file gives `{name}` another value");
            reader.error("variable-conflict", message, variable.span);
        }
    }
}

fn same_text(one: &TemplateValue, other: &TemplateValue) -> bool {
    matches!((one, other), (TemplateValue::Text(one), TemplateValue::Text(other))
        if one.source() == other.source())
}
