//! Where a redirect leads and what goes along.

use http::{HeaderMap, Method, StatusCode, header};
use url::Url;

use super::request::HttpRequest;
use crate::runner::probe::RedirectFault;

/// The URL that an answer redirects to; `None` when it does not redirect.
///
/// Errors: `BadLocation` when it should but names no URL.
pub(super) fn target(
    status: StatusCode,
    headers: &HeaderMap,
    from: &Url,
) -> Result<Option<Url>, RedirectFault> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let bad = RedirectFault::BadLocation { status: status.as_u16() };
    let location = headers.get(header::LOCATION).ok_or_else(|| bad.clone())?;
    let location = std::str::from_utf8(location.as_bytes()).map_err(|_not_utf8| bad.clone())?;
    let mut url = from.join(location).map_err(|_no_url| bad)?;
    if url.fragment().is_none() {
        url.set_fragment(from.fragment());
    }
    Ok(Some(url))
}

/// Turns a request into the one that follows a redirect.
///
/// Source: WHATWG Fetch, "HTTP-redirect fetch": 301 and 302 turn POST into GET, 303 everything but
/// GET and HEAD; headers of a lost body go with it. Credentials stay with their origin: every
/// header marked sensitive is dropped when scheme, host or port change.
pub(super) fn follow(request: &mut HttpRequest, status: StatusCode, to: Url) {
    let becomes_get = match status.as_u16() {
        301 | 302 => request.method == Method::POST,
        303 => !matches!(request.method, Method::GET | Method::HEAD),
        _ => false,
    };
    if becomes_get {
        request.method = Method::GET;
        request.body.clear();
        for name in [
            header::CONTENT_TYPE,
            header::CONTENT_ENCODING,
            header::CONTENT_LANGUAGE,
            header::CONTENT_LOCATION,
        ] {
            request.headers.remove(name);
        }
    }
    if to.origin() != request.url.origin() {
        let sensitive: Vec<_> = request
            .headers
            .iter()
            .filter(|(_, value)| value.is_sensitive())
            .map(|(name, _)| name.clone())
            .collect();
        for name in sensitive {
            request.headers.remove(name);
        }
        request.headers.remove(header::HOST);
        // The client certificate and the name to verify were meant for the first host.
        request.tls.identity = None;
        request.tls.server_name = None;
    }
    request.url = to;
    // User information in a Location is a phishing device, not a credential of this canary.
    let _ignored = request.url.set_username("");
    let _ignored = request.url.set_password(None);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::probe::http::Sensitive;

    fn request(method: &str) -> HttpRequest {
        let mut request = HttpRequest::new(method, "https://a.example/x").unwrap();
        request.header("authorization", "Bearer t", Sensitive::Yes).unwrap();
        request.header("x-api-key", "k", Sensitive::Yes).unwrap();
        request.header("content-type", "text/plain", Sensitive::No).unwrap();
        request.body = "body".into();
        request
    }

    fn followed(method: &str, status: u16, to: &str) -> HttpRequest {
        let mut request = request(method);
        follow(&mut request, StatusCode::from_u16(status).unwrap(), Url::parse(to).unwrap());
        request
    }

    #[test]
    fn the_method_changes_as_browsers_change_it() {
        for (method, status, expected) in [
            ("POST", 301, "GET"),
            ("POST", 302, "GET"),
            ("POST", 303, "GET"),
            ("PUT", 303, "GET"),
            ("PUT", 302, "PUT"),
            ("HEAD", 303, "HEAD"),
            ("POST", 307, "POST"),
            ("POST", 308, "POST"),
        ] {
            let after = followed(method, status, "https://a.example/y");
            assert_eq!(after.method.as_str(), expected, "{method} {status}");
            let keeps_body = expected == method;
            assert_eq!(!after.body.is_empty(), keeps_body, "{method} {status}");
            assert_eq!(after.headers.contains_key("content-type"), keeps_body);
        }
    }

    #[test]
    fn credentials_stay_with_scheme_host_and_port() {
        let kept = followed("GET", 302, "https://a.example:443/other");
        assert!(kept.headers.contains_key("authorization"));
        for to in ["http://a.example/", "https://b.example/", "https://a.example:444/"] {
            let after = followed("GET", 302, to);
            assert!(!after.headers.contains_key("authorization"), "{to}");
            assert!(!after.headers.contains_key("x-api-key"), "{to}");
        }
    }

    #[test]
    fn a_location_is_resolved_against_its_page_and_nonsense_is_a_fault() {
        let from = Url::parse("https://a.example/dir/page?q#top").unwrap();
        let mut headers = HeaderMap::new();
        let found = StatusCode::FOUND;
        assert!(target(found, &headers, &from).is_err());
        headers.insert(header::LOCATION, "../x y".parse().unwrap());
        let to = target(found, &headers, &from).unwrap().unwrap();
        assert_eq!(to.as_str(), "https://a.example/x%20y#top");
        headers.insert(header::LOCATION, "http://[".parse().unwrap());
        assert_eq!(target(found, &headers, &from), Err(RedirectFault::BadLocation { status: 302 }));
        assert_eq!(target(StatusCode::NOT_MODIFIED, &headers, &from), Ok(None));
    }
}
