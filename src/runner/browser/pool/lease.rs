//! One run's place in a browser, given back whatever happens to the run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::browser::{Browser, Context, Lane};
use super::warm::Shared;
use crate::runner::browser::error::BrowserError;
use crate::runner::browser::protocol::{Bidi, BidiError, BidiEvent, Command, WebDriver};
use crate::time::{Clock, Deadline};

/// How long a browser gets to close what a run has left open before it is given up.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// Where a run's page lives.
#[derive(Debug)]
pub(super) enum Place {
    /// A user context in a browser of ours.
    Local { browser: Arc<Browser>, lane: Lane, context: Context },
    /// A session of its own at a remote end.
    Remote { session: WebDriver, bidi: Option<Bidi> },
}

/// A place that is cleared and given back when it is dropped, by a task of the pool.
#[derive(Debug)]
pub(in crate::runner::browser) struct Lease {
    shared: Arc<Shared>,
    /// Taken out when the lease ends.
    place: Option<(Place, OwnedSemaphorePermit)>,
    events: Option<mpsc::Receiver<BidiEvent>>,
    /// The session answered late or not at all.
    is_poisoned: bool,
}

/// Gives a place back when opening it does not come to its end.
struct Opening<'a> {
    shared: &'a Arc<Shared>,
    browser: Option<Arc<Browser>>,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if let Some(browser) = self.browser.take() {
            // What was begun is unknown, so the browser is not shared with further runs.
            browser.retire("a place could not be opened");
            browser.give_back(None, self.shared.clock.monotonic());
        }
    }
}

impl Place {
    pub(super) async fn open(
        shared: &Arc<Shared>,
        browser: Arc<Browser>,
        deadline: Deadline,
    ) -> Result<Self, BrowserError> {
        let mut opening = Opening { shared, browser: Some(Arc::clone(&browser)) };
        let lane = browser.lane(deadline).await?;
        let context = browser.context(deadline).await.map_err(BrowserError::Context)?;
        opening.browser = None;
        Ok(Self::Local { browser, lane, context })
    }
}

impl Lease {
    pub(super) fn new(shared: Arc<Shared>, permit: OwnedSemaphorePermit, place: Place) -> Self {
        let events = match &place {
            Place::Local { browser, context, .. } => {
                Some(browser.bidi().listen(&context.user_context))
            }
            Place::Remote { bidi, .. } => bidi.as_ref().map(|bidi| bidi.listen("default")),
        };
        Self { shared, place: Some((place, permit)), events, is_poisoned: false }
    }

    /// The classic session.
    pub(in crate::runner::browser) fn session(&self) -> &WebDriver {
        match self.place() {
            Place::Local { lane, .. } => &lane.session,
            Place::Remote { session, .. } => session,
        }
    }

    /// The window to work in; `None` for the only one there is.
    pub(in crate::runner::browser) fn window(&self) -> Option<&str> {
        match self.place() {
            Place::Local { context, .. } => Some(&context.window),
            Place::Remote { .. } => None,
        }
    }

    /// The tabs of this place; `None` where the session has no others anyway.
    pub(in crate::runner::browser) async fn tabs(
        &self,
        deadline: Deadline,
    ) -> Option<Result<Vec<String>, BidiError>> {
        let Place::Local { browser, context, .. } = self.place() else { return None };
        let whole = serde_json::json!({ "maxDepth": 0 });
        let tree = browser.bidi().command("browsingContext.getTree", whole, deadline).await;
        Some(tree.map(|tree| {
            let tabs = tree.get("contexts").and_then(|list| list.as_array()).into_iter().flatten();
            let text = |tab: &serde_json::Value, key: &str| {
                tab.get(key).and_then(|value| value.as_str()).map(ToOwned::to_owned)
            };
            tabs.filter(|tab| text(tab, "userContext").as_ref() == Some(&context.user_context))
                .filter_map(|tab| text(tab, "context"))
                .collect()
        }))
    }

    /// The next thing that has happened in the place; `None` when nothing has.
    pub(in crate::runner::browser) fn next_event(&mut self) -> Option<BidiEvent> {
        self.events.as_mut()?.try_recv().ok()
    }

    /// A folder that the browser's user can read; `None` at a remote end.
    pub(in crate::runner::browser) fn home(&self) -> Option<PathBuf> {
        match self.place() {
            Place::Local { browser, .. } => browser.home(),
            Place::Remote { .. } => None,
        }
    }

    /// The clock that deadlines follow.
    pub(in crate::runner::browser) fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    /// Notes that the session cannot be trusted with another run.
    pub(in crate::runner::browser) fn poison(&mut self) {
        self.is_poisoned = true;
    }

    fn place(&self) -> &Place {
        &self.place.as_ref().expect("the place is taken out by `drop` only").0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some((place, permit)) = self.place.take() else { return };
        if tokio::runtime::Handle::try_current().is_err() {
            // The runtime is gone, and with it our process soon; the guards do the rest.
            return;
        }
        let shared = Arc::clone(&self.shared);
        let is_poisoned = self.is_poisoned;
        self.shared.tasks.spawn("close-page", move |_stop| async move {
            close(&shared, place, is_poisoned).await;
            drop(permit);
        });
    }
}

async fn close(shared: &Arc<Shared>, place: Place, is_poisoned: bool) {
    match place {
        Place::Local { browser, lane, context } => {
            let grace = Deadline::after(&*shared.clock, CLOSE_GRACE);
            if is_poisoned && lane.is_first {
                browser.retire("its first session hangs");
            }
            if let Err(fault) = clear(&browser, &context, grace).await {
                tracing::debug!(%fault, "browser is given up");
                browser.retire("it did not close a page");
            }
            // A run that was dropped in the middle of a command may have left it to be answered.
            let is_fit = !is_poisoned
                && !browser.is_retired()
                && lane.session.issue(Command::get("timeouts"), grace).await.is_ok();
            let lane = match is_fit {
                true => Some(lane),
                false => {
                    discard(shared, &browser, lane).await;
                    None
                }
            };
            browser.give_back(lane, shared.clock.monotonic());
            shared.end_spent().await;
        }
        Place::Remote { session, bidi } => {
            let closer = session.closer();
            closer.close(&*shared.clock, CLOSE_GRACE).await;
            drop((session, bidi));
        }
    }
}

/// Closes what a run has left, and makes a fresh place for the next one.
async fn clear(browser: &Browser, context: &Context, grace: Deadline) -> Result<(), BidiError> {
    if !browser.is_retired() {
        // ORDER: the next tab before the last one is closed: a session ends with its last tab.
        browser.prepare(grace).await?;
    }
    browser.close_context(context, grace).await
}

async fn discard(shared: &Arc<Shared>, browser: &Browser, lane: Lane) {
    if lane.is_first {
        browser.retire("its first session is unfit");
        return;
    }
    let closer = lane.session.closer();
    drop(lane);
    closer.close(&*shared.clock, CLOSE_GRACE).await;
}
