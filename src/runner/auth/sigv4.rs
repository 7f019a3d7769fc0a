//! AWS Signature Version 4, in headers.
//!
//! Source: AWS General Reference, "Signature Version 4 signing process".

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use url::Url;

use crate::time::Timestamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Unreserved characters of RFC 3986.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const STRICT_PATH: &AsciiSet = &STRICT.remove(b'/');

/// Who signs, and for which service. It has no `Debug`: it holds keys.
pub(crate) struct SigningKey<'a> {
    pub(crate) access_key_id: &'a str,
    pub(crate) secret_access_key: &'a str,
    pub(crate) session_token: Option<&'a str>,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a Url,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

/// The headers that sign a request at an instant, `authorization` last.
pub(crate) fn sign(
    request: Signed<'_>,
    key: &SigningKey<'_>,
    at: Timestamp,
) -> Vec<(&'static str, String)> {
    let stamp = amz_date(at);
    let day = stamp.split('T').next().unwrap_or_default().to_owned();
    let payload = hex::encode(Sha256::digest(request.body));
    let mut added: Vec<(&'static str, String)> = vec![("x-amz-date", stamp.clone())];
    if let Some(token) = key.session_token {
        added.push(("x-amz-security-token", token.to_owned()));
    }
    if key.service == "s3" {
        added.push(("x-amz-content-sha256", payload.clone()));
    }
    let mut headers: BTreeMap<&str, String> = added.iter().cloned().collect();
    headers.insert("host", host(request.url));
    if let Some(content_type) = request.content_type {
        headers.insert("content-type", content_type.trim().to_owned());
    }
    let names: Vec<&str> = headers.keys().copied().collect();
    let names = names.join(";");
    let canonical_headers: String =
        headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!(
        "{}\n{}\n{}\n{canonical_headers}\n{names}\n{payload}",
        request.method,
        canonical_path(request.url, key.service),
        canonical_query(request.url),
    );
    let scope = format!("{day}/{}/{}/aws4_request", key.region, key.service);
    let hashed = hex::encode(Sha256::digest(canonical));
    let to_sign = format!("{ALGORITHM}\n{stamp}\n{scope}\n{hashed}");
    let signature = hex::encode(hmac(&signing_key(key, &day), &to_sign));
    let credential = key.access_key_id;
    added.push((
        "authorization",
        format!(
            "{ALGORITHM} Credential={credential}/{scope}, SignedHeaders={names}, \
             Signature={signature}"
        ),
    ));
    added
}

fn amz_date(at: Timestamp) -> String {
    at.to_rfc3339()
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end_matches('Z')
        .replace(['-', ':'], "")
        + "Z"
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Every service but S3 encodes the path, which is encoded already, once more.
fn canonical_path(url: &Url, service: &str) -> String {
    if service == "s3" {
        return url.path().to_owned();
    }
    utf8_percent_encode(url.path(), STRICT_PATH).to_string()
}

fn canonical_query(url: &Url) -> String {
    let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let encoded = |text: &str| percent_encoding::percent_encode(&decoded(text), STRICT).to_string();
    let pairs = url.query().into_iter().flat_map(|query| query.split('&'));
    let mut pairs: Vec<(String, String)> = pairs
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort();
    let joined: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    joined.join("&")
}

fn signing_key(key: &SigningKey<'_>, day: &str) -> Vec<u8> {
    let start = format!("AWS4{}", key.secret_access_key).into_bytes();
    [day, key.region, key.service, "aws4_request"]
        .into_iter()
        .fold(start, |derived, part| hmac(&derived, part))
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: SigningKey<'static> = SigningKey {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        service: "service",
    };

    fn signature(url: &str) -> String {
        let url = Url::parse(url).unwrap();
        let request = Signed { method: "GET", url: &url, content_type: None, body: b"" };
        let at = Timestamp::parse("2015-08-30T12:36:00Z").unwrap();
        let headers = sign(request, &KEY, at);
        assert_eq!(headers[0], ("x-amz-date", "20150830T123600Z".to_owned()));
        let (name, value) = headers.last().unwrap();
        assert_eq!(*name, "authorization");
        value.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn the_published_test_suite_is_signed_alike() {
        for (url, expected) in [
            (
                "https://example.amazonaws.com/",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "https://example.amazonaws.com/?Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
        ] {
            assert_eq!(signature(url), expected, "{url}");
        }
    }

    #[test]
    fn a_path_is_encoded_once_more_except_for_s3() {
        let url = Url::parse("https://example.amazonaws.com/a b").unwrap();
        assert_eq!(canonical_path(&url, "execute-api"), "/a%2520b");
        assert_eq!(canonical_path(&url, "s3"), "/a%20b");
    }

    #[test]
    fn s3_signs_the_hash_of_its_payload_and_tokens_are_signed_too() {
        let url = Url::parse("https://bucket.s3.amazonaws.com/a%20b").unwrap();
        let request = Signed { method: "PUT", url: &url, content_type: None, body: b"x" };
        let key = SigningKey { service: "s3", session_token: Some("token"), ..KEY };
        let headers = sign(request, &key, Timestamp::EPOCH);
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            ["x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "authorization"]
        );
        let signed = "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token";
        assert!(headers[3].1.contains(signed), "{}", headers[3].1);
    }
}
