//! What a step would send, without sending it.

use std::sync::Arc;

use serde_json::Value;

use super::page;
use super::rendering::Rendering;
use super::sign_in::SignIn;
use crate::canary::action::{Action, DialogueLine, GrpcCall, HttpAction};
use crate::canary::definition::Step;
use crate::canary::page::{BrowserAction, BrowserStep};
use crate::canary::report::{Failure, Verdict};
use crate::canary::secret::{Redactor, redact_url};
use crate::canary::template::Rendered;
use crate::runner::attempt::Attempt;
use crate::runner::exchange;
use crate::runner::fault;

impl Attempt {
    /// A line or more on what the step would do, without secrets; then every value that it would
    /// capture is held as a stand-in, so that later steps can be shown too.
    ///
    /// Errors: what the step would fail with before anything is sent.
    pub(in crate::runner) async fn planned(
        &mut self,
        step: &Step,
    ) -> Result<Vec<String>, Box<Failure>> {
        let lines = match &step.action {
            Action::Http(action) => self.planned_http(step, action).await,
            Action::Browser(actions) => self.planned_page(step, actions),
            action => self.planned_probe(step, action),
        };
        for capture in &step.capture {
            self.stand_in(&capture.name);
        }
        let redact = |lines: Vec<String>| {
            lines.iter().map(|line| self.run.redaction.text(line)).collect::<Vec<_>>()
        };
        lines.map(redact).map_err(|mut failure| {
            failure.location.get_or_insert_with(|| step.locate(step.span));
            self.run.redaction.failure(&mut failure);
            failure
        })
    }

    fn stand_in(&mut self, name: &Arc<str>) {
        self.scope.hold(Arc::clone(name), Rendered::clean(Value::from(stand_in(name))));
    }

    async fn planned_http(
        &self,
        step: &Step,
        action: &HttpAction,
    ) -> Result<Vec<String>, Box<Failure>> {
        let prepared = self.prepare(step, action).await?;
        let policy = &self.run.parts.settings.network.policy;
        policy
            .check_url(&prepared.request.url)
            .map_err(|error| Box::new(fault::failure(Verdict::Policy, error.to_string())))?;
        let mut lines = vec![exchange::curl(&prepared.request)];
        match prepared.sign_in {
            SignIn::Done => {}
            SignIn::OAuth2(wanted) => {
                lines.push(format!("with a token from {}", redact_url(&wanted.token_url)));
            }
            SignIn::Digest(_) => lines.push("and again, signed, when it is challenged".to_owned()),
        }
        Ok(lines)
    }

    fn planned_probe(&self, step: &Step, action: &Action) -> Result<Vec<String>, Box<Failure>> {
        let rendering = &mut Rendering::new(step, &self.scope);
        let mut lines = Vec::new();
        match action {
            Action::Tcp(tcp) => {
                let (host, port) = (rendering.plain(&tcp.host)?, rendering.port(&tcp.port)?);
                let over = if tcp.tls { " over TLS" } else { "" };
                lines.push(format!("connect to {host}:{port}{over}"));
                lines.extend(dialogue(&tcp.dialogue, rendering)?);
            }
            Action::Tls(tls) => {
                let (host, port) = (rendering.plain(&tls.host)?, rendering.port(&tls.port)?);
                lines.push(format!("shake hands over TLS with {host}:{port}"));
            }
            Action::Dns(dns) => {
                let name = rendering.plain(&dns.name)?;
                let of = dns.resolver.as_ref().map(|text| rendering.plain(text)).transpose()?;
                let of = of.map_or_else(String::new, |of| format!(" of {of}"));
                lines.push(format!("ask{of} for {} of {name}", dns.record_type));
            }
            Action::Icmp(icmp) => {
                let host = rendering.plain(&icmp.host)?;
                lines.push(format!("send {} echo requests to {host}", icmp.count));
            }
            Action::WebSocket(socket) => {
                let url = rendering.url(&socket.url)?;
                lines.push(format!("open {}", redact_url(&url)));
                lines.extend(dialogue(&socket.dialogue, rendering)?);
            }
            Action::Grpc(grpc) => {
                let url = rendering.url(&grpc.url)?;
                lines.push(match &grpc.call {
                    GrpcCall::Health { service } => {
                        let service = rendering.plain(service)?;
                        let of = if service.is_empty() { "the whole server" } else { &service };
                        format!("ask {} for the health of {of}", redact_url(&url))
                    }
                    GrpcCall::Unary { method, message, .. } => {
                        let mut message = rendering.value(message)?;
                        Redactor::default().json(&mut message);
                        format!("call {method} of {} with {message}", redact_url(&url))
                    }
                });
            }
            Action::Http(_) | Action::Browser(_) => {}
        }
        self.run.redaction.learn_taint(&rendering.taint);
        Ok(lines)
    }

    fn planned_page(
        &mut self,
        step: &Step,
        actions: &[BrowserStep],
    ) -> Result<Vec<String>, Box<Failure>> {
        let mut lines = Vec::new();
        for each in actions {
            let rendering = &mut Rendering::new(step, &self.scope);
            let line = page::told(rendering, &each.action).map_err(|mut failure| {
                failure.location.get_or_insert_with(|| step.locate(each.span));
                failure
            })?;
            self.run.redaction.learn_taint(&rendering.taint);
            lines.push(line);
            match &each.action {
                BrowserAction::Capture(name, _)
                | BrowserAction::Evaluate { capture: Some(name), .. } => self.stand_in(name),
                _ => {}
            }
        }
        Ok(lines)
    }
}

/// What stands for a captured value: plain in every position of a URL.
pub(in crate::runner) fn stand_in(name: &str) -> String {
    format!("captured-{name}")
}

fn dialogue(
    lines: &[DialogueLine],
    rendering: &mut Rendering<'_>,
) -> Result<Vec<String>, Box<Failure>> {
    let mut told = Vec::new();
    for line in lines {
        match line {
            DialogueLine::Send(text) => {
                told.push(format!("send {:?}", rendering.plain(text)?));
            }
            DialogueLine::Expect(predicate) => told.push(format!("expect: {predicate}")),
            DialogueLine::StartTls => told.push("switch to TLS".to_owned()),
        }
    }
    Ok(told)
}

/// What a step would need and has only been promised: for the reader of a plan.
pub(in crate::runner) fn uses_stand_ins(lines: &[String], captured: &[Arc<str>]) -> Vec<Arc<str>> {
    let is_used = |name: &&Arc<str>| lines.iter().any(|line| line.contains(&stand_in(name)));
    captured.iter().filter(is_used).map(Arc::clone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_is_found_again() {
        let lines = [format!("curl http://h/{}", stand_in("id"))];
        let captured = ["id".into(), "token".into()];
        assert_eq!(uses_stand_ins(&lines, &captured), ["id".into()]);
    }
}
