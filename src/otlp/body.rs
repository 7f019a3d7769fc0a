use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, Limited};

/// Largest body, as sent and once decompressed.
///
/// Differs: CloudWatch takes 5 MB of spans and 1 MB of metrics; a collector's defaults are larger.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a client may take to send its body.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// A body that is not taken: the HTTP status, and why.
pub(super) type BodyFault = (u16, &'static str);

/// Reads a whole body. Cancel safety: a dropped read drops the request.
pub(super) async fn read(body: Body) -> Result<Bytes, BodyFault> {
    let collected = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIME_MAX, collected).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(fault)) if fault.is::<http_body_util::LengthLimitError>() => {
            Err((413, "the body is larger than 16 MiB"))
        }
        Ok(Err(_cut_off)) => Err((400, "the body was cut off")),
        Err(_late) => Err((408, "the body did not arrive in time")),
    }
}

/// The one content encoding of a request.
pub(super) fn encoding(headers: &HeaderMap) -> Result<&str, BodyFault> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok("identity"),
        (Some(encoding), None) => Ok(encoding.to_str().unwrap_or("unreadable")),
        // Each further layer multiplies what a small body can become.
        (Some(_), Some(_)) => Err((415, "one content encoding at most is taken")),
    }
}

/// Undoes gzip, to at most what a body may be.
pub(super) fn gunzip(body: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut inflated = Vec::with_capacity(body.len().saturating_mul(4).min(BODY_BYTES_MAX));
    let most = u64::try_from(BODY_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut decoder = flate2::read::MultiGzDecoder::new(body).take(most);
    decoder.read_to_end(&mut inflated).map_err(|_fault| "the body is not valid gzip")?;
    if inflated.len() > BODY_BYTES_MAX {
        return Err("the body is larger than 16 MiB once decompressed");
    }
    Ok(inflated)
}

/// Undoes snappy's block format. The length that it declares is checked before it is believed.
pub(super) fn unsnap(body: &[u8]) -> Result<Vec<u8>, &'static str> {
    let declared = snap::raw::decompress_len(body).map_err(|_fault| "the body is not snappy")?;
    if declared > BODY_BYTES_MAX {
        return Err("the body is larger than 16 MiB once decompressed");
    }
    let mut decoder = snap::raw::Decoder::new();
    decoder.decompress_vec(body).map_err(|_fault| "the body is not snappy")
}
