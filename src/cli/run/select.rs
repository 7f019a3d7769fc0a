use std::sync::Arc;

use crate::canary::definition::Canary;

/// Which canaries are run.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection<'a> {
    /// Names to select by; one of them must match. Empty: all.
    pub(super) filters: &'a [String],
    /// Tags; one of them must be there. Empty: all.
    pub(super) tags: &'a [String],
}

impl Selection<'_> {
    /// The canaries that are run, in their order.
    pub(super) fn of(&self, canaries: &[Arc<Canary>]) -> Vec<Arc<Canary>> {
        canaries.iter().filter(|canary| self.takes(canary)).map(Arc::clone).collect()
    }

    fn takes(&self, canary: &Canary) -> bool {
        let named = self.filters.is_empty()
            || self.filters.iter().any(|filter| matches(filter, &canary.name));
        let tagged = self.tags.is_empty()
            || self.tags.iter().any(|tag| canary.tags.iter().any(|own| **own == **tag));
        named && tagged
    }
}

/// Whether `name` contains the text, or is what a text with `*` describes.
fn matches(filter: &str, name: &str) -> bool {
    let Some((first, rest)) = filter.split_once('*') else { return name.contains(filter) };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = rest.split('*').collect();
    let Some((last, middle)) = parts.split_last() else { return false };
    for part in middle {
        let Some(at) = left.find(part) else { return false };
        left = left.get(at + part.len()..).unwrap_or("");
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_part_of_the_name_or_the_whole_with_stars() {
        for (filter, name, expected) in [
            ("shop", "my-shop-api", true),
            ("shop", "sho", false),
            ("shop-*", "shop-api", true),
            ("shop-*", "my-shop-api", false),
            ("*-api", "shop-api", true),
            ("s*p-*i", "shop-api", true),
            ("s*x*i", "shop-api", false),
            ("*", "anything", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(filter, name), expected, "{filter} {name}");
        }
    }
}
