//! A page's network as an HTTP archive.

use serde_json::{Value, json};

use super::record::PageExchange;
use crate::canary::observation::Phase;
use crate::canary::secret::Redactor;

/// Writes exchanges as HAR 1.2, without secrets and without what carries credentials by its name.
///
/// Source: HAR 1.2, "HTTP Archive format"; -1 stands for what is not known.
pub fn har(exchanges: &[PageExchange], redactor: &Redactor) -> Value {
    let entries: Vec<Value> = exchanges.iter().map(|exchange| entry(exchange, redactor)).collect();
    json!({ "log": {
        "version": "1.2",
        "creator": { "name": "coalmine", "version": env!("CARGO_PKG_VERSION") },
        "entries": entries,
    }})
}

fn entry(exchange: &PageExchange, redactor: &Redactor) -> Value {
    let millis = |phase: Phase| match exchange.timings.phase(phase) {
        Some(took) => json!(took.as_secs_f64() * 1000.0),
        None => json!(-1),
    };
    // HAR counts TLS as part of connecting.
    let connect = match (exchange.timings.connect, exchange.timings.tls) {
        (None, None) => json!(-1),
        (connect, tls) => {
            json!((connect.unwrap_or_default() + tls.unwrap_or_default()).as_secs_f64() * 1000.0)
        }
    };
    let url = redactor.url(&exchange.url);
    let mut entry = json!({
        "startedDateTime": exchange.started.to_rfc3339(),
        "time": exchange.elapsed.as_secs_f64() * 1000.0,
        "request": {
            "method": exchange.method, "url": url, "httpVersion": "",
            "headers": headers(&exchange.request_headers, redactor),
            "queryString": query(&url), "cookies": [], "headersSize": -1, "bodySize": -1,
        },
        "response": response(exchange, redactor),
        "cache": {},
        "timings": {
            "blocked": -1, "dns": millis(Phase::Resolve), "connect": connect,
            "ssl": millis(Phase::Tls), "send": 0, "wait": millis(Phase::Wait),
            "receive": millis(Phase::Receive),
        },
        "_resourceType": exchange.resource.to_lowercase(),
    });
    if let (Some(error), Some(entry)) = (&exchange.error, entry.as_object_mut()) {
        entry.insert("_error".to_owned(), json!(error));
    }
    entry
}

fn response(exchange: &PageExchange, redactor: &Redactor) -> Value {
    let Some(response) = &exchange.response else {
        return json!({
            "status": 0, "statusText": "", "httpVersion": "", "headers": [], "cookies": [],
            "content": { "size": 0, "mimeType": "" }, "redirectURL": "", "headersSize": -1,
            "bodySize": -1,
        });
    };
    let location = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
    json!({
        "status": response.status, "statusText": response.reason,
        "httpVersion": response.protocol, "headers": headers(&response.headers, redactor),
        "cookies": [], "redirectURL": location.map_or(String::new(), |(_, url)| redactor.url(url)),
        "content": { "size": response.wire_bytes, "mimeType": response.media_type },
        "headersSize": -1, "bodySize": response.wire_bytes, "_transferSize": response.wire_bytes,
        "_fromCache": response.is_cached,
    })
}

fn headers(headers: &[(String, String)], redactor: &Redactor) -> Vec<Value> {
    let shown = |(name, value): &(String, String)| {
        let value = redactor.named(name, value);
        json!({ "name": name, "value": value })
    };
    headers.iter().map(shown).collect()
}

fn query(url: &str) -> Vec<Value> {
    let Ok(url) = url::Url::parse(url) else { return Vec::new() };
    url.query_pairs().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::observation::Timings;
    use crate::canary::secret::SecretText;
    use crate::time::Timestamp;

    #[test]
    fn credentials_and_secrets_do_not_reach_the_archive() {
        let exchange = PageExchange {
            method: "GET".to_owned(),
            url: "http://shop/?k=hunter2&q=lamp".to_owned(),
            resource: "Document".to_owned(),
            request_headers: vec![
                ("Cookie".to_owned(), "session=abc".to_owned()),
                ("X-Note".to_owned(), "hunter2".to_owned()),
            ],
            response: None,
            error: Some("net::ERR_FAILED".to_owned()),
            started: Timestamp::EPOCH,
            elapsed: std::time::Duration::ZERO,
            timings: Timings::default(),
        };
        let redactor = Redactor::new([SecretText::new("hunter2")]);
        let archive = har(&[exchange], &redactor).to_string();
        assert!(!archive.contains("hunter2") && !archive.contains("session=abc"), "{archive}");
        assert!(archive.contains("\"name\":\"q\",\"value\":\"lamp\""), "{archive}");
        assert!(archive.contains("net::ERR_FAILED"), "{archive}");
    }
}
