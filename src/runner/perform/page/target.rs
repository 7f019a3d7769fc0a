//! Locators and subjects of the canary as the browser knows them.

use super::Rendering;
use crate::canary::page::{LocateBy, Locator, PageSubject};
use crate::canary::report::Failure;
use crate::runner::browser::{Observable, SelectBy, Selector};

pub(super) fn selector(
    rendering: &mut Rendering<'_>,
    locator: &Locator,
) -> Result<Selector, Box<Failure>> {
    let by = match &locator.by {
        LocateBy::Css(text) => SelectBy::Css(rendering.plain(text)?),
        LocateBy::XPath(text) => SelectBy::XPath(rendering.plain(text)?),
        LocateBy::Text(text) => SelectBy::Text(rendering.plain(text)?),
        LocateBy::Role { role, name } => SelectBy::Role {
            role: role.to_string(),
            name: name.as_ref().map(|name| rendering.plain(name)).transpose()?,
        },
        LocateBy::Label(text) => SelectBy::Label(rendering.plain(text)?),
        LocateBy::Placeholder(text) => SelectBy::Placeholder(rendering.plain(text)?),
        LocateBy::TestId(text) => SelectBy::TestId(rendering.plain(text)?),
    };
    Ok(Selector { by, nth: locator.nth })
}

pub(super) fn observable(
    rendering: &mut Rendering<'_>,
    subject: &PageSubject,
) -> Result<Observable, Box<Failure>> {
    Ok(match subject {
        PageSubject::Text(locator) => Observable::Text(selector(rendering, locator)?),
        PageSubject::Value(locator) => Observable::Value(selector(rendering, locator)?),
        PageSubject::Attribute(locator, name) => {
            Observable::Attribute(selector(rendering, locator)?, name.to_string())
        }
        PageSubject::Count(locator) => Observable::Count(selector(rendering, locator)?),
        PageSubject::Visible(locator) => Observable::Visible(selector(rendering, locator)?),
        PageSubject::Url => Observable::Url,
        PageSubject::Title => Observable::Title,
        PageSubject::Console => Observable::Console,
        PageSubject::Certificate(_) => {
            let message = "this build does not look at the certificate of a page; use a tls step";
            return Err(rendering.broken(message.to_owned(), rendering.step.span));
        }
    })
}

/// What is looked at, as a report names it: `` text of `h2` ``.
pub(super) fn name_of(observable: &Observable) -> String {
    match observable {
        Observable::Text(selector) => format!("text of {selector}"),
        Observable::Value(selector) => format!("value of {selector}"),
        Observable::Attribute(selector, name) => format!("{name} of {selector}"),
        Observable::Count(selector) => format!("count of {selector}"),
        Observable::Visible(selector) => format!("visibility of {selector}"),
        Observable::Url => "url".to_owned(),
        Observable::Title => "title".to_owned(),
        Observable::Console => "console".to_owned(),
    }
}
