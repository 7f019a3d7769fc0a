use super::Rendering;
use super::target::{name_of, observable, selector};
use crate::canary::page::{BrowserAction, HistoryMove, Locator, TabMove, WaitCondition};
use crate::canary::report::Failure;
use crate::canary::secret::redact_url;
use crate::canary::template::Text;

/// What a page action would do, in words.
pub(in crate::runner::perform) fn told(
    rendering: &mut Rendering<'_>,
    action: &BrowserAction,
) -> Result<String, Box<Failure>> {
    let line = match action {
        BrowserAction::Open(url) => format!("open {}", redact_url(&rendering.url(url)?)),
        BrowserAction::History(HistoryMove::Back) => "go back".to_owned(),
        BrowserAction::History(HistoryMove::Forward) => "go forward".to_owned(),
        BrowserAction::History(HistoryMove::Reload) => "reload".to_owned(),
        BrowserAction::Click(at) => on("click", rendering, at)?,
        BrowserAction::DoubleClick(at) => on("double-click", rendering, at)?,
        BrowserAction::Hover(at) => on("hover over", rendering, at)?,
        BrowserAction::Check(at, true) => on("check", rendering, at)?,
        BrowserAction::Check(at, false) => on("uncheck", rendering, at)?,
        BrowserAction::Fill(at, text) => {
            let text = rendering.plain(text)?;
            format!("{} with {text:?}", on("fill", rendering, at)?)
        }
        BrowserAction::Select(at, texts) => with("select", rendering, (at, texts))?,
        BrowserAction::Upload(at, texts) => with("upload to", rendering, (at, texts))?,
        BrowserAction::Press(at, key) => {
            let key = rendering.plain(key)?;
            let on = at.as_ref().map(|at| on(" on", rendering, at)).transpose()?;
            format!("press {key}{}", on.unwrap_or_default())
        }
        BrowserAction::Wait(condition) => match condition {
            WaitCondition::Visible(at) => on("wait for", rendering, at)?,
            WaitCondition::Hidden(at) => on("wait for the end of", rendering, at)?,
            _ => "wait".to_owned(),
        },
        BrowserAction::Expect(assertions) => {
            let mut subjects = Vec::new();
            for assertion in assertions {
                subjects.push(name_of(&observable(rendering, &assertion.subject)?));
            }
            format!("expect of {}", subjects.join(", "))
        }
        BrowserAction::Screenshot(shot) => format!("take the picture `{}`", shot.name),
        BrowserAction::Evaluate { .. } => "run a script in the page".to_owned(),
        BrowserAction::Capture(name, _) => format!("capture `{name}`"),
        BrowserAction::Viewport { width, height } => format!("resize to {width}x{height}"),
        BrowserAction::Dialog { .. } => "answer the next dialog".to_owned(),
        BrowserAction::Frame(Some(at)) => on("work inside of", rendering, at)?,
        BrowserAction::Frame(None) => "leave the frame".to_owned(),
        BrowserAction::Tab(TabMove::Newest) => "work in the newest tab".to_owned(),
        BrowserAction::Tab(TabMove::First) => "work in the first tab".to_owned(),
        BrowserAction::Tab(TabMove::Close) => "close the tab".to_owned(),
        BrowserAction::Block(patterns) => {
            let texts: Result<Vec<_>, _> =
                patterns.iter().map(|pattern| rendering.plain(pattern)).collect();
            format!("block {}", texts?.join(", "))
        }
        BrowserAction::Headers(headers) => {
            let names: Vec<&str> = headers.iter().map(|(name, _)| &**name).collect();
            format!("send the headers {}", names.join(", "))
        }
        BrowserAction::Cookie { name, .. } => {
            format!("set the cookie {}", rendering.plain(name)?)
        }
    };
    Ok(line)
}

fn on(verb: &str, rendering: &mut Rendering<'_>, at: &Locator) -> Result<String, Box<Failure>> {
    Ok(format!("{verb} {}", selector(rendering, at)?))
}

fn with(
    verb: &str,
    rendering: &mut Rendering<'_>,
    (at, texts): (&Locator, &[Text]),
) -> Result<String, Box<Failure>> {
    let texts: Result<Vec<_>, _> = texts.iter().map(|text| rendering.plain(text)).collect();
    Ok(format!("{}: {}", on(verb, rendering, at)?, texts?.join(", ")))
}
