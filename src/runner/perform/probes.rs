//! Steps that ask one question over one protocol: TLS, DNS, ICMP.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::rendering::Rendering;
use crate::canary::action::{DnsAction, IcmpAction, TlsAction};
use crate::canary::definition::Step;
use crate::canary::observation::{Answer, Observation};
use crate::canary::report::Failure;
use crate::canary::template::Text;
use crate::runner::attempt::Attempt;
use crate::runner::exchange::{self, Asked};
use crate::runner::fault;
use crate::runner::probe::{
    DnsRequest, IcmpRequest, ProbeError, TlsOptions, TlsRequest, Trail, Verification,
};
use crate::runner::step::StepRecord;
use crate::time::Deadline;

const DNS_PORT: u16 = 53;

impl Attempt {
    pub(super) async fn tls(
        &self,
        step: &Step,
        action: &TlsAction,
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<Observation, Box<Failure>> {
        let rendering = &mut Rendering::new(step, &self.scope);
        let host = rendering.plain(&action.host)?;
        let port = rendering.port(&action.port)?;
        let name = action.server_name.as_ref().map(|name| rendering.plain(name)).transpose()?;
        let verification =
            if action.insecure { Verification::Observe } else { Verification::Require };
        let options =
            TlsOptions { verification, server_name: name, alpn: Vec::new(), identity: None };
        self.hold_to_hosts(rendering, &host)?;
        let request = TlsRequest { host, port, options };
        let asked = asked("TLS", format!("tls://{}:{}", request.host, request.port));
        let mut trail = self.trail();
        let answer = self.run.parts.network.tls(&request, &mut trail, deadline).await;
        seen(record, asked, trail, answer)
    }

    pub(super) async fn dns(
        &self,
        step: &Step,
        action: &DnsAction,
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<Observation, Box<Failure>> {
        let rendering = &mut Rendering::new(step, &self.scope);
        let name = rendering.plain(&action.name)?;
        let resolver = action.resolver.as_ref().map(|text| address(text, rendering)).transpose()?;
        self.hold_to_hosts(rendering, &name)?;
        let asked = asked("DNS", format!("{} {name}", action.record_type));
        let request = DnsRequest {
            name,
            record_type: action.record_type.to_string(),
            resolver,
            tcp: action.tcp,
        };
        let mut trail = self.trail();
        let answer = self.run.parts.network.dns(&request, &mut trail, deadline).await;
        seen(record, asked, trail, answer.map(Answer::Dns))
    }

    pub(super) async fn icmp(
        &self,
        step: &Step,
        action: &IcmpAction,
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<Observation, Box<Failure>> {
        let rendering = &mut Rendering::new(step, &self.scope);
        let host = rendering.plain(&action.host)?;
        self.hold_to_hosts(rendering, &host)?;
        let asked = asked("ICMP", format!("icmp://{host}"));
        let request = IcmpRequest { host, count: action.count };
        let mut trail = self.trail();
        let answer = self.run.parts.network.icmp(&request, &mut trail, deadline).await;
        seen(record, asked, trail, answer)
    }

    /// Secrets are hidden from here on, and go to their hosts only.
    pub(super) fn hold_to_hosts(
        &self,
        rendering: &Rendering<'_>,
        host: &str,
    ) -> Result<(), Box<Failure>> {
        self.run.redaction.learn_taint(&rendering.taint);
        self.scope.secrets().scope_at(&rendering.taint, host).map(drop)
    }

    pub(super) fn trail(&self) -> Trail {
        Trail::start(Arc::clone(self.run.clock()))
    }
}

pub(super) fn asked(method: &str, url: String) -> Asked {
    Asked { method: method.to_owned(), url, span: None }
}

/// Records an exchange and gives what was seen of it.
pub(super) fn seen(
    record: &mut StepRecord,
    asked: Asked,
    trail: Trail,
    answer: Result<Answer, ProbeError>,
) -> Result<Observation, Box<Failure>> {
    match answer {
        Ok(answer) => {
            let seen = trail.into_observation(answer);
            record.exchanges.push(exchange::answered(asked, &seen));
            Ok(seen)
        }
        Err(error) => {
            record.exchanges.push(exchange::unanswered(asked, &trail, &error));
            Err(Box::new(fault::no_answer(&error)))
        }
    }
}

/// `address` or `address:port` of a resolver.
fn address(text: &Text, rendering: &mut Rendering<'_>) -> Result<SocketAddr, Box<Failure>> {
    let rendered = rendering.plain(text)?;
    let bare = rendered.trim_matches(['[', ']']);
    rendered
        .parse()
        .ok()
        .or_else(|| bare.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, DNS_PORT)))
        .ok_or_else(|| {
            rendering.broken(format!("`{rendered}` is no address of a resolver"), text.span())
        })
}
