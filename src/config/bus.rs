use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, SourceFile};
use crate::notify::CommandSettings;

/// The section that the event bus stands in.
pub(super) const SECTION: &str = "bus";

/// The commands of functions, by name or ARN.
pub type Functions = BTreeMap<Arc<str>, CommandSettings>;

/// Reads what functions that rules and topics name stand for: a command each.
///
/// ```toml
/// [bus.functions]
/// resize = ["/usr/local/bin/resize", "--fast"]
/// ```
///
/// Errors: every fault of the section; faults of the file's syntax are those of the whole file.
pub fn functions(source: &SourceFile) -> Result<Functions, Vec<Diagnostic>> {
    let (table, errors) = DeTable::parse_recoverable(source.text());
    if !errors.is_empty() {
        return Err(errors.iter().map(super::file::syntax_fault).collect());
    }
    let mut functions = Functions::new();
    let mut faults = Vec::new();
    let Some(section) = table.get_ref().get(SECTION) else { return Ok(functions) };
    let DeValue::Table(section) = section.get_ref() else { return Ok(functions) };
    for (key, value) in section {
        match value.get_ref() {
            DeValue::Table(named) if key.get_ref() == "functions" => {
                for (name, command) in named {
                    match command_of(command.get_ref()) {
                        Some(command) => {
                            functions.insert(name.get_ref().as_ref().into(), command);
                        }
                        None => {
                            let message = "a function is a command: a list of texts";
                            let span = command.span().into();
                            faults.push(Diagnostic::error("wrong-type", message, span));
                        }
                    }
                }
            }
            _ => {
                let message = format!("unknown key `{}`", key.get_ref());
                let fault = Diagnostic::error("unknown-key", message, key.span().into());
                faults.push(fault.help("the section `bus` has the table `functions`"));
            }
        }
    }
    if faults.is_empty() { Ok(functions) } else { Err(faults) }
}

fn command_of(value: &DeValue<'_>) -> Option<CommandSettings> {
    let DeValue::Array(parts) = value else { return None };
    let texts: Option<Vec<String>> = parts
        .iter()
        .map(|part| match part.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => None,
        })
        .collect();
    let mut texts = texts?.into_iter();
    let program = texts.next()?;
    Some(CommandSettings { arguments: texts.collect(), ..CommandSettings::program(program) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Functions, Vec<Diagnostic>> {
        functions(&SourceFile::new("coalmine.toml", text))
    }

    #[test]
    fn a_function_is_a_command_and_anything_else_is_a_fault() {
        let found = read("[bus.functions]\nresize = [\"/bin/resize\", \"--fast\"]\n").unwrap();
        assert_eq!(found["resize"].arguments, ["--fast"]);
        assert!(read("color = \"never\"\n").unwrap().is_empty());
        assert_eq!(read("[bus.functions]\nx = \"sh\"\n").unwrap_err()[0].code, "wrong-type");
        assert_eq!(read("[bus]\nx = 1\n").unwrap_err()[0].code, "unknown-key");
    }
}
