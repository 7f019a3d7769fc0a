use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as RustlsError, RootCertStore,
    SignatureScheme,
};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate;
use super::error::{ProbeError, ProbeErrorKind, TlsFault};
use super::network::Network;
use super::trail::Trail;
use crate::canary::observation::Phase;
use crate::time::{Deadline, Timestamp};

/// Whether an untrusted certificate ends the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// It does.
    #[default]
    Require,
    /// It is observed, with the reason, and accepted.
    Observe,
}

/// How to speak TLS with a target.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// Whether an untrusted certificate ends the handshake.
    pub verification: Verification,
    /// Name for SNI and verification, unless it is the host.
    pub server_name: Option<String>,
    /// Protocols offered by ALPN, best first.
    pub alpn: Vec<Vec<u8>>,
    /// Client certificate.
    pub identity: Option<ClientIdentity>,
}

/// Who is spoken to, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct TlsPeer<'a> {
    pub(super) host: &'a str,
    pub(super) options: &'a TlsOptions,
}

/// A client certificate with its key.
#[derive(Clone)]
pub struct ClientIdentity(Arc<CertifiedKey>);

/// Why a client certificate cannot be used.
#[derive(Debug, Error)]
pub enum ClientIdentityError {
    /// A file is not readable as PEM.
    #[error("`{}` holds no PEM {expected}", .path.display())]
    Pem {
        /// The file.
        path: std::path::PathBuf,
        /// What should be in it.
        expected: &'static str,
    },
    /// Key and certificate do not fit, or are of an unknown kind.
    #[error("certificate and key cannot be used together")]
    Unusable(#[source] RustlsError),
}

impl ClientIdentity {
    /// Reads certificates and key from the content of two PEM files; the paths are for messages.
    pub fn from_pem(
        certificate: (&Path, &[u8]),
        key: (&Path, &[u8]),
    ) -> Result<Self, ClientIdentityError> {
        let not_pem =
            |path: &Path, expected| ClientIdentityError::Pem { path: path.to_owned(), expected };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.1)
            .collect::<Result<_, _>>()
            .map_err(|_not_pem| not_pem(certificate.0, "certificate"))?;
        if chain.is_empty() {
            return Err(not_pem(certificate.0, "certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(key.1)
            .map_err(|_not_pem| not_pem(key.0, "private key"))?;
        let certified = CertifiedKey::from_der(chain, key, provider())
            .map_err(ClientIdentityError::Unusable)?;
        Ok(Self(Arc::new(certified)))
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientIdentity(***)")
    }
}

fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider()))
}

/// Trust anchors and what is derived from them once.
#[derive(Debug)]
pub(super) struct TlsRoots {
    verifier: Option<Arc<WebPkiServerVerifier>>,
    /// Cloned for each handshake: everything in it is shared but the verifier.
    config: ClientConfig,
}

impl TlsRoots {
    /// The system's anchors, those built in where the system has none, and `extra`. Blocks.
    pub(super) fn load(extra: &[CertificateDer<'static>]) -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        store.add_parsable_certificates(extra.iter().cloned());
        Self::with(store)
    }

    /// The anchors built into the program.
    pub(super) fn built_in() -> Self {
        Self::with(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect())
    }

    fn with(store: RootCertStore) -> Self {
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider()))
                .build()
                .ok();
        let mut config = ClientConfig::builder_with_provider(Arc::clone(provider()))
            .with_safe_default_protocol_versions()
            .expect("the ring provider speaks TLS 1.2 and 1.3")
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        // A monitor measures the handshake that a new visitor goes through.
        config.resumption = Resumption::disabled();
        Self { verifier, config }
    }

    fn config(&self, options: &TlsOptions, verifier: Arc<Observer>) -> ClientConfig {
        let mut config = self.config.clone();
        config.alpn_protocols.clone_from(&options.alpn);
        if let Some(ClientIdentity(certified)) = &options.identity {
            config.client_auth_cert_resolver =
                Arc::new(SingleCertAndKey::from(Arc::clone(certified)));
        }
        config.dangerous().set_certificate_verifier(verifier);
        config
    }
}

impl Network {
    /// Speaks TLS on a connection; the certificate is on the trail even when it is refused.
    ///
    /// Errors: `Tls`, `Timeout`.
    pub(super) async fn handshake<S>(
        &self,
        stream: S,
        peer: TlsPeer<'_>,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<TlsStream<S>, ProbeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let roots = self.roots().await;
        let TlsPeer { host, options } = peer;
        trail.enter(Phase::Tls);
        let name = options.server_name.as_deref().unwrap_or(host);
        let plain = name.trim_matches(['[', ']']).trim_end_matches('.');
        let Ok(server_name) = ServerName::try_from(plain.to_owned()) else {
            return Err(tls_error(trail, TlsFault::BadName { name: name.to_owned() }));
        };
        let observer = Arc::new(Observer {
            inner: roots.verifier.clone(),
            verification: options.verification,
            seen: Mutex::default(),
        });
        let config = roots.config(options, Arc::clone(&observer));
        let connecting = TlsConnector::from(Arc::new(config)).connect(server_name, stream);
        let limit = trail.tighten(deadline, self.limits.tls);
        let outcome = limit.bound(connecting).await;
        trail.certificate = observer.take();
        match outcome {
            Ok(Ok(stream)) => {
                trail.leave();
                Ok(stream)
            }
            Ok(Err(error)) => {
                let fault = fault_of(
                    &error,
                    trail.certificate.as_ref().and_then(|seen| seen.distrust.clone()),
                );
                Err(tls_error(trail, fault))
            }
            Err(_passed) => Err(trail.timed_out()),
        }
    }
}

fn tls_error(trail: &mut Trail, fault: TlsFault) -> ProbeError {
    let place = trail.place.clone();
    trail.fail(ProbeErrorKind::Tls { place, fault })
}

fn fault_of(error: &io::Error, distrust: Option<String>) -> TlsFault {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<RustlsError>());
    match tls {
        Some(RustlsError::InvalidCertificate(_)) => TlsFault::Certificate {
            reason: distrust.unwrap_or_else(|| "the certificate is not valid".to_owned()),
        },
        Some(RustlsError::InvalidMessage(_)) => TlsFault::NotTls,
        Some(RustlsError::AlertReceived(alert)) => {
            TlsFault::Alert { alert: alert.as_str().unwrap_or("unknown alert").to_owned() }
        }
        Some(other) => TlsFault::Other { reason: other.to_string() },
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => TlsFault::Closed,
            _ => TlsFault::Other { reason: error.to_string() },
        },
    }
}

/// Verifies as webpki does, and remembers what it saw.
#[derive(Debug)]
struct Observer {
    inner: Option<Arc<WebPkiServerVerifier>>,
    verification: Verification,
    seen: Mutex<Option<(CertificateDer<'static>, Option<String>)>>,
}

impl Observer {
    fn take(&self) -> Option<crate::canary::observation::CertificateObservation> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        seen.and_then(|(der, distrust)| certificate::observe(&der, distrust))
    }
}

impl ServerCertVerifier for Observer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        let judged = match &self.inner {
            Some(inner) => {
                inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Err(RustlsError::InvalidCertificate(CertificateError::UnknownIssuer)),
        };
        let distrust = judged.as_ref().err().map(|error| distrust_text(error, server_name));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = Some((end_entity.clone().into_owned(), distrust));
        match self.verification {
            Verification::Require => judged,
            Verification::Observe => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        let algorithms = &provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

fn distrust_text(error: &RustlsError, server_name: &ServerName<'_>) -> String {
    let RustlsError::InvalidCertificate(fault) = error else {
        return error.to_string();
    };
    let day = |at: &UnixTime| {
        let at = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_secs(at).to_rfc3339()
    };
    match fault {
        CertificateError::Expired => "the certificate has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate expired at {}", day(not_after))
        }
        CertificateError::NotValidYet => "the certificate is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate is not valid before {}", day(not_before))
        }
        CertificateError::NotValidForName => {
            format!("the certificate is not for {}", server_name.to_str())
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().map(|name| shown_name(name)).collect();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            format!("the certificate is not for {}, only for {names}", server_name.to_str())
        }
        CertificateError::UnknownIssuer => {
            "the certificate's issuer is not trusted by this machine".to_owned()
        }
        CertificateError::Revoked => "the certificate was revoked".to_owned(),
        CertificateError::BadSignature => "the certificate's signature is wrong".to_owned(),
        CertificateError::BadEncoding => "the certificate cannot be read".to_owned(),
        other => format!("the certificate is not valid: {other}"),
    }
}

/// webpki names names as `DnsName("a.example")`; people want the inner text.
fn shown_name(presented: &str) -> &str {
    presented.split('"').nth(1).unwrap_or(presented)
}
