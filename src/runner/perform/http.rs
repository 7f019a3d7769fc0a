use std::path::Path;
use std::sync::Arc;

use super::body::{self, FileSource};
use super::rendering::Rendering;
use crate::canary::action::{HttpAction, HttpAuth};
use crate::canary::definition::Step;
use crate::canary::observation::{Answer, Observation};
use crate::canary::report::Failure;
use crate::canary::template::Text;
use crate::runner::attempt::Attempt;
use crate::runner::exchange::{self, Asked, SpanId};
use crate::runner::fault;
use crate::runner::probe::http::{HttpRequest, HttpRequestError, Sensitive};
use crate::runner::probe::{ClientIdentity, Trail, Verification};
use crate::runner::run::RunContext;
use crate::runner::step::StepRecord;
use crate::time::Deadline;

impl Attempt {
    /// Sends the request of an HTTP step and records the exchange.
    pub(super) async fn http(
        &mut self,
        step: &Step,
        action: &HttpAction,
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<Observation, Box<Failure>> {
        let mut request = self.http_request(step, action).await?;
        let span = SpanId::new();
        trace_headers(&mut request, &self.run, &span);
        let asked = Asked {
            method: request.method.to_string(),
            url: request.url.to_string(),
            span: Some(span),
        };
        let curl = exchange::curl(&request);
        let mut trail = Trail::start(Arc::clone(self.run.clock()));
        match self.session.send(&request, &mut trail, deadline).await {
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

    async fn http_request(
        &self,
        step: &Step,
        action: &HttpAction,
    ) -> Result<HttpRequest, Box<Failure>> {
        let mut rendering = Rendering::new(step, &self.scope);
        let rendering = &mut rendering;
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
        let source = FileSource {
            folder: &self.run.canary.folder,
            bytes_max: self.run.parts.settings.limits.file_bytes_max,
        };
        let content = body::content(&action.body, rendering, source).await?;
        request.body = content.bytes;
        if let Some(media_type) = content.media_type
            && !request.headers.contains_key("content-type")
        {
            let added = request.header("content-type", &media_type, Sensitive::No);
            added.map_err(|error| invalid(rendering, &error, &action.url))?;
        }
        if let Some(auth) = &action.auth {
            sign_in(&mut request, auth, rendering)?;
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
            let message = "this build does not send requests through a proxy yet".to_owned();
            return Err(rendering.broken(message, proxy.span()));
        }
        self.run.redaction.learn_taint(&rendering.taint);
        let host = request.url.host_str().unwrap_or_default();
        request.secret_hosts = self.scope.secrets().scope_at(&rendering.taint, host)?;
        Ok(request)
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

fn sign_in(
    request: &mut HttpRequest,
    auth: &HttpAuth,
    rendering: &mut Rendering<'_>,
) -> Result<(), Box<Failure>> {
    use base64::Engine;
    let (header, value, span) = match auth {
        HttpAuth::Basic { user, password } => {
            let pair = format!("{}:{}", rendering.plain(user)?, rendering.plain(password)?);
            let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
            ("authorization", format!("Basic {encoded}"), user.span())
        }
        HttpAuth::Bearer(token) => {
            ("authorization", format!("Bearer {}", rendering.plain(token)?), token.span())
        }
        HttpAuth::ApiKey { header, key } => (&**header, rendering.plain(key)?, key.span()),
        HttpAuth::Digest { user, .. } => {
            let message = "this build does not sign in by digest yet".to_owned();
            return Err(rendering.broken(message, user.span()));
        }
        HttpAuth::OAuth2 { client_id, .. } => {
            let message = "this build does not sign in by OAuth 2 yet".to_owned();
            return Err(rendering.broken(message, client_id.span()));
        }
        HttpAuth::SigV4 { region, .. } => {
            let message = "this build does not sign with AWS Signature Version 4 yet".to_owned();
            return Err(rendering.broken(message, region.span()));
        }
    };
    let added = request.header(header, &value, Sensitive::Yes);
    added.map_err(|error| rendering.broken(error.to_string(), span))
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
