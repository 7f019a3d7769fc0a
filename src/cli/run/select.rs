use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::canary::definition::Canary;
use crate::canary::selection::{Selection, describes};
use crate::runner::RunRequest;

/// Which canaries are run.
#[derive(Clone, Debug, Default)]
pub(super) struct Chosen<'a> {
    /// What a name must be like; one of them must hold. Empty: all.
    pub(super) filters: &'a [Selection],
    /// Which tags must be there; one of them must hold. Empty: all.
    pub(super) tags: &'a [Selection],
}

impl Chosen<'_> {
    /// The canaries that are run, in their order.
    pub(super) fn of(&self, canaries: &[Arc<Canary>]) -> Vec<Arc<Canary>> {
        canaries.iter().filter(|canary| self.takes(canary)).map(Arc::clone).collect()
    }

    fn takes(&self, canary: &Canary) -> bool {
        let has_tag = |pattern: &str| canary.tags.iter().any(|own| describes(pattern, own));
        let is_named = |pattern: &str| matches(pattern, &canary.name);
        let one_holds = |selections: &[Selection], says: &dyn Fn(&str) -> bool| {
            selections.is_empty() || selections.iter().any(|each| each.holds(says))
        };
        one_holds(self.filters, &is_named) && one_holds(self.tags, &has_tag)
    }
}

/// Whether `name` contains the text, or is what a text with `*` describes.
fn matches(filter: &str, name: &str) -> bool {
    if filter.contains('*') { describes(filter, name) } else { name.contains(filter) }
}

/// One of several machines that share the runs: `2/5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    index: usize,
    count: usize,
}

/// A text that is no shard.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a shard is written i/n, from 1/n to n/n")]
pub(super) struct ShardError;

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let (index, count) = text.split_once('/').ok_or(ShardError)?;
        let number = |text: &str| text.parse::<usize>().map_err(|_error| ShardError);
        let (index, count) = (number(index)?, number(count)?);
        if index == 0 || index > count { Err(ShardError) } else { Ok(Self { index, count }) }
    }
}

impl Shard {
    /// Every n-th run: neighbours, which are often alike, are spread over the machines.
    pub(super) fn of(self, requests: Vec<RunRequest>) -> Vec<RunRequest> {
        requests.into_iter().skip(self.index - 1).step_by(self.count).collect()
    }
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
        ] {
            assert_eq!(matches(filter, name), expected, "{filter} {name}");
        }
    }

    #[test]
    fn a_shard_is_one_of_so_many() {
        assert_eq!("2/5".parse(), Ok(Shard { index: 2, count: 5 }));
        for text in ["", "1", "0/3", "4/3", "1/0", "a/b", "-1/2"] {
            assert_eq!(text.parse::<Shard>(), Err(ShardError), "{text}");
        }
    }
}
