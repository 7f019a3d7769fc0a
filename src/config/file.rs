use toml::de::{DeTable, DeValue};

use super::{bus, notify};
use crate::diagnostic::{Diagnostic, Location, SourceFile, Span};

/// What a configuration file says, in the order it says it.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    source: SourceFile,
    settings: Vec<Setting>,
}

/// One key of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The section it stands in; `None` at the top.
    pub section: Option<String>,
    /// Its key.
    pub key: String,
    /// Its value as a flag would be given it; several for an array, none for `false`.
    pub values: Vec<String>,
    /// Where the section's first word stands, or the key where there is no section.
    pub section_span: Span,
    /// Where the key stands.
    pub key_span: Span,
    /// Where the value stands.
    pub value_span: Span,
}

impl ConfigFile {
    /// Reads a file; every fault is reported, not only the first.
    pub fn parse(source: &SourceFile) -> Result<Self, Vec<Diagnostic>> {
        let (table, errors) = DeTable::parse_recoverable(source.text());
        if !errors.is_empty() {
            return Err(errors.iter().map(syntax_fault).collect());
        }
        let mut reading = Reading::default();
        for (key, value) in table.get_ref() {
            let (name, span) = (key.get_ref().as_ref(), Span::from(key.span()));
            match value.get_ref() {
                // Channels have keys of their own; `notify` reads them.
                DeValue::Table(_) if name == notify::SECTION || name == bus::SECTION => {}
                DeValue::Table(section) => reading.section(name, span, section),
                other => reading.setting(None, (name, span), (other, value.span().into())),
            }
        }
        if !reading.faults.is_empty() {
            return Err(reading.faults);
        }
        reading.settings.sort_by_key(|setting| setting.key_span);
        Ok(Self { source: source.clone(), settings: reading.settings })
    }

    /// Its settings, in the order of the file.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// The file as it was read.
    pub const fn source(&self) -> &SourceFile {
        &self.source
    }

    /// Where a setting's key stands.
    pub fn location(&self, setting: &Setting) -> Location {
        self.source.location(setting.key_span.start)
    }
}

#[derive(Default)]
struct Reading {
    settings: Vec<Setting>,
    faults: Vec<Diagnostic>,
}

impl Reading {
    fn section(&mut self, name: &str, span: Span, section: &DeTable<'_>) {
        for (key, value) in section {
            let key = (key.get_ref().as_ref(), Span::from(key.span()));
            self.setting(Some((name, span)), key, (value.get_ref(), value.span().into()));
        }
    }

    fn setting(
        &mut self,
        section: Option<(&str, Span)>,
        (key, key_span): (&str, Span),
        (value, value_span): (&DeValue<'_>, Span),
    ) {
        let Some(values) = texts(value) else {
            let fault = Diagnostic::error("wrong-type", "no flag takes such a value", value_span)
                .help("values are texts, numbers, true, false, and arrays of these");
            self.faults.push(fault);
            return;
        };
        self.settings.push(Setting {
            section: section.map(|(name, _)| name.to_owned()),
            key: key.to_owned(),
            values,
            section_span: section.map_or(key_span, |(_, span)| span),
            key_span,
            value_span,
        });
    }
}

pub(super) fn syntax_fault(error: &toml::de::Error) -> Diagnostic {
    let span = error.span().unwrap_or_default();
    Diagnostic::error("toml-syntax", error.message(), span.into())
}

/// The value as flags take it; nothing where no flag could.
fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(items) => {
            let each = items.iter().map(|item| texts(item.get_ref()).filter(|one| one.len() == 1));
            each.collect::<Option<Vec<_>>>().map(|lists| lists.into_iter().flatten().collect())
        }
        DeValue::String(text) => Some(vec![text.to_string()]),
        DeValue::Integer(number) => Some(vec![number.to_string()]),
        DeValue::Float(number) => Some(vec![number.to_string()]),
        DeValue::Boolean(true) => Some(vec!["true".to_owned()]),
        DeValue::Boolean(false) => Some(vec![]),
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, Vec<Diagnostic>> {
        ConfigFile::parse(&SourceFile::new("coalmine.toml", text))
    }

    #[test]
    fn settings_come_in_file_order_with_their_section_and_place() {
        let file = parse("color = \"never\"\n[serve]\nz = 1\na = [\"x\", \"y\"]\nf = false\n");
        let file = file.unwrap();
        let listed: Vec<_> = file
            .settings()
            .iter()
            .map(|s| (s.section.as_deref(), s.key.as_str(), s.values.join("|")))
            .collect();
        let expected = [
            (None, "color", "never".to_owned()),
            (Some("serve"), "z", "1".to_owned()),
            (Some("serve"), "a", "x|y".to_owned()),
            (Some("serve"), "f", String::new()),
        ];
        assert_eq!(listed, expected);
        assert_eq!(file.location(&file.settings()[1]), Location { line: 3, column: 1 });
    }

    #[test]
    fn every_fault_is_reported_with_its_place() {
        let faults = parse("a = 2026-01-01\n[b.c]\nd = 1\n").unwrap_err();
        let spans: Vec<_> = faults.iter().map(|fault| fault.code).collect();
        assert_eq!(spans, ["wrong-type", "wrong-type"]);
        assert_eq!(parse("a = \nb = ]\n").unwrap_err()[0].code, "toml-syntax");
    }
}
