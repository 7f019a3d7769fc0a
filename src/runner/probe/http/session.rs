use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use cookie_store::{CookieStore, RawCookie};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Uri, Version};
use url::{Position, Url};

use super::connection::Connection;
use super::content;
use super::exchange::{Exchange, Head, Outcome, fault_of};
use super::redirect;
use super::request::HttpRequest;
use super::wire::{SendEnd, SentBody};
use crate::canary::action::{HttpVersion, RedirectPolicy};
use crate::canary::definition::ConnectionReuse;
use crate::canary::observation::{
    CertificateObservation, HttpAnswer, HttpSent, Phase, RedirectHop,
};
use crate::runner::policy::PolicyError;
use crate::runner::probe::proxy;
use crate::runner::probe::transport::Endpoint;
use crate::runner::probe::{
    Network, ProbeError, ProbeErrorKind, RedirectFault, TlsOptions, Trail, Verification,
};
use crate::time::Deadline;

const USER_AGENT: &str = concat!("coalmine/", env!("CARGO_PKG_VERSION"));
/// Idle connections kept for later requests of a run.
const KEPT_MAX: usize = 16;

/// What the HTTP requests of one run share: cookies, and connections where the canary keeps them.
pub struct HttpSession {
    network: Arc<Network>,
    reuse: ConnectionReuse,
    cookies: CookieStore,
    kept: Vec<Kept>,
}

/// An idle connection, with what its opening showed.
struct Kept {
    origin: Origin,
    connection: Connection,
    remote: Option<SocketAddr>,
    certificate: Option<CertificateObservation>,
}

/// Connections are shared only between requests that would have opened the same one.
#[derive(Clone, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: u16,
    server_name: Option<String>,
    verification: Verification,
    version: Option<HttpVersion>,
    proxy: Option<Url>,
}

impl fmt::Debug for HttpSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Cookies are credentials: they are counted, not shown.
        f.debug_struct("HttpSession")
            .field("cookies", &self.cookies.iter_any().count())
            .field("kept", &self.kept.len())
            .finish_non_exhaustive()
    }
}

impl HttpSession {
    /// A session without cookies and connections.
    pub fn new(network: Arc<Network>, reuse: ConnectionReuse) -> Self {
        Self { network, reuse, cookies: CookieStore::default(), kept: Vec::new() }
    }

    /// Sends a request, follows its redirects, and receives the answer whole.
    ///
    /// Policy is asked for every URL and every address. What was seen is on `trail`, also when this
    /// fails or is dropped.
    /// Errors: `ProbeError` with the phase reached.
    /// Cancel safety: dropping it closes the connection; cookies set by earlier hops stay.
    pub async fn send(
        &mut self,
        request: &HttpRequest,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<HttpAnswer, ProbeError> {
        let mut request = request.clone();
        let limit = match request.redirects {
            RedirectPolicy::Follow(limit) => limit,
            RedirectPolicy::Stop => 0,
        };
        loop {
            let begun = trail.clock().monotonic();
            trail.next_hop(place(&request.url));
            let (head, body, sent) = self.hop(&request, trail, deadline).await?;
            self.remember_cookies(&head.headers, &request.url);
            let follows = request.redirects != RedirectPolicy::Stop;
            let target = match redirect::target(head.status, &head.headers, &request.url) {
                Ok(Some(target)) if follows => target,
                Err(fault) if follows => return Err(redirect_error(fault)),
                _ => return Ok(answer(&request, head, body, sent, trail)),
            };
            trail.redirects.push(RedirectHop {
                url: request.url.to_string(),
                status: head.status.as_u16(),
                location: target.to_string(),
                elapsed: trail.clock().monotonic().since(begun),
            });
            if trail.redirects.len() > usize::try_from(limit).unwrap_or(usize::MAX) {
                let is_loop = trail.redirects.iter().any(|hop| hop.url == target.as_str());
                return Err(redirect_error(RedirectFault::TooMany { limit, is_loop }));
            }
            redirect::follow(&mut request, head.status, target);
            check_secrets(&request).map_err(|error| trail.fail(ProbeErrorKind::Policy(error)))?;
        }
    }

    /// Sends a request once and gives the answer whole, trailers too: for protocols over HTTP.
    ///
    /// Errors and cancel safety: as [`HttpSession::send`].
    pub(crate) async fn call(
        &mut self,
        request: &HttpRequest,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<(Head, Bytes), ProbeError> {
        trail.next_hop(place(&request.url));
        let (head, body, _sent) = self.hop(request, trail, deadline).await?;
        Ok((head, body))
    }

    /// The cookies that would be sent to a URL, by name.
    pub fn cookies_for(&self, url: &Url) -> Vec<(String, String)> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        self.cookies.get_request_values(url).map(owned).collect()
    }

    /// One request to one URL.
    async fn hop(
        &mut self,
        request: &HttpRequest,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<(Head, Bytes, HttpSent), ProbeError> {
        let url = &request.url;
        let checked = self.network.policy().check_url(url);
        checked.map_err(|error| trail.fail(ProbeErrorKind::Policy(error)))?;
        let origin = Origin::of(request);
        if let Some(mut kept) = self.take_kept(&origin).await {
            trail.remote = kept.remote;
            trail.certificate = kept.certificate.clone();
            kept.connection.begin(self.network.limits());
            let tried = self.exchange(request, &mut kept.connection, trail, deadline).await;
            let has_raced =
                kept.connection.watch.answered().is_none() && request.method.is_idempotent();
            match tried {
                // The peer closed the idle connection just as it was used: not the target's fault.
                Err(error) if has_raced && !error.is_timeout() => {}
                other => {
                    let (outcome, sent) = (other?, kept.connection);
                    return Ok(self.keep(origin, sent, outcome, trail).await);
                }
            }
        }
        let mut connection = self.connect(request, &origin, trail, deadline).await?;
        let outcome = self.exchange(request, &mut connection, trail, deadline).await?;
        Ok(self.keep(origin, connection, outcome, trail).await)
    }

    async fn connect(
        &self,
        request: &HttpRequest,
        origin: &Origin,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<Connection, ProbeError> {
        let is_tls = origin.scheme == "https";
        let mut tls = request.tls.clone();
        tls.alpn = match request.version {
            None => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Some(HttpVersion::Http2) => vec![b"h2".to_vec()],
            Some(HttpVersion::Http11) => vec![b"http/1.1".to_vec()],
        };
        let tls: Option<&TlsOptions> = is_tls.then_some(&tls);
        let proxy = request.proxy.as_ref();
        let endpoint = Endpoint { proxy, host: &origin.host, port: origin.port, tls };
        let transport = self.network.open(endpoint, trail, deadline).await?;
        let speaks_http2 = match request.version {
            Some(version) => version == HttpVersion::Http2,
            None => transport.alpn() == Some(b"h2"),
        };
        let send_end = if speaks_http2 { SendEnd::FirstFlush } else { SendEnd::LastWrite };
        let limits = self.network.limits();
        let clock = Arc::clone(self.network.clock());
        trail.enter(Phase::Send);
        let starting = Connection::start(transport, send_end, limits, Arc::clone(&clock));
        match deadline.bound(starting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => {
                let watch = super::wire::WireWatch::new(clock);
                let fault = fault_of(&error, &watch, limits, None);
                Err(ProbeError::transfer(Phase::Send, &trail.place, fault))
            }
            Err(_passed) => Err(trail.timed_out()),
        }
    }

    async fn exchange(
        &self,
        request: &HttpRequest,
        connection: &mut Connection,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<(Head, Bytes, HttpSent), ProbeError> {
        let cookies = self.cookie_header(&request.url);
        let (message, sent) = message(request, connection, cookies);
        let limits = self.network.limits();
        let mut exchange = Exchange { connection, limits, trail, deadline };
        let response = exchange.head(message).await?;
        let outcome: Outcome = exchange.body(response).await;
        let (head, body) = outcome?;
        Ok((head, body, sent))
    }

    fn cookie_header(&self, url: &Url) -> Option<String> {
        let pairs: Vec<String> = self
            .cookies
            .get_request_values(url)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn remember_cookies(&mut self, headers: &HeaderMap, url: &Url) {
        let set = headers.get_all(header::SET_COOKIE);
        let cookies = set.iter().filter_map(|value| {
            let text = std::str::from_utf8(value.as_bytes()).ok()?;
            RawCookie::parse(text.to_owned()).ok()
        });
        self.cookies.store_response_cookies(cookies, url);
    }

    async fn take_kept(&mut self, origin: &Origin) -> Option<Kept> {
        let at = self.kept.iter().position(|kept| kept.origin == *origin)?;
        let mut kept = self.kept.swap_remove(at);
        kept.connection.is_reusable().await.then_some(kept)
    }

    async fn keep(
        &mut self,
        origin: Origin,
        mut connection: Connection,
        outcome: (Head, Bytes, HttpSent),
        trail: &Trail,
    ) -> (Head, Bytes, HttpSent) {
        // BOUND: beyond `KEPT_MAX` origins a connection is closed instead of kept.
        let is_wanted = self.reuse == ConnectionReuse::Keep && self.kept.len() < KEPT_MAX;
        if is_wanted && connection.is_reusable().await {
            let (remote, certificate) = (trail.remote, trail.certificate.clone());
            self.kept.push(Kept { origin, connection, remote, certificate });
        }
        outcome
    }
}

impl Origin {
    fn of(request: &HttpRequest) -> Self {
        let url = &request.url;
        Self {
            scheme: url.scheme().to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default().unwrap_or(0),
            server_name: request.tls.server_name.clone(),
            verification: request.tls.verification,
            version: request.version,
            proxy: request.proxy.clone(),
        }
    }
}

/// A body that a redirect carries on may hold secrets that must not leave their hosts.
fn check_secrets(request: &HttpRequest) -> Result<(), PolicyError> {
    let host = request.url.host_str().unwrap_or_default();
    if request.body.is_empty() || request.secret_hosts.allows(host) {
        return Ok(());
    }
    Err(PolicyError::SecretHost { host: host.to_owned() })
}

fn redirect_error(fault: RedirectFault) -> ProbeError {
    ProbeError::new(Phase::Receive, ProbeErrorKind::Redirect(fault))
}

fn place(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or(0);
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

/// The request as it leaves, and a record of it.
fn message(
    request: &HttpRequest,
    connection: &Connection,
    cookies: Option<String>,
) -> (Request<SentBody>, HttpSent) {
    let mut request = request.clone();
    request.default_header(header::USER_AGENT, USER_AGENT);
    request.default_header(header::ACCEPT, "*/*");
    request.default_header(header::ACCEPT_ENCODING, content::ACCEPTED);
    if let Some(cookies) = cookies {
        add_cookies(&mut request.headers, &cookies);
    }
    let is_http2 = connection.send_end() == SendEnd::FirstFlush;
    let authority = authority(&request);
    let url = &request.url;
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let uri = if is_http2 {
        request.headers.remove(header::HOST);
        Uri::builder().scheme(url.scheme()).authority(authority.as_str()).path_and_query(path)
    } else {
        if let Ok(host) = HeaderValue::from_str(&authority) {
            request.headers.insert(header::HOST, host);
        }
        match &request.proxy {
            // A plain request is handed to the proxy with its whole URL.
            Some(proxy) if url.scheme() == "http" => {
                if let Some(value) = proxy::authorization(proxy)
                    && let Ok(value) = HeaderValue::from_str(&value)
                {
                    request.headers.insert(header::PROXY_AUTHORIZATION, value);
                }
                Uri::builder().scheme("http").authority(authority.as_str()).path_and_query(path)
            }
            _ => Uri::builder().path_and_query(path),
        }
    };
    // Everything in a parsed URL is valid in a URI.
    let uri = uri.build().unwrap_or_default();
    let mut headers = vec![("host".to_owned(), authority)];
    let shown = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let others = request.headers.iter().filter(|(name, _)| *name != header::HOST);
    headers.extend(others.map(|(name, value)| (name.to_string(), shown(value))));
    let sent = HttpSent { headers, body: request.body.clone() };

    let body = SentBody::new(request.body, Arc::clone(&connection.watch));
    let mut message = Request::new(body);
    *message.method_mut() = request.method;
    *message.uri_mut() = uri;
    *message.headers_mut() = request.headers;
    if is_http2 {
        *message.version_mut() = Version::HTTP_2;
    }
    (message, sent)
}

fn authority(request: &HttpRequest) -> String {
    if let Some(host) = request.headers.get(header::HOST)
        && let Ok(host) = host.to_str()
    {
        return host.to_owned();
    }
    let host = request.url.host_str().unwrap_or_default();
    match request.url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn add_cookies(headers: &mut HeaderMap, cookies: &str) {
    let joined = match headers.get(header::COOKIE).and_then(|own| own.to_str().ok()) {
        Some(own) => format!("{own}; {cookies}"),
        None => cookies.to_owned(),
    };
    if let Ok(mut value) = HeaderValue::from_str(&joined) {
        value.set_sensitive(true);
        headers.insert(header::COOKIE, value);
    }
}

fn answer(
    request: &HttpRequest,
    head: Head,
    body: Bytes,
    sent: HttpSent,
    trail: &Trail,
) -> HttpAnswer {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
    HttpAnswer {
        method: request.method.to_string(),
        url: request.url.to_string(),
        version: version_name(head.version),
        status: head.status.as_u16(),
        headers: headers.collect(),
        body,
        wire_bytes: trail.wire_bytes,
        redirects: trail.redirects.clone(),
        request: sent,
    }
}

/// Source: RFC 9110 for HTTP/1.1; RFC 9113 and everybody else write HTTP/2 without a minor version.
fn version_name(version: Version) -> String {
    match version {
        Version::HTTP_2 => "HTTP/2".to_owned(),
        Version::HTTP_3 => "HTTP/3".to_owned(),
        other => format!("{other:?}"),
    }
}
