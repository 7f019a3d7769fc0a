//! What a step can do, one type a protocol.

use std::sync::Arc;

use super::assertion::Predicate;
use super::page::BrowserStep;
use super::template::{TemplateValue, Text};

/// What a step does, by protocol.
#[derive(Clone, Debug)]
pub enum Action {
    /// One HTTP request.
    Http(Box<HttpAction>),
    /// A TCP dialogue.
    Tcp(TcpAction),
    /// A TLS handshake.
    Tls(TlsAction),
    /// A name look-up.
    Dns(DnsAction),
    /// Echo requests.
    Icmp(IcmpAction),
    /// A WebSocket dialogue.
    WebSocket(WebSocketAction),
    /// A unary gRPC call or a health check.
    Grpc(GrpcAction),
    /// A sequence of page actions.
    Browser(Vec<BrowserStep>),
}

/// The protocols that actions speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the protocol it names")]
pub enum Protocol {
    Http,
    Tcp,
    Tls,
    Dns,
    Icmp,
    WebSocket,
    Grpc,
    Browser,
}

impl Protocol {
    /// The key of an action in a canary file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Dns => "dns",
            Self::Icmp => "icmp",
            Self::WebSocket => "websocket",
            Self::Grpc => "grpc",
            Self::Browser => "browser",
        }
    }
}

impl Action {
    /// The protocol it speaks.
    pub const fn protocol(&self) -> Protocol {
        match self {
            Self::Http(_) => Protocol::Http,
            Self::Tcp(_) => Protocol::Tcp,
            Self::Tls(_) => Protocol::Tls,
            Self::Dns(_) => Protocol::Dns,
            Self::Icmp(_) => Protocol::Icmp,
            Self::WebSocket(_) => Protocol::WebSocket,
            Self::Grpc(_) => Protocol::Grpc,
            Self::Browser(_) => Protocol::Browser,
        }
    }
}

/// One HTTP request.
#[derive(Clone, Debug)]
pub struct HttpAction {
    /// `GET`.
    pub method: Arc<str>,
    /// The URL.
    pub url: Text,
    /// Query parameters added to the URL, encoded.
    pub query: Vec<(Arc<str>, Text)>,
    /// Headers, in order.
    pub headers: Vec<(Arc<str>, Text)>,
    /// The body.
    pub body: HttpBody,
    /// How to sign in.
    pub auth: Option<HttpAuth>,
    /// Whether redirects are followed, and how many.
    pub redirects: RedirectPolicy,
    /// TLS certificates that do not verify are accepted (and asserted on, if asked).
    pub insecure: bool,
    /// Client certificate and key, PEM files relative to the canary's folder.
    pub client_certificate: Option<(Text, Text)>,
    /// Version to insist on: `1.1`, `2`.
    pub version: Option<HttpVersion>,
    /// URL of a proxy; the environment's is never used.
    pub proxy: Option<Text>,
}

/// HTTP versions that can be insisted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the version it names")]
pub enum HttpVersion {
    Http11,
    Http2,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub enum HttpBody {
    /// None.
    Empty,
    /// A text as it is.
    Text(Text),
    /// JSON; texts in it may hold templates. Sets the content type.
    Json(TemplateValue),
    /// A form, URL-encoded. Sets the content type.
    Form(Vec<(Arc<str>, Text)>),
    /// The content of a file, relative to the canary's folder.
    File(Text),
    /// A multipart form: name and text, or name and file.
    Multipart(Vec<MultipartField>),
}

/// One field of a multipart form.
#[derive(Clone, Debug)]
pub struct MultipartField {
    /// The field's name.
    pub name: Arc<str>,
    /// A text, or a file relative to the canary's folder.
    pub content: MultipartContent,
}

/// What a multipart field holds.
#[derive(Clone, Debug)]
pub enum MultipartContent {
    /// A text.
    Text(Text),
    /// A file.
    File(Text),
}

/// How a request signs in.
#[derive(Clone, Debug)]
pub enum HttpAuth {
    /// RFC 7617.
    Basic {
        /// User name.
        user: Text,
        /// Password.
        password: Text,
    },
    /// RFC 7616.
    Digest {
        /// User name.
        user: Text,
        /// Password.
        password: Text,
    },
    /// RFC 6750.
    Bearer(Text),
    /// A key in a header.
    ApiKey {
        /// The header's name.
        header: Arc<str>,
        /// The key.
        key: Text,
    },
    /// OAuth 2.0 client credentials; the token is cached for its lifetime.
    OAuth2 {
        /// Token endpoint.
        token_url: Text,
        /// Client id.
        client_id: Text,
        /// Client secret.
        client_secret: Text,
        /// Scopes, separated by spaces.
        scope: Option<Text>,
        /// Audience, where the server wants one.
        audience: Option<Text>,
    },
    /// AWS Signature Version 4.
    SigV4 {
        /// Access key id.
        access_key_id: Text,
        /// Secret access key.
        secret_access_key: Text,
        /// Session token.
        session_token: Option<Text>,
        /// Region.
        region: Text,
        /// Service.
        service: Text,
    },
}

/// Whether redirects are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectPolicy {
    /// Followed, at most this many.
    Follow(u32),
    /// The redirect itself is the answer.
    Stop,
}

impl Default for RedirectPolicy {
    fn default() -> Self {
        Self::Follow(10)
    }
}

/// A TCP dialogue.
#[derive(Clone, Debug)]
pub struct TcpAction {
    /// Host name or address.
    pub host: Text,
    /// Port; a text since it may be a template.
    pub port: Text,
    /// Speak TLS from the start.
    pub tls: bool,
    /// What is said, in order.
    pub dialogue: Vec<DialogueLine>,
}

/// One line of a dialogue.
#[derive(Clone, Debug)]
pub enum DialogueLine {
    /// Send this text; escapes like `\r\n` were resolved.
    Send(Text),
    /// Read until this holds of what came since the last line.
    Expect(Predicate),
    /// Switch to TLS.
    StartTls,
}

/// A TLS handshake.
#[derive(Clone, Debug)]
pub struct TlsAction {
    /// Host name or address.
    pub host: Text,
    /// Port.
    pub port: Text,
    /// Name for SNI and verification, unless it is the host.
    pub server_name: Option<Text>,
    /// Certificates that do not verify are observed, not refused.
    pub insecure: bool,
}

/// A name look-up.
#[derive(Clone, Debug)]
pub struct DnsAction {
    /// The name.
    pub name: Text,
    /// `A`, `AAAA`, `CNAME`, `MX`, `TXT`, `NS`, `SRV`, `CAA`, `PTR`, `SOA`.
    pub record_type: Arc<str>,
    /// `address[:port]` of the resolver to ask; the system's unless given.
    pub resolver: Option<Text>,
    /// Ask over TCP.
    pub tcp: bool,
}

/// Echo requests.
#[derive(Clone, Debug)]
pub struct IcmpAction {
    /// Host name or address.
    pub host: Text,
    /// How many requests.
    pub count: u32,
}

/// A WebSocket dialogue.
#[derive(Clone, Debug)]
pub struct WebSocketAction {
    /// `ws:` or `wss:` URL.
    pub url: Text,
    /// Headers of the handshake.
    pub headers: Vec<(Arc<str>, Text)>,
    /// What is said, in order.
    pub dialogue: Vec<DialogueLine>,
}

/// A unary gRPC call.
#[derive(Clone, Debug)]
pub struct GrpcAction {
    /// `http://host:port` or `https://host:port`.
    pub url: Text,
    /// What is called.
    pub call: GrpcCall,
    /// Metadata.
    pub metadata: Vec<(Arc<str>, Text)>,
}

/// What a gRPC action calls.
#[derive(Clone, Debug)]
pub enum GrpcCall {
    /// `grpc.health.v1.Health/Check` of a service; empty for the whole server.
    Health {
        /// The service asked about.
        service: Text,
    },
    /// A unary call.
    Unary {
        /// Its path: `shop.v1.Catalogue/Find`.
        method: Arc<str>,
        /// The request's message, in the JSON of Protocol Buffers.
        message: TemplateValue,
        /// A file of compiled descriptors, relative to the canary's folder; the server's reflection
        /// tells them unless given.
        descriptors: Option<Text>,
    },
}
