use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::arguments::{PageSettings, Sandbox, remote_capabilities};
use super::browser::{Browser, EVENTS};
use super::lease::{Lease, Place};
use crate::runner::browser::egress;
use crate::runner::browser::error::BrowserError;
use crate::runner::browser::page::BrowserSession;
use crate::runner::browser::protocol::{Bidi, WebDriver, WebDriverFault};
use crate::runner::browser::settings::{BrowserSettings, SandboxPolicy};
use crate::runner::policy::Trust;
use crate::task::TaskGroup;
use crate::time::{Clock, Deadline};

/// How often browsers are looked after.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// How long a browser is kept warm for a next run.
const IDLE_MAX: Duration = Duration::from_secs(300);
/// Starting a browser takes one or two seconds; on a machine that is busy, several times that.
const START_TIMEOUT: Duration = Duration::from_secs(45);

/// Browsers that are tried for one session.
const TRIES_MAX: usize = 2;

/// Gives each run a fresh place in a warm browser. Cloning gives another handle to the same pool.
///
/// Browsers live until the pool's task group is shut down, and not beyond our process.
#[derive(Clone, Debug)]
pub struct BrowserPool {
    shared: Arc<Shared>,
    /// Its shutdown waits for the keeper, and so for the end of all browsers.
    owner: TaskGroup,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: BrowserSettings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tasks: TaskGroup,
    places: Arc<Semaphore>,
    /// Held while a browser starts: two runs that find none shall not start two.
    starting: Semaphore,
    browsers: Mutex<Vec<Arc<Browser>>>,
    sandbox_warning: Mutex<Option<String>>,
    proxy: OnceCell<SocketAddr>,
    /// Begun with the first session: a pool that nobody asks costs nothing.
    keeper: Once,
}

/// How a pool stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// Browsers that run.
    pub browsers: usize,
    /// Places that are free.
    pub places_free: usize,
    /// Why browsers run without Chromium's sandbox, when they do.
    pub sandbox_warning: Option<String>,
}

impl BrowserPool {
    /// A pool without browsers; the first run starts the first one. Needs no runtime yet.
    pub fn new(settings: BrowserSettings, clock: Arc<dyn Clock>, tasks: &TaskGroup) -> Self {
        let shared = Arc::new(Shared {
            places: Arc::new(Semaphore::new(settings.sessions_max)),
            starting: Semaphore::new(1),
            browsers: Mutex::default(),
            sandbox_warning: Mutex::default(),
            proxy: OnceCell::new(),
            keeper: Once::new(),
            tasks: tasks.child(),
            settings,
            clock,
        });
        Self { shared, owner: tasks.clone() }
    }

    /// A fresh, isolated place for one run: no cookies, no storage, nothing of any other run.
    ///
    /// Errors: `BrowserError`, always our side's fault. Cancel safety: yes; what was begun is
    /// undone by a task of the pool.
    pub async fn session(
        &self,
        page: &PageSettings,
        deadline: Deadline,
    ) -> Result<BrowserSession, BrowserError> {
        let shared = &self.shared;
        shared.keeper.call_once(|| {
            let keeper = Arc::clone(shared);
            self.owner.spawn("browser-keeper", move |stop| keep(keeper, stop));
        });
        let asked = shared.clock.monotonic();
        let busy = || BrowserError::Busy { waited: shared.clock.monotonic().since(asked) };
        let mut tries = 0;
        loop {
            tries += 1;
            let permit = deadline
                .bound(Arc::clone(&shared.places).acquire_owned())
                .await
                .map_err(|_| busy())?
                .map_err(|_| BrowserError::Stopped)?;
            let place = match &shared.settings.remote {
                // A remote browser cannot be made to go through a proxy of ours.
                Some(_) if shared.settings.policy.trust() != Trust::Full => {
                    return Err(BrowserError::Untrusted);
                }
                Some(remote) => self.remote_place(remote.clone(), deadline).await?,
                None => self.local_place(deadline, busy).await?,
            };
            let lease = Lease::new(Arc::clone(shared), permit, place);
            match BrowserSession::prepare(lease, page.clone(), deadline).await {
                // A browser that died while it was idle shows it now; another takes its place.
                Err(BrowserError::Session(_)) if tries < TRIES_MAX => {}
                prepared => return prepared,
            }
        }
    }

    /// How the pool stands.
    pub fn status(&self) -> PoolStatus {
        PoolStatus {
            browsers: self.shared.browsers().len(),
            places_free: self.shared.places.available_permits(),
            sandbox_warning: self
                .shared
                .sandbox_warning
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }

    /// Ends all browsers and waits until nothing of them is left. No session can be had after.
    pub async fn close(&self) {
        self.shared.places.close();
        self.shared.stop_all().await;
    }

    async fn local_place(
        &self,
        deadline: Deadline,
        busy: impl Fn() -> BrowserError,
    ) -> Result<Place, BrowserError> {
        let shared = &self.shared;
        let browser = match shared.with_place() {
            Some(browser) => browser,
            None => {
                let _one = deadline
                    .bound(shared.starting.acquire())
                    .await
                    .map_err(|_| busy())?
                    .map_err(|_| BrowserError::Stopped)?;
                // Whoever held the permit before may have started one with places for several.
                match shared.with_place() {
                    Some(browser) => browser,
                    None => shared.start_browser(deadline).await?,
                }
            }
        };
        Place::open(shared, browser, deadline).await
    }

    async fn remote_place(
        &self,
        remote: url::Url,
        deadline: Deadline,
    ) -> Result<Place, BrowserError> {
        let shared = &self.shared;
        let capabilities = remote_capabilities(&shared.settings);
        let session = Box::pin(WebDriver::open(&remote, &capabilities, deadline))
            .await
            .map_err(BrowserError::Session)?;
        let socket = session.capability("webSocketUrl").and_then(|url| url.as_str());
        let bidi = match socket {
            // Without BiDi a remote end still works; what only BiDi tells is then missing.
            Some(url) => Bidi::connect(url, deadline, &shared.tasks).await.ok(),
            None => None,
        };
        if let Some(bidi) = &bidi {
            let events = json!({ "events": EVENTS });
            bidi.command("session.subscribe", events, deadline).await.ok();
        }
        Ok(Place::Remote { session, bidi })
    }
}

impl Shared {
    fn browsers(&self) -> MutexGuard<'_, Vec<Arc<Browser>>> {
        self.browsers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_place(&self) -> Option<Arc<Browser>> {
        let now = self.clock.monotonic();
        let browsers = self.browsers();
        browsers.iter().find(|browser| browser.take_place(&self.settings, now)).cloned()
    }

    /// Starts a browser with one place taken; without its sandbox only where policy allows it.
    async fn start_browser(&self, deadline: Deadline) -> Result<Arc<Browser>, BrowserError> {
        self.await_memory(deadline).await?;
        let deadline = deadline.tightened(&*self.clock, START_TIMEOUT);
        let ground = (&*self.clock, &self.tasks);
        let proxy = self.proxy().await?;
        let starting = Browser::start(&self.settings, (Sandbox::On, proxy), deadline, ground);
        let browser = match Box::pin(starting).await {
            Err(BrowserError::Session(refusal))
                if refusal.fault() == Some(WebDriverFault::SessionNotCreated)
                    && self.settings.sandbox == SandboxPolicy::Preferred =>
            {
                let how = (Sandbox::Off, proxy);
                let starting = Browser::start(&self.settings, how, deadline, ground);
                let browser = Box::pin(starting).await?;
                self.warn_of_no_sandbox(refusal.message());
                browser
            }
            started => started?,
        };
        tracing::debug!(version = %browser.version, "browser started");
        let browser = Arc::new(browser);
        browser.take_place(&self.settings, self.clock.monotonic());
        self.browsers().push(Arc::clone(&browser));
        Ok(browser)
    }

    /// The way out for browsers of canaries that are not trusted, begun with the first of them.
    async fn proxy(&self) -> Result<Option<SocketAddr>, BrowserError> {
        if self.settings.policy.trust() == Trust::Full {
            return Ok(None);
        }
        let listening = egress::listen(self.settings.policy.clone(), &self.tasks);
        self.proxy
            .get_or_try_init(|| listening)
            .await
            .copied()
            .map(Some)
            .map_err(BrowserError::Egress)
    }

    fn warn_of_no_sandbox(&self, reason: &str) {
        tracing::warn!(%reason, "the browser runs without its sandbox");
        let mut warning = self.sandbox_warning.lock().unwrap_or_else(PoisonError::into_inner);
        *warning = Some(reason.to_owned());
    }

    /// Waits until the machine has memory to spare for another browser.
    async fn await_memory(&self, deadline: Deadline) -> Result<(), BrowserError> {
        let asked = self.clock.monotonic();
        let mut ticks = tokio::time::interval(Duration::from_millis(250));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let enough = async {
            while memory_available_mib()
                .is_some_and(|mib| mib < self.settings.memory_available_min_mib)
            {
                ticks.tick().await;
            }
        };
        let waited = || self.clock.monotonic().since(asked);
        deadline.bound(enough).await.map_err(|_| BrowserError::Busy { waited: waited() })
    }

    /// Ends the browsers that nobody uses and nobody shall.
    pub(super) async fn end_spent(&self) {
        let now = self.clock.monotonic();
        let mut spent = Vec::new();
        self.browsers().retain(|browser| {
            browser.check(&self.settings, now);
            let reason = browser.is_spent(IDLE_MAX, now);
            spent.extend(reason.map(|reason| (Arc::clone(browser), reason)));
            reason.is_none()
        });
        for (browser, reason) in spent {
            tracing::debug!(reason, "browser ends");
            browser.stop(&*self.clock).await;
        }
    }

    async fn stop_all(&self) {
        let browsers = std::mem::take(&mut *self.browsers());
        let stopping = browsers.iter().map(|browser| browser.stop(&*self.clock));
        futures_util::future::join_all(stopping).await;
    }
}

/// Looks after the browsers until the end, then ends them.
async fn keep(shared: Arc<Shared>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(CHECK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => shared.end_spent().await,
        }
    }
    shared.places.close();
    shared.stop_all().await;
}

/// Source: proc(5), `/proc/meminfo`, `MemAvailable`.
fn memory_available_mib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib / 1024)
}
