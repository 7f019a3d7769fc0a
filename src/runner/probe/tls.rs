//! TLS handshakes and nothing more: what a port shows of its certificate.

use super::error::ProbeError;
use super::network::Network;
use super::tls_client::TlsOptions;
use super::trail::Trail;
use super::trail_place;
use super::transport::{Endpoint, Transport};
use crate::canary::observation::Answer;
use crate::time::Deadline;

/// One TLS handshake.
#[derive(Clone, Debug)]
pub struct TlsRequest {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How TLS is spoken.
    pub options: TlsOptions,
}

impl Network {
    /// Shakes hands and tells what was agreed; the certificate is on the trail.
    ///
    /// Errors: `Resolve`, `Connect`, `Tls`, `Policy`, `Timeout`.
    /// Cancel safety: dropping it closes the connection.
    pub async fn tls(
        &self,
        request: &TlsRequest,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<Answer, ProbeError> {
        trail.next_hop(trail_place(&request.host, request.port));
        let tls = Some(&request.options);
        let endpoint = Endpoint { proxy: None, host: &request.host, port: request.port, tls };
        let transport = self.open(endpoint, trail, deadline).await?;
        let session = match &transport {
            Transport::Tls(stream) => Some(stream.get_ref().1),
            Transport::Plain(_) | Transport::Closed => None,
        };
        let protocol = session.and_then(|session| session.protocol_version());
        let suite = session.and_then(|session| session.negotiated_cipher_suite());
        let alpn = session.and_then(|session| session.alpn_protocol());
        Ok(Answer::Tls {
            protocol: protocol
                .and_then(|version| version.as_str())
                .map_or_else(String::new, version),
            cipher: suite.and_then(|suite| suite.suite().as_str()).unwrap_or_default().to_owned(),
            alpn: alpn.map(|name| String::from_utf8_lossy(name).into_owned()),
        })
    }
}

/// `TLSv1_3` as everyone else writes it.
fn version(name: &str) -> String {
    name.replace('_', ".")
}
