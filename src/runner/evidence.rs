//! Files that a failed step leaves.

use super::attempt::Attempt;
use crate::canary::definition::Step;
use crate::canary::observation::{Answer, HttpAnswer, Observation};
use crate::canary::report::{Artifact, ArtifactKind};

/// Bytes of a body that are kept.
const BODY_BYTES_MAX: usize = 256 * 1024;
const SLUG_CHARACTERS_MAX: usize = 80;

impl Attempt {
    /// Keeps the body of an answer that was wrong.
    pub(super) fn keep_body(&mut self, step: &Step, seen: &Observation) {
        let Answer::Http(answer) = &seen.answer else { return };
        if answer.body.is_empty() {
            return;
        }
        let body = answer.body.get(..BODY_BYTES_MAX).unwrap_or(&answer.body);
        let (extension, media_type) = kind(answer);
        let bytes = self.run.redaction.redactor().bytes(body).into_owned().into();
        let name = self.artifact_name(&step.name, &format!("body.{extension}"));
        self.emitted.artifacts.push(Artifact { kind: ArtifactKind::Body, name, media_type, bytes });
    }

    /// A file name that no other artifact of the run has: safe on every system.
    pub(super) fn artifact_name(&self, step: &str, rest: &str) -> String {
        let prefix = match self.number {
            1 => String::new(),
            number => format!("attempt-{number}-"),
        };
        let base = format!("{prefix}{}", slug(step));
        let taken = |name: &str| self.emitted.artifacts.iter().any(|other| other.name == name);
        let plain = format!("{base}-{rest}");
        if !taken(&plain) {
            return plain;
        }
        let numbered = (2_u32..).map(|number| format!("{base}-{number}-{rest}"));
        numbered.into_iter().find(|name| !taken(name)).unwrap_or(plain)
    }
}

fn kind(answer: &HttpAnswer) -> (&'static str, &'static str) {
    let content_type = answer.headers.iter().find(|(name, _)| name == "content-type");
    let media_type = content_type.map_or("", |(_, value)| value.as_str());
    let is = |part: &str| media_type.contains(part);
    if is("json") {
        ("json", "application/json")
    } else if is("html") {
        ("html", "text/html")
    } else if is("xml") {
        ("xml", "application/xml")
    } else if is("text/") || std::str::from_utf8(&answer.body).is_ok() {
        ("txt", "text/plain")
    } else {
        ("bin", "application/octet-stream")
    }
}

/// Lower-case letters, digits and dashes.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
        if slug.len() >= SLUG_CHARACTERS_MAX {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "step".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_kind_becomes_a_safe_file_name() {
        for (name, expected) in [
            ("API is healthy", "api-is-healthy"),
            ("../../etc/passwd", "etc-passwd"),
            ("日本語", "step"),
            ("", "step"),
            ("a\0b\nc", "a-b-c"),
        ] {
            assert_eq!(slug(name), expected);
        }
        assert_eq!(slug(&"x".repeat(300)).len(), SLUG_CHARACTERS_MAX);
    }
}
