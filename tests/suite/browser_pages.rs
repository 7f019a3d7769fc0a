//! Pages to try browsers on, and browsers to try: shared by all tests of the binary.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use coalmine::runner::browser::{
    ActionLimit, BrowserPool, BrowserSession, BrowserSettings, PageSettings,
};
use coalmine::task::TaskGroup;
use coalmine::time::{Clock, Deadline, SystemClock};
use tokio::runtime::Runtime;

/// One runtime for all browser tests: a browser costs a second to start, so they share a pool.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts")
});

static POOL: LazyLock<BrowserPool> = LazyLock::new(|| pool(settings(), &TaskGroup::new()));

/// Settings whose guard is the program under test.
pub(crate) fn settings() -> BrowserSettings {
    BrowserSettings {
        guard: PathBuf::from(env!("CARGO_BIN_EXE_coalmine")),
        ..BrowserSettings::default()
    }
}

pub(crate) fn pool(settings: BrowserSettings, tasks: &TaskGroup) -> BrowserPool {
    BrowserPool::new(settings, Arc::new(SystemClock), tasks)
}

/// Runs a test on the shared runtime.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    RUNTIME.block_on(test)
}

pub(crate) fn within(seconds: u64) -> Deadline {
    Deadline::after(&SystemClock, Duration::from_secs(seconds))
}

/// The usual limit: generous, for machines that do much else at the time.
pub(crate) fn limit() -> ActionLimit {
    ActionLimit { timeout: Some(Duration::from_secs(25)), step: within(60) }
}

/// A limit that is soon over, for actions that cannot succeed.
pub(crate) fn short() -> ActionLimit {
    ActionLimit { timeout: Some(Duration::from_millis(600)), step: within(60) }
}

/// A fresh session in the shared pool.
pub(crate) async fn session() -> BrowserSession {
    let page = PageSettings::default();
    POOL.session(&page, within(60)).await.expect("this machine has Chromium and its driver")
}

/// A site with one page per path.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    tasks: TaskGroup,
}

impl Site {
    /// Serves `pages`, each at its path.
    pub(crate) async fn with(pages: &[(&'static str, &'static str)]) -> Self {
        let mut router = Router::new();
        for (path, html) in pages.iter().copied() {
            router = router.route(path, get(move || async move { Html(html) }));
        }
        Self::serving(router).await
    }

    pub(crate) async fn serving(router: Router) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let tasks = TaskGroup::new();
        tasks.spawn("site", move |stop| async move {
            let stopped = async move { stop.cancelled().await };
            drop(axum::serve(listener, router).with_graceful_shutdown(stopped).await);
        });
        Self { address, tasks }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

/// A session that has opened a page with this body.
pub(crate) async fn showing(html: &'static str) -> (BrowserSession, Site) {
    let site = Site::with(&[("/", html)]).await;
    let mut session = session().await;
    session.open(&site.url("/"), limit()).await.expect("the page loads");
    (session, site)
}

/// Waits until `holds`, at most ten seconds; for what other processes do in their own time.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = SystemClock.monotonic();
    while !holds() {
        let waited = SystemClock.monotonic().since(start);
        assert!(waited < Duration::from_secs(10), "{what}: not within ten seconds");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
