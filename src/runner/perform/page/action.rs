use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use url::Url;

use super::target::{observable, selector};
use super::{Rendering, Stopped};
use crate::canary::definition::Step;
use crate::canary::page::{BrowserAction, BrowserStep, PageSubject, TabMove, WaitCondition};
use crate::canary::report::{Failure, Verdict};
use crate::canary::secret::SecretText;
use crate::canary::template::{Rendered, Taint, Text};
use crate::runner::attempt::Attempt;
use crate::runner::browser::{ActionLimit, BrowserSession, FieldText, Observable};
use crate::runner::step::StepRecord;
use crate::runner::{fault, files};
use crate::time::Deadline;

impl Attempt {
    /// Does one page action.
    pub(super) async fn page_action(
        &mut self,
        step: &Step,
        action: &BrowserStep,
        (page, record): (&mut BrowserSession, &mut StepRecord),
        deadline: Deadline,
    ) -> Result<(), Stopped> {
        let limit = ActionLimit { timeout: action.timeout, step: deadline };
        let mut rendering = Rendering::new(step, &self.scope);
        let told = &mut rendering;
        match &action.action {
            BrowserAction::Open(url) => {
                let text = told.url(url)?;
                let taint = std::mem::take(&mut told.taint);
                self.open(&text, &taint, (page, limit)).await
            }
            BrowserAction::Fill(field, text) => {
                let field = selector(told, field)?;
                let (text, taint) = field_text(step, self, text)?;
                self.send_to_page(&taint, (page, limit)).await?;
                Ok(page.fill(&field, &text, limit).await?)
            }
            BrowserAction::Upload(field, names) => {
                let field = selector(told, field)?;
                let files = self.files(told, names).await?;
                Ok(page.upload(&field, &files, limit).await?)
            }
            BrowserAction::Wait(condition) => {
                self.wait(step, condition, (page, limit), action.span).await
            }
            BrowserAction::Expect(assertions) => self.expect(step, assertions, (page, limit)).await,
            BrowserAction::Screenshot(shot) => {
                self.screenshot(step, shot, (page, record), limit).await
            }
            BrowserAction::Evaluate { script, capture } => {
                let script = told.plain(script)?;
                let taint = std::mem::take(&mut told.taint);
                self.send_to_page(&taint, (page, limit)).await?;
                let value = page.evaluate(&script, limit).await?;
                if let Some(name) = capture {
                    self.scope.hold(Arc::clone(name), Rendered { value, taint });
                }
                Ok(())
            }
            BrowserAction::Capture(name, subject) => {
                let value = self.look(step, subject, (page, limit)).await?;
                self.scope.hold(Arc::clone(name), Rendered::clean(value));
                Ok(())
            }
            BrowserAction::Cookie { name, value } => {
                let name = told.plain(name)?;
                let (value, taint) = field_text(step, self, value)?;
                self.send_to_page(&taint, (page, limit)).await?;
                Ok(page.set_cookie(&name, &value, limit).await?)
            }
            other => plain_action(told, other, (page, limit)).await,
        }
    }

    /// The files that an upload names, which lie in the canary's folder.
    async fn files(
        &self,
        told: &mut Rendering<'_>,
        names: &[Text],
    ) -> Result<Vec<(String, Bytes)>, Box<Failure>> {
        let mut lent = Vec::new();
        for name in names {
            let path = told.plain(name)?;
            let bytes_max = self.run.parts.settings.limits.file_bytes_max;
            let folder = &self.run.canary.folder;
            let bytes = files::read_inside(folder, Path::new(&path), bytes_max).await;
            let bytes = bytes.map_err(|error| {
                let mut failure = told.broken(error.to_string(), name.span());
                if error.is_policy() {
                    failure.verdict = Verdict::Policy;
                }
                failure
            })?;
            lent.push((path, bytes));
        }
        Ok(lent)
    }

    async fn open(
        &self,
        text: &str,
        taint: &Taint,
        (page, limit): (&mut BrowserSession, ActionLimit),
    ) -> Result<(), Stopped> {
        self.run.redaction.learn_taint(taint);
        let url = Url::parse(text).map_err(|error| {
            let message = format!("`{text}` is no URL: {error}");
            Box::new(fault::failure(Verdict::Canary, message))
        })?;
        if !matches!(url.scheme(), "http" | "https") && url.as_str() != "about:blank" {
            let message = format!("a page is opened by http or https, not `{}`", url.scheme());
            return Err(Box::new(fault::failure(Verdict::Policy, message)).into());
        }
        if url.has_host() {
            let policy = &self.run.parts.settings.network.policy;
            policy
                .check_url(&url)
                .map_err(|error| Box::new(fault::failure(Verdict::Policy, error.to_string())))?;
        }
        self.scope.secrets().scope_at(taint, url.host_str().unwrap_or_default())?;
        Ok(page.open(url.as_str(), limit).await?)
    }

    /// Makes sure that what goes into the page may go to its host.
    async fn send_to_page(
        &self,
        taint: &Taint,
        (page, limit): (&mut BrowserSession, ActionLimit),
    ) -> Result<(), Stopped> {
        self.run.redaction.learn_taint(taint);
        if taint.is_clean() {
            return Ok(());
        }
        let seen = page.observe(&Observable::Url, limit).await?;
        let url = seen.as_ref().and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        self.scope.secrets().scope_at(taint, host)?;
        Ok(())
    }

    /// Waits until there is something to keep, and gives it.
    async fn look(
        &self,
        step: &Step,
        subject: &PageSubject,
        (page, limit): (&mut BrowserSession, ActionLimit),
    ) -> Result<Value, Stopped> {
        let mut rendering = Rendering::new(step, &self.scope);
        let what = observable(&mut rendering, subject)?;
        match page.observe_until(&what, limit, |seen| seen.is_some()).await? {
            (Some(value), _) => Ok(value),
            (None, _) => {
                let message = format!(
                    "cannot capture the {}: it is not there",
                    super::target::name_of(&what)
                );
                Err(Box::new(fault::failure(Verdict::Target, message)).into())
            }
        }
    }

    async fn wait(
        &mut self,
        step: &Step,
        condition: &WaitCondition,
        (page, limit): (&mut BrowserSession, ActionLimit),
        span: crate::diagnostic::Span,
    ) -> Result<(), Stopped> {
        let mut rendering = Rendering::new(step, &self.scope);
        let told = &mut rendering;
        match condition {
            WaitCondition::Visible(what) => {
                Ok(page.wait_visible(&selector(told, what)?, limit).await?)
            }
            WaitCondition::Hidden(what) => {
                Ok(page.wait_hidden(&selector(told, what)?, limit).await?)
            }
            WaitCondition::Url(predicate) => {
                let about = (&PageSubject::Url, predicate, span);
                self.expect_one(step, about, (page, limit)).await
            }
            WaitCondition::Title(predicate) => {
                let about = (&PageSubject::Title, predicate, span);
                self.expect_one(step, about, (page, limit)).await
            }
            WaitCondition::NetworkIdle => Ok(page.wait_network_idle(limit).await?),
            WaitCondition::Time(time) => {
                let left = limit.step.left(&**self.run.clock());
                // The step's own deadline ends a longer wait, and says so.
                tokio::time::sleep((*time).min(left + Duration::from_millis(1))).await;
                Ok(())
            }
        }
    }
}

/// The actions that need nothing of the run but their texts.
async fn plain_action(
    told: &mut Rendering<'_>,
    action: &BrowserAction,
    (page, limit): (&mut BrowserSession, ActionLimit),
) -> Result<(), Stopped> {
    match action {
        BrowserAction::History(to) => Ok(page.travel(*to, limit).await?),
        BrowserAction::Click(on) => Ok(page.click(&selector(told, on)?, limit).await?),
        BrowserAction::DoubleClick(on) => {
            Ok(page.double_click(&selector(told, on)?, limit).await?)
        }
        BrowserAction::Hover(over) => Ok(page.hover(&selector(told, over)?, limit).await?),
        BrowserAction::Select(from, options) => {
            let from = selector(told, from)?;
            let options: Result<Vec<String>, _> =
                options.iter().map(|option| told.plain(option)).collect();
            Ok(page.select(&from, &options?, limit).await?)
        }
        BrowserAction::Check(what, checked) => {
            Ok(page.check(&selector(told, what)?, *checked, limit).await?)
        }
        BrowserAction::Press(on, chord) => {
            let on = on.as_ref().map(|on| selector(told, on)).transpose()?;
            let chord = told.plain(chord)?;
            Ok(page.press(on.as_ref(), &chord, limit).await?)
        }
        BrowserAction::Viewport { width, height } => {
            Ok(page.resize(*width, *height, limit).await?)
        }
        BrowserAction::Dialog { accept, text } => {
            let text = text.as_ref().map(|text| told.plain(text)).transpose()?;
            Ok(page.answer_dialog(*accept, text.as_deref(), limit).await?)
        }
        BrowserAction::Frame(frame) => {
            let frame = frame.as_ref().map(|frame| selector(told, frame)).transpose()?;
            Ok(page.enter_frame(frame.as_ref(), limit).await?)
        }
        BrowserAction::Tab(TabMove::Newest) => Ok(page.newest_tab(limit).await?),
        BrowserAction::Tab(TabMove::First) => Ok(page.first_tab(limit).await?),
        BrowserAction::Tab(TabMove::Close) => Ok(page.close_tab(limit).await?),
        BrowserAction::Block(patterns) => {
            let patterns: Result<Vec<String>, _> =
                patterns.iter().map(|pattern| told.plain(pattern)).collect();
            Ok(page.block(patterns?, limit).await?)
        }
        BrowserAction::Headers(headers) => {
            Ok(page.send_headers(request_headers(told, headers)?, limit).await?)
        }
        BrowserAction::Open(_)
        | BrowserAction::Fill(..)
        | BrowserAction::Upload(..)
        | BrowserAction::Wait(_)
        | BrowserAction::Expect(_)
        | BrowserAction::Screenshot(_)
        | BrowserAction::Evaluate { .. }
        | BrowserAction::Capture(..)
        | BrowserAction::Cookie { .. } => {
            let message = "the action needs its run".to_owned();
            Err(told.broken(message, told.step.span).into())
        }
    }
}

/// Headers for every request of a page, to whatever host: no secret may be among them.
fn request_headers(
    told: &mut Rendering<'_>,
    headers: &[(Arc<str>, Text)],
) -> Result<Vec<(String, String)>, Box<Failure>> {
    let mut sent = Vec::new();
    for (name, value) in headers {
        let text = told.plain(value)?;
        if http::HeaderName::try_from(&**name).is_err()
            || http::HeaderValue::try_from(text.as_str()).is_err()
        {
            return Err(
                told.broken(format!("`{name}` is no header that can be sent"), value.span())
            );
        }
        sent.push((name.to_string(), text));
    }
    if !told.taint.is_clean() {
        let message = "a page asks many hosts, so no secret may be in its headers";
        return Err(Box::new(fault::failure(Verdict::Policy, message.to_owned())));
    }
    Ok(sent)
}

/// A text for a field, with the secrets that went into it.
fn field_text(
    step: &Step,
    attempt: &Attempt,
    text: &Text,
) -> Result<(FieldText, Taint), Box<Failure>> {
    let mut rendering = Rendering::new(step, &attempt.scope);
    let value = rendering.plain(text)?;
    let text = match rendering.taint.is_clean() {
        true => FieldText::Plain(value),
        false => FieldText::Secret(SecretText::new(value)),
    };
    Ok((text, rendering.taint))
}
