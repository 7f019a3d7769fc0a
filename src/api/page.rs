//! Page tokens: where a listing goes on, sealed so that one operation does not read another's.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A page token that this operation did not make.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("page token is not valid")]
pub(super) struct BadToken;

/// The input of a listing that asks for nothing but where to go on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TokenInput {
    /// The token of the page before.
    pub(super) next_token: Option<String>,
}

#[derive(Serialize)]
struct Sealed<'a, T: ?Sized> {
    #[serde(rename = "o")]
    operation: &'a str,
    #[serde(rename = "c")]
    cursor: &'a T,
}

#[derive(Deserialize)]
struct Opened<T> {
    #[serde(rename = "o")]
    operation: String,
    #[serde(rename = "c")]
    cursor: T,
}

/// The token from which `operation` goes on after `cursor`.
///
/// A cursor only says where to go on: what may be listed is decided by the caller's scope and
/// filters, so a forged or foreign token shows nothing that its bearer could not list anyway.
pub(super) fn seal<T: Serialize + ?Sized>(operation: &str, cursor: &T) -> String {
    let sealed = serde_json::to_vec(&Sealed { operation, cursor }).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(sealed)
}

/// The cursor that `token` was made from; none when there is no token.
pub(super) fn open<T: DeserializeOwned>(
    operation: &str,
    token: Option<&str>,
) -> Result<Option<T>, BadToken> {
    let Some(token) = token else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_fault| BadToken)?;
    let opened: Opened<T> = serde_json::from_slice(&bytes).map_err(|_fault| BadToken)?;
    if opened.operation == operation { Ok(Some(opened.cursor)) } else { Err(BadToken) }
}

/// Cuts a list that was read one longer than a page; the last item kept when there is more.
pub(super) fn cut<T>(items: &mut Vec<T>, page: usize) -> Option<&T> {
    let more = items.len() > page;
    items.truncate(page);
    if more { items.last() } else { None }
}

/// How many items a page holds: what was asked for, checked before, or the operation's own number.
pub(super) fn size(asked: Option<i64>, default: usize) -> usize {
    asked.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(default)
}

/// The page of a whole list that `token` stands for, and the token of the next one.
///
/// `items` are sorted by `name`, which tells every one of them apart.
pub(super) fn of<T>(
    operation: &str,
    items: Vec<T>,
    name: impl Fn(&T) -> String,
    (token, page): (Option<&str>, usize),
) -> Result<(Vec<T>, Option<String>), BadToken> {
    let after: Option<String> = open(operation, token)?;
    let follows = |item: &T| after.as_ref().is_none_or(|after| name(item) > *after);
    let mut kept = items.into_iter().filter(follows).take(page.saturating_add(1)).collect();
    let next = cut(&mut kept, page).map(|last| seal(operation, &name(last)));
    Ok((kept, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_for_the_operation_that_sealed_it_and_no_other() {
        let token = seal("ListThings", &("after", 7));
        assert_eq!(open("ListThings", Some(&token)), Ok(Some(("after".to_owned(), 7))));
        assert_eq!(open::<(String, i32)>("ListOthers", Some(&token)), Err(BadToken));
        assert_eq!(open::<(String, i32)>("ListThings", Some("garbage")), Err(BadToken));
        assert_eq!(open::<(String, i32)>("ListThings", None), Ok(None));
    }

    #[test]
    fn pages_of_a_list_join_to_the_whole() {
        let names = ["a", "b", "c", "d", "e"];
        let (mut seen, mut token) = (Vec::new(), None);
        loop {
            let name = |name: &&str| (*name).to_owned();
            let (page, next) = of("List", names.to_vec(), name, (token.as_deref(), 2)).unwrap();
            seen.extend(page);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, names);
        let forged = of("List", names.to_vec(), |n| (*n).to_owned(), (Some("forged"), 2));
        assert_eq!(forged.map(|_| ()), Err(BadToken));
    }

    #[test]
    fn a_page_is_cut_only_when_there_is_more() {
        let mut items = vec![1, 2, 3];
        assert_eq!(cut(&mut items, 3), None);
        assert_eq!(cut(&mut items, 2), Some(&2));
        assert_eq!(items, [1, 2]);
    }
}
