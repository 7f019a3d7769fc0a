//! Page actions of a step: rendered, done in the run's page, judged, and their evidence kept.

mod action;
mod evidence;
mod expect;
mod picture;
mod target;
mod told;

pub(super) use told::told;

use super::rendering::Rendering;
use crate::canary::definition::{ColourScheme, Step};
use crate::canary::page::BrowserStep;
use crate::canary::report::{Failure, Verdict};
use crate::runner::attempt::Attempt;
use crate::runner::browser::{BrowserError, BrowserSession, PageFault, PageSettings};
use crate::runner::fault;
use crate::runner::step::StepRecord;
use crate::time::Deadline;

impl Attempt {
    /// Does the page actions of a step, in the page that all browser steps of an attempt share.
    pub(super) async fn browser(
        &mut self,
        step: &Step,
        actions: &[BrowserStep],
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<(), Box<Failure>> {
        let mut page = match self.page.take() {
            Some(page) => page,
            None => Box::new(self.open_page(deadline).await?),
        };
        let seen_before = page.exchanges().len();
        let done = self.page_actions(step, actions, (&mut page, record), deadline).await;
        self.note_exchanges(&mut page, seen_before, record);
        match done {
            Ok(()) => {
                if let Ok(measures) = page.measures(deadline).await {
                    record.measures.extend(measures);
                }
                self.page = Some(page);
                Ok(())
            }
            Err(Stopped { failure, is_lost }) => {
                self.keep_page_evidence(step, &mut page, is_lost, deadline).await;
                // A page that is lost is given back, and the next step gets another.
                self.page = (!is_lost).then_some(page);
                Err(failure)
            }
        }
    }

    async fn open_page(&self, deadline: Deadline) -> Result<BrowserSession, Box<Failure>> {
        let Some(browsers) = self.run.parts.browsers.get() else {
            let message = "this runner was given no browsers";
            return Err(Box::new(fault::failure(Verdict::Runner, message)));
        };
        let session = browsers.session(&self.page_settings(), deadline).await;
        session.map_err(|error| {
            let verdict = match error {
                BrowserError::Untrusted => Verdict::Policy,
                _ => Verdict::Runner,
            };
            let mut failure = fault::failure(verdict, error.to_string());
            failure.detail = std::error::Error::source(&error).map(ToString::to_string);
            Box::new(failure)
        })
    }

    /// What the canary says that its visitor is like.
    fn page_settings(&self) -> PageSettings {
        let own = &self.run.canary.browser;
        PageSettings {
            width: own.width,
            height: own.height,
            scale: own.scale,
            locale: own.locale.to_string(),
            timezone: own.timezone.to_string(),
            dark: own.colour_scheme == ColourScheme::Dark,
        }
    }

    async fn page_actions(
        &mut self,
        step: &Step,
        actions: &[BrowserStep],
        (page, record): (&mut BrowserSession, &mut StepRecord),
        deadline: Deadline,
    ) -> Result<(), Stopped> {
        for action in actions {
            let done = Box::pin(self.page_action(step, action, (page, record), deadline)).await;
            done.map_err(|mut stopped| {
                let here = step.locate(action.span);
                stopped.failure.location.get_or_insert(here);
                stopped
            })?;
        }
        Ok(())
    }
}

/// Why the actions of a step did not go on.
#[derive(Debug)]
struct Stopped {
    failure: Box<Failure>,
    /// The page can be used no more, not even for a picture.
    is_lost: bool,
}

impl From<Box<Failure>> for Stopped {
    fn from(failure: Box<Failure>) -> Self {
        Self { failure, is_lost: false }
    }
}

impl From<PageFault> for Stopped {
    fn from(fault: PageFault) -> Self {
        let is_lost = matches!(fault, PageFault::Lost { .. } | PageFault::Unresponsive { .. });
        let mut failure = fault::failure(fault.verdict(), fault.to_string());
        failure.detail = fault.detail();
        Self { failure: Box::new(failure), is_lost }
    }
}
