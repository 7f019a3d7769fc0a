use std::fmt::Write;

use chrono::NaiveDateTime;
use hmac::{Hmac, Mac};
use http::{HeaderMap, Method, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::{Caller, Credentials};
use crate::api::error::ApiError;
use crate::api::fault;
use crate::telemetry::{Region, Scope};
use crate::time::Timestamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
const BASIC_FORMAT: &str = "%Y%m%dT%H%M%SZ";
/// How far a signature's time may lie from ours.
const SKEW_MINUTES: i64 = 5;
const SKEW_MILLIS: i64 = SKEW_MINUTES * 60_000;
/// The longest that a presigned request may be good for.
const EXPIRES_SECONDS_MAX: i64 = 604_800;
/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A SigV4 signature as a request shows it. Nothing in it is verified yet.
///
/// Source: IAM User Guide, "AWS Signature Version 4 for API requests".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct Signature {
    /// The key id, up to the first slash of the credential.
    pub(in crate::api) access_key_id: String,
    /// The region of the credential scope.
    pub(in crate::api) region: String,
    /// The service of the credential scope.
    pub(in crate::api) service: String,
    day: String,
    signed_headers: Vec<String>,
    signature: String,
    at: String,
    token: Option<String>,
    placement: Placement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placement {
    Header,
    /// Good for so many seconds.
    Query(i64),
}

/// What a signature is made over.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct Signed<'a> {
    /// The method.
    pub(in crate::api) method: &'a Method,
    /// The path and query.
    pub(in crate::api) uri: &'a Uri,
    /// The headers.
    pub(in crate::api) headers: &'a HeaderMap,
    /// The body as sent, before decompression.
    pub(in crate::api) body: &'a [u8],
}

/// Why a signature is not accepted. The caller is told in AWS's own sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) enum Refusal {
    /// It lacks a part or a part cannot be read.
    Incomplete(String),
    /// Nobody has this key, or its session token is not the one shown.
    UnknownKey,
    /// Its session has ended.
    SessionEnded,
    /// Its time or scope does not fit the request.
    Scope(String),
    /// It was made over something else or with another secret.
    Mismatch,
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Incomplete(why) => fault::INCOMPLETE_SIGNATURE.because(why),
            Refusal::UnknownKey => fault::UNRECOGNIZED_CLIENT
                .because("The security token included in the request is invalid."),
            Refusal::SessionEnded => fault::EXPIRED_TOKEN
                .because("The security token included in the request is expired"),
            Refusal::Scope(why) => fault::INVALID_SIGNATURE.because(why),
            Refusal::Mismatch => fault::INVALID_SIGNATURE.because(
                "The request signature we calculated does not match the signature you provided. \
                 Check your AWS Secret Access Key and signing method. Consult the service \
                 documentation for details.",
            ),
        }
    }
}

fn incomplete<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Incomplete(why.into()))
}

impl Signature {
    /// The signature of a request; `None` when it shows none.
    pub(in crate::api) fn of(uri: &Uri, headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        let query = QueryPairs::of(uri);
        let presigned = query.get("X-Amz-Signature").is_some();
        match (authorizations.next(), authorizations.next(), presigned) {
            (None, _, false) => Ok(None),
            (None, _, true) => Self::in_query(&query).map(Some),
            (Some(one), None, false) => {
                let text = one.to_str().unwrap_or_default();
                if !text.starts_with(ALGORITHM) {
                    return incomplete(format!("Authorization must begin with '{ALGORITHM}'."));
                }
                Self::in_header(text, headers).map(Some)
            }
            _ => incomplete("A request must carry exactly one signature."),
        }
    }

    fn in_header(text: &str, headers: &HeaderMap) -> Result<Self, Refusal> {
        let fields = text.get(ALGORITHM.len()..).unwrap_or_default();
        let field = |name: &str| {
            let mut found = fields
                .split(',')
                .filter_map(|field| field.trim().split_once('='))
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value);
            match (found.next(), found.next()) {
                (Some(value), None) if !value.is_empty() => Ok(value),
                _ => incomplete(format!("Authorization header requires '{name}' parameter.")),
            }
        };
        let credential = field("Credential")?;
        let signed_headers = field("SignedHeaders")?;
        let signature = field("Signature")?;
        let at = match one(headers, "x-amz-date")? {
            Some(at) => at,
            None => match one(headers, "date")? {
                Some(at) => at,
                None => {
                    return incomplete(
                        "Authorization header requires existence of either a 'X-Amz-Date' or a \
                         'Date' header.",
                    );
                }
            },
        };
        let token = one(headers, "x-amz-security-token")?;
        let parts = Parts { credential, signed_headers, signature, at };
        parts.into_signature(token, Placement::Header)
    }

    fn in_query(query: &QueryPairs) -> Result<Self, Refusal> {
        let field = |name: &str| match query.get(name) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => incomplete(format!("AWS query-string parameters must include '{name}'.")),
        };
        if field("X-Amz-Algorithm")? != ALGORITHM {
            return incomplete(format!("X-Amz-Algorithm must be '{ALGORITHM}'."));
        }
        let expires = field("X-Amz-Expires")?.parse().unwrap_or(-1);
        if !(1..=EXPIRES_SECONDS_MAX).contains(&expires) {
            return incomplete(format!(
                "X-Amz-Expires must be between 1 and {EXPIRES_SECONDS_MAX} seconds."
            ));
        }
        let parts = Parts {
            credential: field("X-Amz-Credential")?,
            signed_headers: field("X-Amz-SignedHeaders")?,
            signature: field("X-Amz-Signature")?,
            at: field("X-Amz-Date")?.to_owned(),
        };
        let token = query.get("X-Amz-Security-Token").map(ToOwned::to_owned);
        parts.into_signature(token, Placement::Query(expires))
    }

    /// Whether the holder of a known key made this signature over this request, just now.
    ///
    /// Pure but for nothing: `now` is the caller's clock. The signature is compared in constant
    /// time. The account is the key's, never the request's.
    pub(in crate::api) fn verify(
        &self,
        signed: Signed<'_>,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<Caller, Refusal> {
        self.check_time(now)?;
        self.check_headers(signed.headers, signed.uri)?;
        let credential = credentials.get(&self.access_key_id).ok_or(Refusal::UnknownKey)?;
        let claimed = hex::decode(&self.signature).map_err(|_fault| Refusal::Mismatch)?;
        let text = self.string_to_sign(signed)?;
        let key = self.signing_key(credential.secret.expose());
        mac(&key, text.as_bytes()).verify_slice(&claimed).map_err(|_fault| Refusal::Mismatch)?;
        // Only who knows the secret learns anything about the session.
        let token = credential.session_token.as_ref().map(|token| token.expose());
        if !is_same_token(token, self.token.as_deref()) {
            return Err(Refusal::UnknownKey);
        }
        if credential.expires.is_some_and(|expires| expires <= now) {
            return Err(Refusal::SessionEnded);
        }
        let scope =
            Scope { account: credential.account.clone(), region: Region::new(&self.region) };
        Ok(Caller { scope, access_key_id: Some(self.access_key_id.clone()) })
    }

    /// Whether it is scoped to the service that it is shown to.
    pub(in crate::api) fn check_service(&self, signing_name: &str) -> Result<(), Refusal> {
        if self.service == signing_name {
            return Ok(());
        }
        let why = format!("Credential should be scoped to correct service: '{signing_name}'.");
        Err(Refusal::Scope(why))
    }

    fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let at = NaiveDateTime::parse_from_str(&self.at, BASIC_FORMAT);
        let Ok(at) = at.map(|at| Timestamp::from_millis(at.and_utc().timestamp_millis())) else {
            return incomplete(format!(
                "Date must be in ISO-8601 'basic format'. Got '{}'.",
                self.at
            ));
        };
        if self.at.get(..8) != Some(&self.day) {
            return Err(Refusal::Scope(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                 from HTTP: '{}' != '{}', from '{}'.",
                self.day,
                self.at.get(..8).unwrap_or_default(),
                self.at
            )));
        }
        let good_for = match self.placement {
            Placement::Header => SKEW_MILLIS,
            Placement::Query(seconds) => seconds * 1000,
        };
        if at.plus_millis(good_for) < now {
            return Err(Refusal::Scope(format!(
                "Signature expired: {} is now earlier than {} ({} - {SKEW_MINUTES} min.)",
                self.at,
                basic(now.plus_millis(-good_for)),
                basic(now)
            )));
        }
        if now.plus_millis(SKEW_MILLIS) < at {
            return Err(Refusal::Scope(format!(
                "Signature not yet current: {} is still later than {} ({} + {SKEW_MINUTES} min.)",
                self.at,
                basic(now.plus_millis(SKEW_MILLIS)),
                basic(now)
            )));
        }
        Ok(())
    }

    /// Every header that can change what a request means must be under the signature.
    fn check_headers(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
        let is_signed = |name: &str| self.signed_headers.iter().any(|signed| signed == name);
        if !self.signed_headers.is_sorted_by(|one, next| one < next) {
            return incomplete("SignedHeaders must be lower case, sorted and without repeats.");
        }
        if !is_signed("host") {
            return Err(Refusal::Scope("'Host' must be a 'SignedHeader'.".to_owned()));
        }
        for name in headers.keys() {
            let name = name.as_str();
            if name.starts_with("x-amz-") && !is_signed(name) {
                return Err(Refusal::Scope(format!("'{name}' must be a 'SignedHeader'.")));
            }
        }
        for name in ["host", "x-amz-date", "x-amz-target", "x-amz-content-sha256"] {
            one(headers, name)?;
        }
        for name in &self.signed_headers {
            // HTTP/2 has the host in the URI.
            let in_uri = name == "host" && uri.authority().is_some();
            if !in_uri && !headers.contains_key(name) {
                return Err(Refusal::Mismatch);
            }
        }
        Ok(())
    }

    fn string_to_sign(&self, signed: Signed<'_>) -> Result<String, Refusal> {
        let Self { at, day, region, service, .. } = self;
        let canonical = self.canonical_request(signed)?;
        let digest = hex::encode(Sha256::digest(canonical));
        Ok(format!("{ALGORITHM}\n{at}\n{day}/{region}/{service}/{TERMINATOR}\n{digest}"))
    }

    fn canonical_request(&self, signed: Signed<'_>) -> Result<String, Refusal> {
        let body_hash = hex::encode(Sha256::digest(signed.body));
        if let Some(claimed) = one(signed.headers, "x-amz-content-sha256")?
            && claimed != body_hash
        {
            // UNSIGNED-PAYLOAD is S3's; here a body that is not signed is not read.
            return Err(Refusal::Mismatch);
        }
        let mut text = String::new();
        let path = canonical_path(signed.uri.path());
        let query = QueryPairs::of(signed.uri).canonical();
        writeln!(text, "{}\n{path}\n{query}", signed.method).unwrap_or_default();
        for name in &self.signed_headers {
            let value = canonical_header(signed, name);
            writeln!(text, "{name}:{value}").unwrap_or_default();
        }
        write!(text, "\n{}\n{body_hash}", self.signed_headers.join(";")).unwrap_or_default();
        Ok(text)
    }

    fn signing_key(&self, secret: &str) -> Vec<u8> {
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [&self.day, &self.region, &self.service, TERMINATOR] {
            key = mac(&key, part.as_bytes()).finalize().into_bytes().to_vec();
        }
        key
    }
}

/// The texts that a signature is read from.
struct Parts<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
    at: String,
}

impl Parts<'_> {
    fn into_signature(
        self,
        token: Option<String>,
        placement: Placement,
    ) -> Result<Signature, Refusal> {
        let parts = self.credential.split('/').collect::<Vec<_>>();
        let [access_key_id, day, region, service, TERMINATOR] = *parts else {
            return incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term.",
            );
        };
        let plain = |text: &str| {
            let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            !text.is_empty() && text.len() <= 64 && text.bytes().all(valid)
        };
        if access_key_id.is_empty() || !plain(region) || !plain(service) {
            return incomplete("Credential should be scoped to a valid region and service.");
        }
        Ok(Signature {
            access_key_id: access_key_id.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            day: day.to_owned(),
            signed_headers: self.signed_headers.split(';').map(ToOwned::to_owned).collect(),
            signature: self.signature.to_owned(),
            at: self.at,
            token,
            placement,
        })
    }
}

/// The pairs of a query string, decoded.
struct QueryPairs(Vec<(String, String)>);

impl QueryPairs {
    fn of(uri: &Uri) -> Self {
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        };
        let query = uri.query().unwrap_or_default();
        Self(query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn canonical(&self) -> String {
        let mut pairs = self
            .0
            .iter()
            .filter(|(name, _)| name != "X-Amz-Signature")
            .map(|(name, value)| (encode(name), encode(value)))
            .collect::<Vec<_>>();
        pairs.sort();
        let pair = |(name, value): (String, String)| format!("{name}={value}");
        pairs.into_iter().map(pair).collect::<Vec<_>>().join("&")
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Every service but S3 encodes the already encoded path once more.
fn canonical_path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut canonical = kept.iter().map(|segment| format!("/{}", encode(segment))).collect();
    if kept.is_empty() || path.ends_with('/') {
        canonical = format!("{canonical}/");
    }
    canonical
}

fn canonical_header(signed: Signed<'_>, name: &str) -> String {
    let value = |value: &http::HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let values = signed.headers.get_all(name).iter().map(value).collect::<Vec<_>>();
    match (values.is_empty(), signed.uri.authority()) {
        (true, Some(authority)) if name == "host" => authority.to_string(),
        _ => values.join(","),
    }
}

/// The only value of a header; a repeated one could be read two ways.
fn one(headers: &HeaderMap, name: &str) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => Ok(Some(value.to_str().unwrap_or_default().to_owned())),
        _ => incomplete(format!("Header '{name}' must not be repeated.")),
    }
}

fn mac(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac
}

/// Compares without telling by its duration where the texts differ.
fn is_same_token(expected: Option<&str>, shown: Option<&str>) -> bool {
    match (expected, shown) {
        (None, None) => true,
        (Some(expected), Some(shown)) => {
            let expected = mac(b"token", expected.as_bytes()).finalize().into_bytes();
            mac(b"token", shown.as_bytes()).verify_slice(&expected).is_ok()
        }
        // A key without a session takes no token, and a session's key is nothing without it.
        _ => false,
    }
}

fn basic(at: Timestamp) -> String {
    chrono::DateTime::from_timestamp_millis(at.as_millis())
        .map(|at| at.format(BASIC_FORMAT).to_string())
        .unwrap_or_default()
}
