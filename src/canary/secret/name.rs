use percent_encoding::{percent_decode_str, utf8_percent_encode};
use url::Url;

use super::encoded::COMPONENT;
use super::redactor::REDACTED;

/// Whether a header, cookie, query parameter or form field of this name carries something that is
/// hidden although nobody declared it a secret.
pub fn is_sensitive_name(name: &str) -> bool {
    const WHOLE: &[&str] = &[
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "sig",
        "key",
        "code",
        "pin",
        "otp",
        "pwd",
        "pass",
        "auth",
        "sid",
        "jwt",
        "assertion",
    ];
    const PART: &[&str] = &[
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "api-key",
        "apikey",
        "credential",
        "signature",
        "session",
        "private-key",
        "access-key",
        "client-key",
        "bearer",
    ];
    let name = name.to_ascii_lowercase().replace('_', "-");
    WHOLE.contains(&name.as_str())
        || PART.iter().any(|part| name.contains(part))
        || (name.starts_with("x-") && (name.ends_with("-key") || name.ends_with("-auth")))
}

/// A URL for people: credentials and the values of sensitive query parameters are hidden, also in
/// URLs that stand in the query of another.
///
/// A text that is no URL is cut at its `?`, since what follows cannot be told apart.
pub fn redact_url(text: &str) -> String {
    redact(text, 0)
}

/// BOUND: of URLs inside of URLs.
const DEPTH_MAX: usize = 4;

fn redact(text: &str, depth: usize) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return match text.split_once('?') {
            Some((before, _)) => format!("{before}?{REDACTED}"),
            None => text.to_owned(),
        };
    };
    if url.password().is_some() {
        // Fails only for URLs without a host, which have no password.
        url.set_password(Some(REDACTED)).unwrap_or(());
    }
    if !url.username().is_empty() && url.password().is_none() {
        url.set_username(REDACTED).unwrap_or(());
    }
    if let Some(query) = url.query() {
        let pairs: Vec<_> = query.split('&').map(|pair| redact_pair(pair, depth)).collect();
        let pairs = pairs.join("&");
        if pairs != query {
            url.set_query(Some(&pairs));
        }
    }
    if url.fragment().is_some_and(|fragment| fragment.contains('=')) {
        // OAuth's implicit flow puts tokens there.
        url.set_fragment(Some(REDACTED));
    }
    url.to_string()
}

/// One `name=value` of a query, as it was written where there is nothing to hide.
fn redact_pair(pair: &str, depth: usize) -> String {
    let Some((name, value)) = pair.split_once('=') else { return pair.to_owned() };
    let decode =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    if is_sensitive_name(&decode(name)) {
        return format!("{name}={REDACTED}");
    }
    let inner = decode(value);
    if depth >= DEPTH_MAX || !inner.contains("://") {
        return pair.to_owned();
    }
    let redacted = redact(&inner, depth + 1);
    if redacted == inner {
        return pair.to_owned();
    }
    format!("{name}={}", utf8_percent_encode(&redacted, COMPONENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telling_names_are_known_and_others_are_left_alone() {
        for name in ["Authorization", "X-Api-Key", "x_amz_security_token", "PASSWORD", "session_id"]
        {
            assert!(is_sensitive_name(name), "{name}");
        }
        for name in ["accept", "monkey", "content-type", "keyboard", "passenger", "q"] {
            assert!(!is_sensitive_name(name), "{name}");
        }
    }

    #[test]
    fn urls_lose_their_credentials_at_every_depth() {
        for (url, shown) in [
            ("http://u:p@h/x?q=1", "http://u:***@h/x?q=1"),
            ("http://h/?token=abc&q=a%20b", "http://h/?token=***&q=a%20b"),
            ("http://h/#access_token=abc", "http://h/#***"),
            (
                "http://h/?next=http%3A%2F%2Fi%2F%3Fkey%3D7",
                "http://h/?next=http%3A%2F%2Fi%2F%3Fkey%3D%2A%2A%2A",
            ),
            ("/relative?token=abc", "/relative?***"),
            ("http://h/plain?a=%7B1%7D", "http://h/plain?a=%7B1%7D"),
        ] {
            assert_eq!(redact_url(url), shown, "{url}");
        }
    }
}
