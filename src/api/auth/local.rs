use std::collections::BTreeSet;
use std::net::IpAddr;

use http::{HeaderMap, Uri, header};
use thiserror::Error;

/// Why a request to an anonymous server may not come from a program on this machine.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(in crate::api) enum NotLocal {
    /// The name that the caller thinks it reached is not ours: a rebound DNS name.
    #[error("host {0:?} is not served here; add it to the allowed hosts if it should be")]
    Host(String),
    /// A web page of another site sent it.
    #[error("cross-site requests are refused")]
    CrossSite,
}

/// Refuses what a web page could make a browser send to a server that asks for no credentials.
///
/// The AWS Query protocol is a CORS "simple request", so without this any page that a developer
/// opens could delete his alarms. Three independent checks: the `Host` must be a loopback name or
/// an allowed one (a rebound name is neither), an `Origin` must be that host, and the browser's own
/// `Sec-Fetch-Site` must not say that another site is behind the request.
/// Source: Fetch Metadata Request Headers, "Sec-Fetch-Site"; RFC 6454.
pub(in crate::api) fn check_local(
    uri: &Uri,
    headers: &HeaderMap,
    allowed: &BTreeSet<String>,
) -> Result<(), NotLocal> {
    let host = host(uri, headers)?;
    if !is_local_name(&host, allowed) {
        return Err(NotLocal::Host(host));
    }
    for origin in headers.get_all(header::ORIGIN) {
        let same = origin.to_str().is_ok_and(|origin| is_same_site(origin, &host));
        if !same {
            return Err(NotLocal::CrossSite);
        }
    }
    for site in headers.get_all("sec-fetch-site") {
        if !matches!(site.as_bytes(), b"none" | b"same-origin") {
            return Err(NotLocal::CrossSite);
        }
    }
    Ok(())
}

fn host(uri: &Uri, headers: &HeaderMap) -> Result<String, NotLocal> {
    let mut named = headers.get_all(header::HOST).iter();
    let host = match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().unwrap_or_default().to_owned(),
        (None, _) => uri.authority().map(ToString::to_string).unwrap_or_default(),
        // Two hosts: which of them is checked and which is used is anyone's guess.
        (Some(_), Some(_)) => return Err(NotLocal::Host("given twice".to_owned())),
    };
    Ok(host.to_ascii_lowercase())
}

fn is_same_site(origin: &str, host: &str) -> bool {
    let Some((_scheme, rest)) = origin.split_once("://") else { return false };
    rest.eq_ignore_ascii_case(host)
}

fn is_local_name(host: &str, allowed: &BTreeSet<String>) -> bool {
    let name = without_port(host);
    if allowed.contains(host) || allowed.contains(name) {
        return true;
    }
    // COMPAT: SDKs put these before the host of streaming calls even at a custom endpoint.
    let name = ["stream-", "streaming-"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name.ends_with(".localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&'static str, &str)]) -> Result<(), NotLocal> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        let allowed = BTreeSet::from(["coalmine.test".to_owned()]);
        check_local(&Uri::from_static("/"), &headers, &allowed)
    }

    #[test]
    fn loopback_names_and_allowed_hosts_are_local() {
        for host in [
            "localhost",
            "localhost:4566",
            "LOCALHOST:1",
            "127.0.0.1:4566",
            "127.9.9.9",
            "[::1]:4566",
            "logs.localhost:1",
            "stream-localhost:4566",
            "streaming-127.0.0.1:4566",
            "coalmine.test:4566",
        ] {
            assert_eq!(check(&[("host", host)]), Ok(()), "{host}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        for host in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "10.0.0.1",
            "0.0.0.0:4566",
            "[::]:4566",
            "evil.example:80@localhost",
            "monitoring.us-east-1.amazonaws.com",
        ] {
            assert!(matches!(check(&[("host", host)]), Err(NotLocal::Host(_))), "{host}");
        }
        let twice = check(&[("host", "localhost"), ("host", "evil.example")]);
        assert!(matches!(twice, Err(NotLocal::Host(_))));
        assert!(matches!(check(&[]), Err(NotLocal::Host(_))));
    }

    #[test]
    fn requests_from_pages_of_other_sites_are_refused() {
        let host = ("host", "localhost:4566");
        for (name, value) in [
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("origin", "http://localhost:9999"),
            ("origin", "http://localhost:4566.evil.example"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "whatever"),
        ] {
            assert_eq!(check(&[host, (name, value)]), Err(NotLocal::CrossSite), "{name}: {value}");
        }
        for (name, value) in [
            ("origin", "http://localhost:4566"),
            ("sec-fetch-site", "none"),
            ("sec-fetch-site", "same-origin"),
        ] {
            assert_eq!(check(&[host, (name, value)]), Ok(()), "{name}: {value}");
        }
        let split = [host, ("origin", "http://localhost:4566"), ("origin", "http://evil.example")];
        assert_eq!(check(&split), Err(NotLocal::CrossSite));
    }
}
