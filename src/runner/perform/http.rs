use std::path::Path;
use std::sync::Arc;

use super::body::{self, FileSource};
use super::rendering::Rendering;
use super::sign_in::{self, SignIn};
use crate::canary::action::HttpAction;
use crate::canary::definition::{ConnectionReuse, Step};
use crate::canary::observation::{Answer, HttpAnswer, Observation};
use crate::canary::report::{Failure, Verdict};
use crate::canary::secret::SecretText;
use crate::canary::template::Text;
use crate::runner::attempt::Attempt;
use crate::runner::auth::oauth2::{ClientAuthentication, Token, TokenRequest};
use crate::runner::exchange::{self, Asked, SpanId};
use crate::runner::fault;
use crate::runner::policy::Trust;
use crate::runner::probe::http::{HttpRequest, HttpRequestError, HttpSession, Sensitive};
use crate::runner::probe::{ClientIdentity, Trail, Verification};
use crate::runner::run::RunContext;
use crate::runner::step::StepRecord;
use crate::time::Deadline;

/// A request that can be sent, and what signing in still takes.
pub(super) struct Prepared {
    pub(super) request: HttpRequest,
    pub(super) sign_in: SignIn,
}

impl Attempt {
    /// Sends the request of an HTTP step and records the exchange.
    pub(super) async fn http(
        &mut self,
        step: &Step,
        action: &HttpAction,
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<Observation, Box<Failure>> {
        let Prepared { mut request, sign_in } = self.prepare(step, action).await?;
        match sign_in {
            SignIn::Done => {
                exchange(&self.run, &mut self.session, &request, (record, deadline)).await
            }
            SignIn::OAuth2(wanted) => {
                let token = self.token(&wanted, record, deadline).await?;
                let value = format!("Bearer {}", token.expose());
                let added = request.header("authorization", &value, Sensitive::Yes);
                added.map_err(|error| {
                    Box::new(fault::failure(Verdict::Target, error.to_string()))
                })?;
                let sent = (&mut *record, deadline);
                let seen = exchange(&self.run, &mut self.session, &request, sent).await?;
                if http_answer(&seen).is_some_and(|answer| answer.status == 401) {
                    self.run.parts.tokens.forget(&wanted);
                }
                Ok(seen)
            }
            SignIn::Digest(login) => {
                let sent = (&mut *record, deadline);
                let seen = exchange(&self.run, &mut self.session, &request, sent).await?;
                match http_answer(&seen).and_then(|answer| login.respond(&request, answer)) {
                    None => Ok(seen),
                    Some(signed) => {
                        let sent = (record, deadline);
                        exchange(&self.run, &mut self.session, &signed, sent).await
                    }
                }
            }
        }
    }

    /// Everything that can be known before something is sent.
    pub(super) async fn prepare(
        &self,
        step: &Step,
        action: &HttpAction,
    ) -> Result<Prepared, Box<Failure>> {
        let rendering = &mut Rendering::new(step, &self.scope);
        let url = rendering.url(&action.url)?;
        let request = HttpRequest::new(&action.method, &url);
        let mut request = request.map_err(|error| invalid(rendering, &error, &action.url))?;
        for (name, text) in &action.query {
            let value = rendering.plain(text)?;
            request.url.query_pairs_mut().append_pair(name, &value);
        }
        for (name, text) in &action.headers {
            let (value, sensitive) = rendering.header(text)?;
            let added = request.header(name, &value, sensitive);
            added.map_err(|error| invalid(rendering, &error, text))?;
        }
        let source = self.file_source();
        let content = body::content(&action.body, rendering, source).await?;
        request.body = content.bytes;
        if let Some(media_type) = content.media_type
            && !request.headers.contains_key("content-type")
        {
            let added = request.header("content-type", &media_type, Sensitive::No);
            added.map_err(|error| invalid(rendering, &error, &action.url))?;
        }
        request.redirects = action.redirects;
        request.version = action.version;
        if action.insecure {
            request.tls.verification = Verification::Observe;
        }
        if let Some(pair) = &action.client_certificate {
            request.tls.identity = Some(identity(pair, rendering, source).await?);
        }
        if let Some(proxy) = &action.proxy {
            request.proxy = Some(self.proxy(proxy, rendering)?);
        }
        let sign_in = self.begin_sign_in(action, &mut request, rendering)?;
        self.check_taint(rendering, &mut request)?;
        Ok(Prepared { request, sign_in })
    }

    /// What tells this request from others, secrets included; nothing for one that signs in by a
    /// dialogue, whose credentials do not stand in it.
    pub(in crate::runner) async fn fingerprint(
        &self,
        step: &Step,
        action: &HttpAction,
    ) -> Result<Option<[u8; 32]>, Box<Failure>> {
        let Prepared { request, sign_in } = self.prepare(step, action).await?;
        if !matches!(sign_in, SignIn::Done) {
            return Ok(None);
        }
        let mut hash = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(step.source.name().as_bytes());
        part(step.name.as_bytes());
        part(request.method.as_str().as_bytes());
        part(request.url.as_str().as_bytes());
        for (name, value) in &request.headers {
            part(name.as_str().as_bytes());
            part(value.as_bytes());
        }
        part(&request.body);
        Ok(Some(*hash.finalize().as_bytes()))
    }

    fn file_source(&self) -> FileSource<'_> {
        FileSource {
            folder: &self.run.canary.folder,
            bytes_max: self.run.parts.settings.limits.file_bytes_max,
        }
    }

    fn begin_sign_in(
        &self,
        action: &HttpAction,
        request: &mut HttpRequest,
        rendering: &mut Rendering<'_>,
    ) -> Result<SignIn, Box<Failure>> {
        let Some(auth) = &action.auth else { return Ok(SignIn::Done) };
        let apart = &mut Rendering::new(rendering.step, &self.scope);
        if let Some(wanted) = sign_in::token_request(auth, apart)? {
            self.run.redaction.learn_taint(&apart.taint);
            self.run.redaction.learn([SecretText::new(wanted.client_secret.as_str())]);
            let host = url::Url::parse(&wanted.token_url).ok();
            let host = host.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
            self.scope.secrets().scope_at(&apart.taint, host)?;
            return Ok(SignIn::OAuth2(wanted));
        }
        sign_in::begin(request, auth, rendering, self.run.clock().now())
    }

    /// Secrets are hidden from here on, and held to the hosts they may go to.
    fn check_taint(
        &self,
        rendering: &Rendering<'_>,
        request: &mut HttpRequest,
    ) -> Result<(), Box<Failure>> {
        self.run.redaction.learn_taint(&rendering.taint);
        let host = request.url.host_str().unwrap_or_default();
        request.secret_hosts = self.scope.secrets().scope_at(&rendering.taint, host)?;
        Ok(())
    }

    fn proxy(&self, proxy: &Text, rendering: &mut Rendering<'_>) -> Result<url::Url, Box<Failure>> {
        if self.run.parts.settings.network.policy.trust() == Trust::PullRequest {
            let message = "a proxy is chosen by the operator, not by a pull request";
            let mut failure = fault::failure(Verdict::Policy, message);
            failure.location = Some(rendering.step.locate(proxy.span()));
            return Err(Box::new(failure));
        }
        let text = rendering.url(proxy)?;
        match url::Url::parse(&text) {
            Ok(url) if url.scheme() == "http" && url.host().is_some() => Ok(url),
            _ => Err(rendering.broken("a proxy is an http:// URL".to_owned(), proxy.span())),
        }
    }

    /// A token for an OAuth 2 login: kept from before, or asked for now.
    async fn token(
        &self,
        wanted: &TokenRequest,
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<SecretText, Box<Failure>> {
        let run = &self.run;
        let now = run.clock().monotonic();
        if let Some(kept) = run.parts.tokens.get(wanted, now) {
            run.redaction.learn([kept.clone()]);
            return Ok(kept);
        }
        // The token endpoint is no part of the visit: no cookies to it, none from it.
        let network = Arc::clone(&run.parts.network);
        let mut session = HttpSession::new(network, ConnectionReuse::Fresh);
        let mut last = None;
        for authentication in [ClientAuthentication::Header, ClientAuthentication::Form] {
            let request = wanted.http(authentication);
            let request = request.map_err(|error| {
                let message = format!("the token URL cannot be asked: {error}");
                Box::new(fault::failure(Verdict::Canary, message))
            })?;
            let sent = (&mut *record, deadline);
            let seen = exchange(run, &mut session, &request, sent).await?;
            let Some(answer) = http_answer(&seen) else { continue };
            match Token::of(answer) {
                Ok(token) => {
                    run.redaction.learn([token.value.clone()]);
                    run.parts.tokens.put(wanted, &token, now);
                    return Ok(token.value);
                }
                Err(error) => {
                    last = Some(error);
                    if !matches!(answer.status, 400 | 401) {
                        break;
                    }
                }
            }
        }
        let reason = last.map_or_else(String::new, |error| format!(": {error}"));
        let message = format!("cannot sign in by OAuth 2{reason}");
        Err(Box::new(fault::failure(Verdict::Target, message)))
    }
}

/// Sends one request within the trace of the run, and records what came of it.
async fn exchange(
    run: &RunContext,
    session: &mut HttpSession,
    request: &HttpRequest,
    (record, deadline): (&mut StepRecord, Deadline),
) -> Result<Observation, Box<Failure>> {
    let span = SpanId::new();
    let curl = exchange::curl(request);
    let mut traced = request.clone();
    trace_headers(&mut traced, run, &span);
    let asked = Asked {
        method: request.method.to_string(),
        url: request.url.to_string(),
        span: Some(span),
    };
    let mut trail = Trail::start(Arc::clone(run.clock()));
    match session.send(&traced, &mut trail, deadline).await {
        Ok(answer) => {
            let seen = trail.into_observation(Answer::Http(answer));
            let mut report = exchange::answered(asked, &seen);
            report.curl = Some(curl);
            record.exchanges.push(report);
            Ok(seen)
        }
        Err(error) => {
            let mut report = exchange::unanswered(asked, &trail, &error);
            report.curl = Some(curl);
            record.exchanges.push(report);
            Err(Box::new(fault::no_answer(&error)))
        }
    }
}

fn http_answer(seen: &Observation) -> Option<&HttpAnswer> {
    match &seen.answer {
        Answer::Http(answer) => Some(answer),
        _ => None,
    }
}

fn invalid(rendering: &Rendering<'_>, error: &HttpRequestError, text: &Text) -> Box<Failure> {
    rendering.broken(error.to_string(), text.span())
}

async fn identity(
    (certificate, key): &(Text, Text),
    rendering: &mut Rendering<'_>,
    source: FileSource<'_>,
) -> Result<ClientIdentity, Box<Failure>> {
    let (certificate_pem, certificate_path) = body::file(certificate, rendering, source).await?;
    let (key_pem, key_path) = body::file(key, rendering, source).await?;
    let identity = ClientIdentity::from_pem(
        (Path::new(&certificate_path), &certificate_pem),
        (Path::new(&key_path), &key_pem),
    );
    identity.map_err(|error| rendering.broken(error.to_string(), certificate.span()))
}

/// Tells the target which trace it takes part in, unless the canary does so itself.
///
/// Marked as sensitive, so that a redirect does not tell other origins.
/// Source: W3C Trace Context; X-Ray Developer Guide, "Tracing header".
fn trace_headers(request: &mut HttpRequest, run: &RunContext, span: &SpanId) {
    let span = span.as_str();
    let headers = [
        ("traceparent", format!("00-{}-{span}-01", run.trace.to_w3c())),
        ("x-amzn-trace-id", format!("Root={};Parent={span};Sampled=1", run.trace)),
    ];
    for (name, value) in headers {
        if !request.headers.contains_key(name) {
            // Digits, dashes and semicolons are valid in every header.
            let _ok = request.header(name, &value, Sensitive::Yes);
        }
    }
}
