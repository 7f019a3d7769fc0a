//! What the HTTP probe sees of servers that behave.

use std::sync::Arc;
use std::time::Duration;

use coalmine::canary::action::{HttpVersion, RedirectPolicy};
use coalmine::canary::definition::ConnectionReuse;
use coalmine::canary::observation::{HttpAnswer, Phase};
use coalmine::runner::policy::{NetworkPolicy, Trust};
use coalmine::runner::probe::http::{HttpRequest, HttpSession, Sensitive};
use coalmine::runner::probe::{Network, NetworkSettings, ProbeError, Trail, Verification};
use coalmine::time::{Clock, Deadline, SystemClock};
use rustls::pki_types::CertificateDer;
use tokio::io::AsyncWriteExt;

use crate::target::{Target, answer, header, ok, read_head};
use crate::tls_target::{Authority, TlsTarget};

struct Probe {
    session: HttpSession,
    clock: Arc<dyn Clock>,
}

impl Probe {
    fn with(settings: NetworkSettings, reuse: ConnectionReuse) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let network = Arc::new(Network::new(settings, Arc::clone(&clock)));
        Self { session: HttpSession::new(network, reuse), clock }
    }

    fn fresh() -> Self {
        Self::with(NetworkSettings::default(), ConnectionReuse::Fresh)
    }

    fn trusting(root: CertificateDer<'static>) -> Self {
        let settings = NetworkSettings { extra_roots: vec![root], ..NetworkSettings::default() };
        Self::with(settings, ConnectionReuse::Fresh)
    }

    async fn send(&mut self, request: &HttpRequest) -> (Result<HttpAnswer, ProbeError>, Trail) {
        let mut trail = Trail::start(Arc::clone(&self.clock));
        let deadline = Deadline::after(&*self.clock, Duration::from_secs(10));
        let outcome = self.session.send(request, &mut trail, deadline).await;
        (outcome, trail)
    }

    async fn get(&mut self, url: &str) -> HttpAnswer {
        self.send(&HttpRequest::new("GET", url).unwrap()).await.0.unwrap()
    }
}

#[tokio::test]
async fn an_answer_is_seen_whole_with_every_phase_that_happened() {
    let target = Target::http(|_head| {
        answer("201 Created", "X-One: 1\r\nset-cookie: a=b\r\nset-cookie: c=d\r\n", b"hello")
    })
    .await;
    let mut probe = Probe::fresh();
    let request = HttpRequest::new("GET", &target.url("/path?q=1#part")).unwrap();
    let (outcome, trail) = probe.send(&request).await;
    let seen = outcome.unwrap();
    assert_eq!((seen.status, &*seen.version, &*seen.body), (201, "HTTP/1.1", &b"hello"[..]));
    let cookies: Vec<_> = seen.headers.iter().filter(|(name, _)| name == "set-cookie").collect();
    assert_eq!(cookies.len(), 2);
    assert_eq!(trail.remote, Some(target.address));
    for phase in [Phase::Connect, Phase::Send, Phase::Wait, Phase::Receive] {
        assert!(trail.timings.phase(phase).is_some(), "{phase:?}");
    }
    for phase in [Phase::Resolve, Phase::Tls] {
        assert_eq!(trail.timings.phase(phase), None, "{phase:?}");
    }
}

#[tokio::test]
async fn the_wait_is_the_servers_own_time() {
    let delay = Duration::from_millis(60);
    let target = Target::serve(move |mut stream| async move {
        read_head(&mut stream).await;
        let mut tick = tokio::time::interval(delay);
        tick.tick().await;
        tick.tick().await;
        drop(stream.write_all(&ok("late")).await);
    })
    .await;
    let mut probe = Probe::fresh();
    let request = HttpRequest::new("GET", &target.url("/")).unwrap();
    let (outcome, trail) = probe.send(&request).await;
    outcome.unwrap();
    let wait = trail.timings.wait.unwrap();
    assert!(wait >= delay && wait < delay * 3, "{wait:?}");
    assert!(trail.timings.total() <= trail.elapsed());
}

#[tokio::test]
async fn a_body_and_its_length_arrive() {
    let target = Target::http(|head| ok(head.split_once("\r\n\r\n").unwrap().1)).await;
    let mut request = HttpRequest::new("POST", &target.url("/")).unwrap();
    request.body = vec![b'x'; 300_000].into();
    let (outcome, _) = Probe::fresh().send(&request).await;
    assert_eq!(outcome.unwrap().body.len(), 300_000);
}

#[tokio::test]
async fn connections_are_fresh_unless_the_canary_keeps_them() {
    for (reuse, connections) in [(ConnectionReuse::Fresh, 3), (ConnectionReuse::Keep, 1)] {
        let target = Target::http(|_head| ok("x")).await;
        let mut probe = Probe::with(NetworkSettings::default(), reuse);
        for _ in 0..3 {
            probe.get(&target.url("/")).await;
        }
        assert_eq!(target.connections(), connections, "{reuse:?}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_is_replaced() {
    let target = Target::http_once(|_head| ok("x")).await;
    let mut probe = Probe::with(NetworkSettings::default(), ConnectionReuse::Keep);
    for _ in 0..3 {
        assert_eq!(probe.get(&target.url("/")).await.status, 200);
    }
    assert_eq!(target.connections(), 3);
}

#[tokio::test]
async fn cookies_are_kept_through_redirects_and_for_later_requests() {
    let target = Target::http(|head| {
        if head.starts_with("GET /login") {
            return answer("302 Found", "set-cookie: sid=42; Path=/\r\nlocation: /home\r\n", b"");
        }
        ok(header(head, "cookie").unwrap_or("none"))
    })
    .await;
    let mut probe = Probe::fresh();
    let seen = probe.get(&target.url("/login")).await;
    assert_eq!(&*seen.body, b"sid=42");
    assert_eq!(seen.url, target.url("/home"));
    assert_eq!(seen.redirects.len(), 1);
    assert_eq!(&*probe.get(&target.url("/again")).await.body, b"sid=42");
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_origin() {
    let other = Target::http(|head| ok(header(head, "authorization").unwrap_or("none"))).await;
    let location = format!("location: {}\r\n", other.url("/"));
    let target = Target::http(move |_head| answer("307 Moved", &location, b"")).await;
    let mut request = HttpRequest::new("GET", &target.url("/")).unwrap();
    request.header("authorization", "Bearer token", Sensitive::No).unwrap();
    let (outcome, _) = Probe::fresh().send(&request).await;
    assert_eq!(&*outcome.unwrap().body, b"none");
}

#[tokio::test]
async fn a_stopped_redirect_is_the_answer() {
    let target = Target::http(|_head| answer("302 Found", "location: /x\r\n", b"moved")).await;
    let mut request = HttpRequest::new("GET", &target.url("/")).unwrap();
    request.redirects = RedirectPolicy::Stop;
    let seen = Probe::fresh().send(&request).await.0.unwrap();
    assert_eq!((seen.status, seen.redirects.len(), &*seen.body), (302, 0, &b"moved"[..]));
}

#[tokio::test]
async fn a_pull_request_cannot_be_redirected_inside() {
    let inside = Target::http(|_head| ok("secret")).await;
    let location = format!("location: {}\r\n", inside.url("/"));
    let outside = Target::http(move |_head| answer("302 Found", &location, b"")).await;
    let allowed = vec![outside.address.to_string().parse().unwrap()];
    let policy = NetworkPolicy::new(Trust::PullRequest, allowed);
    let settings = NetworkSettings { policy, ..NetworkSettings::default() };
    let mut probe = Probe::with(settings, ConnectionReuse::Fresh);
    let request = HttpRequest::new("GET", &outside.url("/")).unwrap();
    let (outcome, _) = probe.send(&request).await;
    let error = outcome.unwrap_err();
    assert!(error.is_policy(), "{error:?}");
    assert_eq!(inside.connections(), 0);
    assert_eq!(outside.connections(), 1);
}

#[tokio::test]
async fn a_name_that_resolves_inside_is_refused_before_connecting() {
    let inside = Target::http(|_head| ok("secret")).await;
    let policy = NetworkPolicy::new(Trust::PullRequest, Vec::new());
    let settings = NetworkSettings { policy, ..NetworkSettings::default() };
    let mut probe = Probe::with(settings, ConnectionReuse::Fresh);
    let url = format!("http://localhost:{}/", inside.address.port());
    let (outcome, _) = probe.send(&HttpRequest::new("GET", &url).unwrap()).await;
    let text = outcome.unwrap_err().to_string();
    assert!(text.starts_with("blocked by policy: localhost:"), "{text}");
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn tls_is_verified_observed_and_timed() {
    let authority = Authority::new();
    let target = TlsTarget::start(authority.leaf(&["localhost"]), &[b"http/1.1"]).await;
    let url = format!("https://localhost:{}/", target.port());
    let mut probe = Probe::trusting(authority.certificate());
    let (outcome, trail) = probe.send(&HttpRequest::new("GET", &url).unwrap()).await;
    assert_eq!(outcome.unwrap().version, "HTTP/1.1");
    assert!(trail.timings.tls.is_some() && trail.timings.resolve.is_some());
    let certificate = trail.certificate.unwrap();
    assert_eq!(certificate.names, ["localhost"]);
    assert_eq!(certificate.distrust, None);
    assert_eq!(certificate.issuer, "CN=Test Authority");
}

#[tokio::test]
async fn http2_is_spoken_where_both_sides_can() {
    let authority = Authority::new();
    let target = TlsTarget::start(authority.leaf(&["localhost"]), &[b"h2", b"http/1.1"]).await;
    let url = format!("https://localhost:{}/echo", target.port());
    let mut probe = Probe::trusting(authority.certificate());
    let mut request = HttpRequest::new("POST", &url).unwrap();
    request.body = vec![b'y'; 200_000].into();
    let (outcome, trail) = probe.send(&request).await;
    let seen = outcome.unwrap();
    assert_eq!((&*seen.version, seen.body.len()), ("HTTP/2", 200_000));
    assert!(trail.timings.send.is_some() && trail.timings.wait.is_some());
    request.version = Some(HttpVersion::Http11);
    assert_eq!(probe.send(&request).await.0.unwrap().version, "HTTP/1.1");
}

#[tokio::test]
async fn a_kept_http2_connection_serves_several_requests() {
    let authority = Authority::new();
    let target = TlsTarget::start(authority.leaf(&["localhost"]), &[b"h2"]).await;
    let url = format!("https://localhost:{}/", target.port());
    let extra_roots = vec![authority.certificate()];
    let settings = NetworkSettings { extra_roots, ..NetworkSettings::default() };
    let mut probe = Probe::with(settings, ConnectionReuse::Keep);
    let request = HttpRequest::new("GET", &url).unwrap();
    let (first, trail) = probe.send(&request).await;
    assert_eq!(first.unwrap().version, "HTTP/2");
    assert!(trail.timings.tls.is_some());
    for _ in 0..3 {
        let (next, trail) = probe.send(&request).await;
        assert_eq!(next.unwrap().status, 200);
        assert_eq!((trail.timings.connect, trail.timings.tls), (None, None));
        assert!(trail.certificate.is_some() && trail.remote.is_some());
    }
}

#[tokio::test]
async fn an_untrusted_certificate_is_refused_or_observed_with_its_reason() {
    let authority = Authority::new();
    let target = TlsTarget::start(authority.leaf(&["other.example"]), &[]).await;
    let url = format!("https://localhost:{}/", target.port());
    let mut request = HttpRequest::new("GET", &url).unwrap();

    let (outcome, trail) = Probe::fresh().send(&request).await;
    let place = format!("localhost:{}", target.port());
    assert_eq!(
        outcome.unwrap_err().to_string(),
        format!("TLS with {place} failed: the certificate's issuer is not trusted by this machine")
    );
    assert!(trail.certificate.is_some(), "the refused certificate is on the trail");

    let (outcome, _) = Probe::trusting(authority.certificate()).send(&request).await;
    assert_eq!(
        outcome.unwrap_err().to_string(),
        format!(
            "TLS with {place} failed: the certificate is not for localhost, only for other.example"
        )
    );

    request.tls.verification = Verification::Observe;
    let (outcome, trail) = Probe::fresh().send(&request).await;
    assert_eq!(outcome.unwrap().status, 200);
    assert!(trail.certificate.unwrap().distrust.is_some());
}

#[tokio::test]
async fn an_expired_certificate_says_since_when() {
    let authority = Authority::new();
    let target = TlsTarget::start(authority.expired_leaf(&["localhost"]), &[]).await;
    let url = format!("https://localhost:{}/", target.port());
    let request = HttpRequest::new("GET", &url).unwrap();
    let (outcome, _) = Probe::trusting(authority.certificate()).send(&request).await;
    let text = outcome.unwrap_err().to_string();
    assert!(text.ends_with("the certificate expired at 2021-01-01T00:00:00Z"), "{text}");
}

#[tokio::test]
async fn a_plain_server_on_a_tls_port_is_told_apart_from_a_broken_certificate() {
    let target = Target::serve(|mut stream| async move {
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        while read_head(&mut stream).await.is_some() {}
    })
    .await;
    let url = format!("https://{}/", target.address);
    let (outcome, _) = Probe::fresh().send(&HttpRequest::new("GET", &url).unwrap()).await;
    assert_eq!(
        outcome.unwrap_err().to_string(),
        format!("TLS with {} failed: the server does not speak TLS on this port", target.address)
    );
}
