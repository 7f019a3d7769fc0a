//! Pages of what is listed by name: `Limit` and `NextToken`.

use super::fault::VALIDATION;
use crate::api::call::Answer;
use crate::api::page;
use crate::api::service::Constraints;

const PAGE: usize = 100;

/// What a caller says about pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paging<'a> {
    pub(super) limit: Option<i64>,
    pub(super) token: Option<&'a str>,
}

/// One page.
#[derive(Debug)]
pub(super) struct Listed<T> {
    pub(super) items: Vec<T>,
    pub(super) next_token: Option<String>,
}

impl Paging<'_> {
    /// The page of `items`, which are sorted by `name`.
    pub(super) fn cut<T>(
        self,
        operation: &str,
        items: Vec<T>,
        name: impl Fn(&T) -> String,
    ) -> Answer<Listed<T>> {
        Constraints::new().range("limit", self.limit, 1, 100).done(VALIDATION)?;
        let limit = self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(PAGE);
        let after: Option<String> = page::open(operation, self.token)
            .map_err(|_token| VALIDATION.because("NextToken is not valid."))?;
        let is_after = |item: &T| after.as_ref().is_none_or(|after| name(item) > *after);
        let mut items: Vec<T> = items.into_iter().filter(is_after).take(limit + 1).collect();
        let next_token =
            page::cut(&mut items, limit).map(|last| page::seal(operation, &name(last)));
        Ok(Listed { items, next_token })
    }
}
