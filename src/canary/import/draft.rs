//! A canary before it is a file: what every kind of import makes.

use serde_json::{Map, Value};

use super::yaml;

/// A canary before it is a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// Its name, one that a canary may have.
    pub name: String,
    /// One line for people.
    pub description: Option<String>,
    /// Words above everything: where it comes from, what was left out, what is to be done.
    pub notes: Vec<String>,
    /// Variables in order, as they stand in the file.
    pub variables: Vec<(String, Value)>,
    /// Names of secrets.
    pub secrets: Vec<String>,
    /// What it does.
    pub steps: Vec<DraftStep>,
}

/// A step before it is in a file. Texts in it are as they stand in the file: templates are
/// templates.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftStep {
    /// Its name; [`Draft::to_yaml`] makes it unique.
    pub name: String,
    /// The key of its action, `http` or `browser`, and what stands there.
    pub action: (&'static str, Value),
    /// What must hold.
    pub expect: Map<String, Value>,
    /// What is kept for later steps.
    pub capture: Map<String, Value>,
}

impl Draft {
    /// The canary's file.
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        for note in self.notes.iter().flat_map(|note| note.lines()) {
            text = format!("{text}# {note}\n");
        }
        text.push_str(&yaml::entry("canary", &Value::from(self.name.as_str()), 0));
        if let Some(description) = &self.description {
            text.push_str(&yaml::entry("description", &Value::from(description.as_str()), 0));
        }
        if !self.variables.is_empty() {
            let variables: Map<String, Value> = self.variables.iter().cloned().collect();
            text.push_str(&yaml::entry("vars", &Value::Object(variables), 0));
        }
        if !self.secrets.is_empty() {
            text.push_str(&yaml::entry("secrets", &Value::from(self.secrets.clone()), 0));
        }
        text.push_str("steps:\n");
        let mut taken: Vec<String> = Vec::new();
        for step in &self.steps {
            let name = unique(&step.name, &taken);
            text.push_str(&step.to_yaml(&name));
            taken.push(name);
        }
        text
    }
}

impl DraftStep {
    fn to_yaml(&self, name: &str) -> String {
        let (key, action) = &self.action;
        let mut text = format!("  - step: {}\n", yaml::scalar_text(name));
        text.push_str(&yaml::entry(key, action, 4));
        for (key, part) in [("expect", &self.expect), ("capture", &self.capture)] {
            if !part.is_empty() {
                text.push_str(&yaml::entry(key, &Value::Object(part.clone()), 4));
            }
        }
        text
    }
}

/// `name`, or `name (2)` where that is taken.
fn unique(name: &str, taken: &[String]) -> String {
    let is_free = |name: &String| !taken.contains(name);
    let plain = Some(name.to_owned()).filter(is_free);
    let numbered = || (2_u32..).map(|number| format!("{name} ({number})")).find(is_free);
    plain.or_else(numbered).unwrap_or_default()
}

/// A name for a canary: lower-case letters, digits and dashes of `text`.
pub fn canary_name(text: &str) -> String {
    const LENGTH_MAX: usize = 60;
    let mut name = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.ends_with('-') && !name.is_empty() {
            name.push('-');
        }
        if name.len() >= LENGTH_MAX {
            break;
        }
    }
    let name = name.trim_end_matches('-');
    if name.is_empty() { "imported".to_owned() } else { name.to_owned() }
}

/// A name for a variable: lower-case letters, digits and underscores of `text`.
pub fn variable_name(text: &str) -> String {
    /// Words of templates, and the variable that drafts have anyway.
    const TAKEN: &[&str] = &[
        "base", "env", "secret", "now", "uuid", "random", "true", "false", "null", "not", "and",
        "or",
    ];
    let mut name = String::new();
    let mut was_lower = false;
    for c in text.chars() {
        if c.is_ascii_uppercase() && was_lower {
            name.push('_');
        }
        was_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        match c {
            c if c.is_ascii_alphanumeric() => name.push(c.to_ascii_lowercase()),
            _ if !name.ends_with('_') && !name.is_empty() => name.push('_'),
            _ => {}
        }
    }
    let name = name.trim_matches('_').to_owned();
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts_well && !TAKEN.contains(&name.as_str()) { name } else { format!("the_{name}") }
}

/// The base URL: the environment's, or the one that the source has.
pub fn base_variable(url: &str) -> Value {
    let plain = url.replace('\\', "%5C").replace('\'', "%27").replace("{{", "%7B%7B");
    format!("{{{{ env.BASE_URL | default('{plain}') }}}}").into()
}

/// Text in which braces are only braces.
pub fn escaped(text: &str) -> String {
    text.replace("{{", "{{ '{{' }}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_draft_is_written_as_a_person_would_and_its_names_are_unique() {
        let step = DraftStep {
            name: "GET /".to_owned(),
            action: ("http", json!({ "get": "{{ base }}/" })),
            expect: json!({ "status": 200 }).as_object().cloned().unwrap(),
            capture: Map::new(),
        };
        let draft = Draft {
            name: "shop".to_owned(),
            notes: vec!["From x.".to_owned()],
            variables: vec![("base".to_owned(), "http://h".into())],
            secrets: vec!["KEY".to_owned()],
            steps: vec![step.clone(), step],
            ..Draft::default()
        };
        assert_eq!(
            draft.to_yaml(),
            "# From x.\ncanary: shop\nvars: { base: \"http://h\" }\nsecrets: [KEY]\nsteps:\n  \
             - step: GET /\n    http: { get: \"{{ base }}/\" }\n    expect: { status: 200 }\n  \
             - step: GET / (2)\n    http: { get: \"{{ base }}/\" }\n    expect: { status: 200 }\n"
        );
    }

    #[test]
    fn names_are_made_of_whatever_there_is() {
        for (text, name) in
            [("Shop API v2.1", "shop-api-v2-1"), ("日本", "imported"), ("", "imported")]
        {
            assert_eq!(canary_name(text), name);
        }
        for (text, name) in [
            ("accessToken", "access_token"),
            ("X-Request-Id", "x_request_id"),
            ("env", "the_env"),
            ("2fa", "the_2fa"),
            ("", "the_"),
        ] {
            assert_eq!(variable_name(text), name);
        }
        assert_eq!(escaped("a {{ b }}"), "a {{ '{{' }} b }}");
    }
}
