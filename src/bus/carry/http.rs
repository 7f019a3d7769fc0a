use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode, header};

use super::{Carried, Carrier};
use crate::bus::deliver::Fault;
use crate::time::Deadline;

/// Sends a request once; the status, and how long the receiver asks to wait.
pub(super) async fn send(
    carrier: &Carrier,
    request: RequestBuilder,
    timeout: Duration,
) -> Result<(StatusCode, Option<Duration>), Carried> {
    let deadline = Deadline::after(carrier.clock.as_ref(), timeout);
    match deadline.bound(request.send()).await {
        Ok(Ok(answer)) => {
            let after = answer.headers().get(header::RETRY_AFTER);
            let after = after.and_then(|after| after.to_str().ok()?.trim().parse().ok());
            Ok((answer.status(), after.map(Duration::from_secs)))
        }
        Ok(Err(error)) if error.is_builder() => {
            Err(Carried::never("INVALID_PARAMETER", error.to_string()))
        }
        Ok(Err(error)) => Err(Carried::later("SDK_CLIENT_ERROR", in_full(&error))),
        Err(_passed) => {
            let why = format!("no answer within {} ms", timeout.as_millis());
            Err(Carried::later("TIMEOUT", why))
        }
    }
}

/// Source: EventBridge User Guide, "API destinations": 409, 429 and 5xx are tried again; other
/// answers but 2xx are not.
pub(super) fn judge(status: StatusCode, after: Option<Duration>) -> Carried {
    if status.is_success() {
        return Carried::Done;
    }
    let code = match status {
        StatusCode::TOO_MANY_REQUESTS => "THROTTLING",
        status if status.is_server_error() => "SERVER_ERROR",
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "NO_PERMISSIONS",
        _ => "SDK_CLIENT_ERROR",
    };
    let fault = Fault::new(code, format!("the receiver answered {}", status.as_u16()));
    let passing = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::CONFLICT);
    if passing { Carried::Later { fault, after } } else { Carried::Never(fault) }
}

fn in_full(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
