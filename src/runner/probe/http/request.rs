use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, header};
use thiserror::Error;
use url::Url;

use crate::canary::action::{HttpVersion, RedirectPolicy};
use crate::runner::HostScope;
use crate::runner::probe::TlsOptions;

/// One request, every value in it final.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The URL, without user name and password: those became a header.
    pub url: Url,
    /// Headers in the order given; `Host`, `Content-Length` and defaults are added when sent.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Whether redirects are followed.
    pub redirects: RedirectPolicy,
    /// How TLS is spoken, where the URL asks for it.
    pub tls: TlsOptions,
    /// Version to insist on.
    pub version: Option<HttpVersion>,
    /// A proxy to go through, an `http:` URL; its user and password are sent to it alone.
    pub proxy: Option<Url>,
    /// Hosts that the secrets in it may go to: a redirect must not carry its body elsewhere.
    pub secret_hosts: HostScope,
}

/// Whether a header's value must not leave the origin it was meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitive {
    /// It is dropped when a redirect leads to another origin.
    Yes,
    /// It goes along.
    No,
}

/// Why a text cannot stand in a request.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HttpRequestError {
    /// The method has characters that no method has.
    #[error("`{method}` is no HTTP method")]
    Method {
        /// As given.
        method: String,
    },
    /// The URL does not parse.
    #[error("the URL is not valid: {reason}")]
    Url {
        /// What is wrong with it.
        reason: url::ParseError,
    },
    /// The header's name has characters that no name has.
    #[error("`{name}` is no header name")]
    HeaderName {
        /// As given.
        name: String,
    },
    /// The header's value holds a line break or another control character.
    #[error("the value of header `{name}` holds a control character")]
    HeaderValue {
        /// The header.
        name: String,
    },
}

impl HttpRequest {
    /// A request without headers and body.
    ///
    /// User name and password in the URL become an `Authorization` header.
    pub fn new(method: &str, url: &str) -> Result<Self, HttpRequestError> {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_invalid| HttpRequestError::Method { method: method.to_owned() })?;
        let mut url = Url::parse(url).map_err(|reason| HttpRequestError::Url { reason })?;
        let authorization = take_credentials(&mut url);
        let mut request = Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            redirects: RedirectPolicy::default(),
            tls: TlsOptions::default(),
            version: None,
            proxy: None,
            secret_hosts: HostScope::Any,
        };
        if let Some(value) = authorization {
            request.header("authorization", &value, Sensitive::Yes)?;
        }
        Ok(request)
    }

    /// Adds a header; a repeated name is sent twice, except those that may stand only once.
    pub fn header(
        &mut self,
        name: &str,
        value: &str,
        sensitive: Sensitive,
    ) -> Result<(), HttpRequestError> {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_invalid| HttpRequestError::HeaderName { name: name.to_owned() })?;
        let mut value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_invalid| HttpRequestError::HeaderValue { name: name.to_string() })?;
        let is_credential =
            matches!(name, header::AUTHORIZATION | header::COOKIE | header::PROXY_AUTHORIZATION);
        value.set_sensitive(sensitive == Sensitive::Yes || is_credential);
        let stands_once = matches!(
            name,
            header::HOST
                | header::AUTHORIZATION
                | header::CONTENT_TYPE
                | header::CONTENT_LENGTH
                | header::USER_AGENT
        );
        if stands_once {
            self.headers.insert(name, value);
        } else {
            self.headers.append(name, value);
        }
        Ok(())
    }

    /// Adds a header unless the canary gave one of that name.
    pub fn default_header(&mut self, name: HeaderName, value: &'static str) {
        self.headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

fn take_credentials(url: &mut Url) -> Option<String> {
    use base64::Engine;
    use percent_encoding::percent_decode_str;
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let user: Vec<u8> = percent_decode_str(url.username()).collect();
    let password: Vec<u8> = percent_decode_str(url.password().unwrap_or("")).collect();
    let pair = [user.as_slice(), b":", &password].concat();
    // Both fail only for URLs that cannot have a host, and those have no user name.
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_the_url_become_a_header_that_stays_with_its_origin() {
        let request = HttpRequest::new("GET", "http://ann:p%40ss@a.example/x").unwrap();
        assert_eq!(request.url.as_str(), "http://a.example/x");
        let value = &request.headers["authorization"];
        assert_eq!(value.as_bytes(), b"Basic YW5uOnBAc3M=");
        assert!(value.is_sensitive());
    }

    #[test]
    fn no_value_can_split_a_header_or_a_request_line() {
        let mut request = HttpRequest::new("GET", "http://a.example/").unwrap();
        for value in ["a\r\nx: y", "a\nb", "a\0b"] {
            let refused = request.header("x-test", value, Sensitive::No);
            assert_eq!(refused, Err(HttpRequestError::HeaderValue { name: "x-test".to_owned() }));
        }
        assert!(request.header("x test", "a", Sensitive::No).is_err());
        assert!(HttpRequest::new("GET / HTTP/1.1\r\nx:", "http://a.example/").is_err());
        let url = HttpRequest::new("GET", "http://a.example/a\r\nb c").unwrap().url;
        assert_eq!(url.as_str(), "http://a.example/ab%20c");
    }
}
