//! Observations for tests.

use std::time::Duration;

use bytes::Bytes;

use super::observation::{Answer, HttpAnswer, HttpSent, Observation, Timings};
use crate::time::Timestamp;

/// An HTTP response of 310 ms.
pub(super) fn http(status: u16, body: &str) -> Observation {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let timings = Timings { wait: Some(Duration::from_millis(250)), ..Timings::default() };
    Observation {
        started: Timestamp::from_secs(1_000_000),
        timings,
        elapsed: Duration::from_millis(310),
        remote: Some("127.0.0.1:8600".parse().unwrap()),
        certificate: None,
        answer: Answer::Http(HttpAnswer {
            method: "GET".into(),
            url: "http://shop.test/".into(),
            version: "HTTP/1.1".into(),
            status,
            headers: vec![
                header("content-type", "application/json"),
                header("content-length", "12"),
                header("set-cookie", "session=abc; Path=/"),
                header("vary", "a"),
                header("vary", "b"),
            ],
            body: Bytes::copy_from_slice(body.as_bytes()),
            wire_bytes: 0,
            redirects: Vec::new(),
            request: HttpSent::default(),
        }),
    }
}
