use std::time::Duration;

use hmac::{Hmac, Mac};
use reqwest::{Client, Response, StatusCode, header};
use sha2::Sha256;

use super::{DeliveryFault, DeliveryOutcome, Notification, WebhookSettings};
use crate::time::{Clock, Deadline, Timestamp};

/// Carries the notification's key, equal in every retry.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Carries the time and the body's HMAC.
const SIGNATURE: &str = "x-coalmine-signature";
/// How much of an answer is read at most.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How much of an answer is kept for people.
const ANSWER_CHARACTERS_MAX: usize = 300;

/// Posts a notification once.
///
/// Cancel safety: the receiver may have it or not, as after [`DeliveryOutcome::Retry`].
pub(super) async fn post(
    client: &Client,
    settings: &WebhookSettings,
    notification: &Notification,
    clock: &dyn Clock,
) -> DeliveryOutcome {
    let deadline = Deadline::after(clock, settings.timeout);
    let body = settings.preset.body(notification).to_string();
    let mut request = client
        .post(settings.url.clone())
        .header(header::CONTENT_TYPE, "application/json")
        .header(IDEMPOTENCY_KEY, &*notification.key);
    if let Some(secret) = &settings.secret {
        request = request.header(SIGNATURE, signature(secret.expose(), clock.now(), &body));
    }
    for (name, value) in &settings.headers {
        request = request.header(name, value.expose());
    }
    let late = || DeliveryFault::Late { timeout: settings.timeout };
    let answer = match deadline.bound(request.body(body).send()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(source)) => return DeliveryOutcome::retry(DeliveryFault::Connection { source }),
        Err(_passed) => return DeliveryOutcome::retry(late()),
    };
    let status = answer.status();
    if status.is_success() {
        // BOUND: the status is the answer; a body that never ends is not waited for.
        return DeliveryOutcome::Delivered;
    }
    let after = retry_after(&answer);
    let body = deadline.bound(start_of_body(answer)).await.unwrap_or_default();
    let fault = DeliveryFault::Answered { status: status.as_u16(), body };
    if is_passing(status) {
        DeliveryOutcome::Retry { after, fault }
    } else {
        DeliveryOutcome::Rejected { fault }
    }
}

/// Whether a status may change by itself. Everything else is a fault of the channel's settings.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        )
}

/// Source: RFC 9110, section 10.2.3; only the form in seconds, which is the one in use.
fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn start_of_body(mut answer: Response) -> String {
    let mut read = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        let left = ANSWER_BYTES_MAX.saturating_sub(read.len());
        read.extend_from_slice(chunk.get(..left.min(chunk.len())).unwrap_or_default());
        if chunk.len() >= left {
            break;
        }
    }
    String::from_utf8_lossy(&read).chars().take(ANSWER_CHARACTERS_MAX).collect()
}

/// `t=<epoch seconds>,v1=<hex HMAC-SHA256 of "<epoch seconds>.<body>">`.
fn signature(secret: &str, at: Timestamp, body: &str) -> String {
    let seconds = at.as_secs();
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let mut mac = mac.expect("HMAC takes a key of any length");
    mac.update(format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected digest is what `printf '1700000000.{}' | openssl dgst -sha256 -hmac key` says.
    #[test]
    fn the_signature_covers_time_and_body() {
        let at = Timestamp::from_secs(1_700_000_000);
        assert_eq!(
            signature("key", at, "{}"),
            "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
        );
        assert_ne!(signature("key", at, "{}"), signature("key", at.plus_millis(1_000), "{}"));
    }

    #[test]
    fn statuses_that_may_change_by_themselves_are_tried_again() {
        for (status, passing) in [
            (500, true),
            (503, true),
            (429, true),
            (408, true),
            (301, false),
            (400, false),
            (401, false),
            (404, false),
            (410, false),
        ] {
            assert_eq!(is_passing(StatusCode::from_u16(status).unwrap()), passing, "{status}");
        }
    }
}
