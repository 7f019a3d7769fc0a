//! A server with a certificate of its own authority, for tests.

use std::convert::Infallible;
use std::sync::Arc;

use coalmine::task::TaskGroup;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A certificate authority made for one test.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub(crate) struct Leaf {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Test Authority");
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub(crate) fn leaf(&self, names: &[&str]) -> Leaf {
        self.issue(Self::params(names))
    }

    pub(crate) fn expired_leaf(&self, names: &[&str]) -> Leaf {
        let mut params = Self::params(names);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.issue(params)
    }

    fn params(names: &[&str]) -> CertificateParams {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        CertificateParams::new(names).unwrap()
    }

    fn issue(&self, params: CertificateParams) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().der().clone();
        Leaf { certificate, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() }
    }
}

/// Answers every request with its own body, over HTTP/1.1 or HTTP/2.
pub(crate) struct TlsTarget {
    port: u16,
    tasks: TaskGroup,
}

impl TlsTarget {
    pub(crate) async fn start(leaf: Leaf, alpn: &[&[u8]]) -> Self {
        let acceptor = TlsAcceptor::from(server_config(leaf, alpn));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let tasks = TaskGroup::new();
        let children = tasks.clone();
        tasks.spawn("tls target", |stop| async move {
            loop {
                let accepted = tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let handshake = acceptor.accept(accepted.unwrap().0);
                children.spawn("connection", |_stop| async move {
                    let Ok(stream) = handshake.await else { return };
                    let io = TokioIo::new(stream);
                    let server = auto::Builder::new(TokioExecutor::new());
                    drop(server.serve_connection(io, service_fn(echo)).await);
                });
            }
        });
        Self { port, tasks }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }
}

/// What a server needs to show `leaf`.
pub(crate) fn server_config(leaf: Leaf, alpn: &[&[u8]]) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.certificate], leaf.key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

impl Drop for TlsTarget {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

async fn echo(
    request: Request<hyper::body::Incoming>,
) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    Ok(Response::new(Full::new(body)))
}
