//! Whole runs with browser steps: from a canary file to its report.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use coalmine::canary::load::{NoImports, load};
use coalmine::canary::report::{ArtifactKind, RunOutcome, RunReport, Verdict};
use coalmine::canary::secret::SecretText;
use coalmine::diagnostic::SourceFile;
use coalmine::runner::browser::{BrowserPool, BrowserSettings};
use coalmine::runner::policy::{NetworkPolicy, Trust};
use coalmine::runner::probe::NetworkSettings;
use coalmine::runner::{
    NewPicture, PictureSettings, RunRequest, Runner, RunnerSettings, SecretStore, StoredSecret,
};
use coalmine::task::TaskGroup;
use coalmine::time::SystemClock;

use crate::browser_pages::{Site, pool, run, settings};

const SHOP: &str = "<title>Shop</title><body style='font: 20px sans-serif'><h1>Shop</h1>\
    <label>Password <input type=password id=pw></label><input id=q placeholder=Search>\
    <button onclick=\"out.textContent = 'found 3 ' + q.value + 's'\">Search</button>\
    <p id=out></p>";

const OTHER: &str = "<title>Shop</title><body style='font: 20px sans-serif'><h1>Shopping</h1>\
    <label>Password <input type=password id=pw></label><input id=q placeholder=Search>\
    <button onclick=\"out.textContent = 'found 3 ' + q.value + 's'\">Search</button>\
    <p id=out></p>";

const CANARY: &str = "
canary: shop
secrets: [PASSWORD]
steps:
  - step: search
    browser:
      - open: 'BASE/'
      - fill: { '#pw': '{{ secret.PASSWORD }}' }
      - fill: { '#q': lamp }
      - click: button
      - expect: { text: { '#out': found 3 lamps }, title: Shop }
      - screenshot: { name: results }
";

struct Bench {
    folder: tempfile::TempDir,
    browsers: BrowserPool,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, browsers: pool(settings(), &TaskGroup::new()) }
    }

    async fn run(&self, text: &str, site: &Site, new: NewPicture) -> RunReport {
        let text = text.replace("BASE", site.url("").trim_end_matches('/'));
        let source = SourceFile::new("shop.yaml", text);
        let canary = load(&source, Path::new("."), &NoImports);
        let canary = canary.unwrap_or_else(|faults| panic!("{faults:?}")).canary;
        let secret = StoredSecret { value: SecretText::new("swordfish"), hosts: Vec::new() };
        let settings = RunnerSettings {
            secrets: SecretStore::new(BTreeMap::from([("PASSWORD".into(), secret)])),
            pictures: PictureSettings { baselines: self.folder.path().join("baselines"), new },
            ..RunnerSettings::default()
        };
        let runner = Runner::new(settings, Arc::new(SystemClock));
        let runner = runner.with_browsers(self.browsers.clone());
        let request = RunRequest::expand(&Arc::new(canary)).remove(0);
        runner.run(request, &mut |_event| {}).await
    }
}

#[test]
fn a_picture_is_new_then_approved_then_the_same_then_different() {
    run(async {
        let bench = Bench::new();
        let (shop, other) = (Site::with(&[("/", SHOP)]).await, Site::with(&[("/", OTHER)]).await);
        let verdict = |report: &RunReport| {
            let step = &report.attempts[0].steps[0];
            let picture = step.pictures.first().unwrap_or_else(|| panic!("{:?}", step.outcome));
            (report.outcome, picture.verdict.clone(), picture.accepted)
        };
        let new = bench.run(CANARY, &shop, NewPicture::Refuse).await;
        assert_eq!(verdict(&new), (RunOutcome::Failed, "new".to_owned(), false));
        let (_, failure) = new.failure().expect("the run failed");
        assert_eq!(failure.verdict, Verdict::Visual);
        let approved = bench.run(CANARY, &shop, NewPicture::Approve).await;
        assert_eq!(verdict(&approved), (RunOutcome::Passed, "new".to_owned(), true));
        let same = bench.run(CANARY, &shop, NewPicture::Refuse).await;
        assert_eq!(verdict(&same), (RunOutcome::Passed, "same".to_owned(), true));
        let measures = &same.attempts[0].steps[0].measures;
        assert!(measures.iter().any(|measure| &*measure.name == "LargestContentfulPaint"));
        let changed = bench.run(CANARY, &other, NewPicture::Refuse).await;
        assert_eq!(verdict(&changed), (RunOutcome::Failed, "changed".to_owned(), false));
        let kinds: Vec<ArtifactKind> = changed.artifacts.iter().map(|file| file.kind).collect();
        let kept = [ArtifactKind::Baseline, ArtifactKind::Difference, ArtifactKind::Har];
        for kind in kept.into_iter().chain([ArtifactKind::ShotRecord]) {
            assert!(kinds.contains(&kind), "{kind:?} in {kinds:?}");
        }
        for file in &changed.artifacts {
            let text = String::from_utf8_lossy(&file.bytes);
            assert!(!text.contains("swordfish"), "{}", file.name);
        }
    });
}

#[test]
fn what_does_not_hold_is_reported_with_its_place_and_a_picture() {
    run(async {
        let bench = Bench::new();
        let shop = Site::with(&[("/", SHOP)]).await;
        let text = CANARY
            .replace("found 3 lamps", "found 4 lamps")
            .replace("title: Shop }", "title: Shop }\n        timeout: 300ms");
        let report = bench.run(&text, &shop, NewPicture::Refuse).await;
        let (_, failure) = report.failure().expect("the run failed");
        assert_eq!(failure.verdict, Verdict::Target);
        assert_eq!(failure.assertions.len(), 1, "{failure:?}");
        let assertion = &failure.assertions[0];
        assert_eq!(assertion.subject, "text of `#out`");
        assert_eq!(assertion.actual, "\"found 3 lamps\"");
        assert_eq!(failure.location.as_ref().map(|place| place.line), Some(11));
        let kinds: Vec<ArtifactKind> = report.artifacts.iter().map(|file| file.kind).collect();
        assert!(kinds.contains(&ArtifactKind::FailureScreenshot), "{kinds:?}");
    });
}

/// What a page reaches for is held to the policy as well as what a step names.
#[test]
fn in_pr_trust_a_page_reaches_nothing_that_is_not_listed() {
    run(async {
        let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let forbidden = other.local_addr().expect("a bound socket has an address");
        let html = format!(
            "<title>page</title><img src='http://{forbidden}/a.png'><script>\
             fetch('http://localhost:{port}/b').catch(() => 0);\
             new WebSocket('ws://{forbidden}/c')</script>",
            port = forbidden.port(),
        );
        let site = Site::with(&[("/", Box::leak(html.into_boxed_str()))]).await;
        let policy = NetworkPolicy::new(
            Trust::PullRequest,
            vec![site.address.to_string().parse().expect("an address is a destination")],
        );
        let browsers =
            pool(BrowserSettings { policy: policy.clone(), ..settings() }, &TaskGroup::new());
        let network = NetworkSettings { policy, ..NetworkSettings::default() };
        let settings = RunnerSettings { network, ..RunnerSettings::default() };
        let runner = Runner::new(settings, Arc::new(SystemClock)).with_browsers(browsers);
        let text = format!(
            "canary: page\nsteps:\n  - step: open\n    browser:\n      - open: '{}'\n      \
             - wait: {{ network: idle }}\n      - expect: {{ title: page }}\n",
            site.url("/"),
        );
        let source = SourceFile::new("page.yaml", text);
        let canary = load(&source, Path::new("."), &NoImports);
        let canary = canary.unwrap_or_else(|faults| panic!("{faults:?}")).canary;
        let request = RunRequest::expand(&Arc::new(canary)).remove(0);
        let report = runner.run(request, &mut |_event| {}).await;
        assert_eq!(report.outcome, RunOutcome::Passed, "{:?}", report.failure());
        let step = &report.attempts[0].steps[0];
        let refused = step.exchanges.iter().filter(|exchange| exchange.error.is_some()).count();
        assert!(refused >= 2, "{:?}", step.exchanges);
        let knock = tokio::time::timeout(std::time::Duration::ZERO, other.accept()).await;
        assert!(knock.is_err(), "the page reached a destination that is not listed");
        runner.close().await;
    });
}

/// The file says what the visitor is like, and the page sees it.
#[test]
fn the_browser_is_what_the_canary_says() {
    run(async {
        let bench = Bench::new();
        let page = "<title>me</title><p id=me></p><script>\
             me.textContent = [innerWidth, innerHeight,\
             devicePixelRatio, navigator.language, new Date(0).getHours(),\
             matchMedia('(prefers-color-scheme: dark)').matches].join(' ')</script>";
        let site = Site::with(&[("/", page)]).await;
        let text = "
canary: shop
browser: { viewport: 800x600, scale: 2, locale: de-DE, timezone: Asia/Tokyo, colour_scheme: dark }
steps:
  - step: look
    browser:
      - open: 'BASE/'
      - expect: { text: { '#me': 800 600 2 de-DE 9 true } }
      - screenshot: me
";
        let report = bench.run(text, &site, NewPicture::Approve).await;
        assert_eq!(report.outcome, RunOutcome::Passed, "{:?}", report.failure());
        let picture = &report.attempts[0].steps[0].pictures[0];
        assert_eq!(picture.baseline, "shop/me@800x600@2x.dark.png");
    });
}

const REQUESTS: &str = "
canary: shop
steps:
  - step: ask
    browser:
      - block: '*/tracker*'
      - headers: { x-canary: 'yes' }
      - open: 'BASE/'
      - expect: { text: { '#tracker': refused, '#header': 'yes' } }
      - click: a
      - tab: newest
      - expect: { title: Help, text: { '#header': nothing } }
      - reload
      - expect: { title: Help, text: { '#header': 'yes', '#tracker': refused } }
      - tab: first
      - expect: { title: Shop }
      - tab: first
      - click: a
      - tab: newest
      - tab: close
      - expect: { title: Shop }
";

#[test]
fn requests_are_refused_and_marked_in_every_tab_from_when_it_is_worked_in() {
    use axum::response::Html;
    use axum::routing::get;
    run(async {
        let page = |title: &'static str| {
            move |headers: axum::http::HeaderMap| async move {
                let said = headers.get("x-canary").and_then(|value| value.to_str().ok());
                let said = said.unwrap_or("nothing").to_owned();
                Html(format!(
                    "<title>{title}</title><p id=header>{said}</p><p id=tracker></p>\
                     <a href=/help target=_blank>Help</a><script>fetch('/tracker.js').then(\
                     () => tracker.textContent = 'loaded', () => tracker.textContent = 'refused')\
                     </script>"
                ))
            }
        };
        let router = axum::Router::new()
            .route("/", get(page("Shop")))
            .route("/help", get(page("Help")))
            .route("/tracker.js", get(|| async { "" }));
        let (bench, site) = (Bench::new(), Site::serving(router).await);
        let report = bench.run(REQUESTS, &site, NewPicture::Refuse).await;
        assert_eq!(report.outcome, RunOutcome::Passed, "{:?}", report.failure());

        let first =
            REQUESTS.replace("      - tab: newest\n      - tab: close", "      - tab: close");
        let report = bench.run(&first, &site, NewPicture::Refuse).await;
        let (_, failure) = report.failure().expect("the first tab is not closed");
        assert_eq!(failure.message, "the first tab stays open as long as the run");

        let none = REQUESTS
            .replace("      - click: a\n", "")
            .replace("newest", "newest\n        timeout: 300ms");
        let report = bench.run(&none, &site, NewPicture::Refuse).await;
        let (_, failure) = report.failure().expect("no tab was opened");
        assert!(failure.message.contains("a new tab, but none opened"), "{}", failure.message);
    });
}

#[test]
fn no_secret_goes_into_the_headers_of_a_page() {
    run(async {
        let (bench, site) = (Bench::new(), Site::with(&[("/", SHOP)]).await);
        let text = "
canary: shop
secrets: [PASSWORD]
steps:
  - step: ask
    browser:
      - open: 'BASE/'
      - headers: { authorization: 'Bearer {{ secret.PASSWORD }}' }
";
        let report = bench.run(text, &site, NewPicture::Refuse).await;
        let (_, failure) = report.failure().expect("the run failed");
        assert_eq!(failure.verdict, Verdict::Policy);
    });
}
