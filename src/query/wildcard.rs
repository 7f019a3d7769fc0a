//! Texts in which a star stands for any run of characters.

/// Literal parts with a star between each two. Matching is linear in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard {
    parts: Vec<String>,
}

impl Wildcard {
    /// The wildcard of a text in which every `*` is a star.
    pub fn new(source: &str) -> Self {
        Self { parts: source.split('*').map(str::to_owned).collect() }
    }

    /// The wildcard of these literal parts.
    pub fn from_parts(parts: Vec<String>) -> Self {
        Self { parts }
    }

    /// The text before the first star.
    pub fn head(&self) -> &str {
        self.parts.first().map_or("", String::as_str)
    }

    /// The text after the last star.
    pub fn tail(&self) -> &str {
        self.parts.last().map_or("", String::as_str)
    }

    /// Whether the whole text matches.
    ///
    /// Each part is taken at its first place, which is right since a star takes anything after it.
    pub fn matches(&self, text: &str) -> bool {
        let Some((first, rest)) = self.parts.split_first() else { return text.is_empty() };
        let Some((last, middle)) = rest.split_last() else { return text == first };
        let Some(text) = text.strip_prefix(first.as_str()) else { return false };
        let Some(mut text) = text.strip_suffix(last.as_str()) else { return false };
        for part in middle {
            let Some(at) = memchr::memmem::find(text.as_bytes(), part.as_bytes()) else {
                return false;
            };
            text = text.get(at + part.len()..).unwrap_or("");
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("a*a", "a", false),
            ("*b*", "abc", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
        ] {
            assert_eq!(Wildcard::new(pattern).matches(text), expected, "{pattern} on {text}");
        }
    }
}
