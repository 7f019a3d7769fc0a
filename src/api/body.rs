use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use thiserror::Error;

/// How long a client may take to send its body.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);
/// Above this an inflation leaves the runtime's threads.
const INFLATE_INLINE_MAX: usize = 32 * 1024;

/// A body that is not taken.
#[derive(Debug, Error)]
pub(super) enum BodyError {
    /// Longer than is taken, as declared, as sent, or once decompressed.
    #[error("request body exceeds {0} bytes")]
    TooLarge(usize),
    /// Not all of it came in time.
    #[error("request body did not arrive within {} s", BODY_TIME_MAX.as_secs())]
    TooSlow,
    /// The connection failed.
    #[error("request body was cut off")]
    CutOff,
    /// A content encoding that is not undone.
    #[error("content encoding {encoding:?} is not supported; send gzip or none")]
    Encoding {
        /// As the request names it.
        encoding: String,
    },
    /// Not what its encoding says.
    #[error("request body is not valid gzip")]
    BadGzip,
}

/// Reads a whole body, at most `bytes_max`.
///
/// Cancel safety: a dropped read drops the request.
pub(super) async fn read_body(
    body: Body,
    headers: &HeaderMap,
    bytes_max: usize,
) -> Result<Bytes, BodyError> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if declared.is_some_and(|length| length.parse().is_ok_and(|n: usize| n > bytes_max)) {
        return Err(BodyError::TooLarge(bytes_max));
    }
    match tokio::time::timeout(BODY_TIME_MAX, collect(body, bytes_max)).await {
        Ok(read) => read,
        Err(_late) => Err(BodyError::TooSlow),
    }
}

async fn collect(mut body: Body, bytes_max: usize) -> Result<Bytes, BodyError> {
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_broken| BodyError::CutOff)?;
        let Ok(chunk) = frame.into_data() else { continue };
        // BOUND: a body over the limit is dropped at the chunk that passes it.
        if first.len() + whole.len() + chunk.len() > bytes_max {
            return Err(BodyError::TooLarge(bytes_max));
        }
        // Most bodies are one chunk, which needs no copy.
        if first.is_empty() && whole.is_empty() {
            first = chunk;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&chunk);
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// Undoes the content encoding, one layer, to at most `bytes_max`.
pub(super) async fn inflate(
    body: Bytes,
    headers: &HeaderMap,
    bytes_max: usize,
) -> Result<Bytes, BodyError> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let encoding = match (encodings.next(), encodings.next()) {
        (None, _) => return Ok(body),
        (Some(encoding), None) => String::from_utf8_lossy(encoding.as_bytes()).to_lowercase(),
        // One layer only: each further one multiplies what a small body can become.
        (Some(_), Some(_)) => return Err(BodyError::Encoding { encoding: "several".to_owned() }),
    };
    match encoding.trim() {
        // COMPAT: `aws-chunked` with no signed chunks is sent by some SDKs as a no-op.
        "" | "identity" => Ok(body),
        "gzip" if body.len() <= INFLATE_INLINE_MAX => gunzip(&body, bytes_max),
        "gzip" => {
            let inflated = tokio::task::spawn_blocking(move || gunzip(&body, bytes_max)).await;
            inflated.unwrap_or(Err(BodyError::BadGzip))
        }
        other => Err(BodyError::Encoding { encoding: other.to_owned() }),
    }
}

fn gunzip(body: &[u8], bytes_max: usize) -> Result<Bytes, BodyError> {
    let mut inflated = Vec::new();
    let one_more = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut decoder = MultiGzDecoder::new(body).take(one_more);
    decoder.read_to_end(&mut inflated).map_err(|_fault| BodyError::BadGzip)?;
    if inflated.len() > bytes_max {
        return Err(BodyError::TooLarge(bytes_max));
    }
    Ok(inflated.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn headers(encodings: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for encoding in encodings {
            headers.append(header::CONTENT_ENCODING, encoding.parse().unwrap());
        }
        headers
    }

    #[tokio::test]
    async fn a_gzip_body_is_inflated_up_to_its_limit() {
        let body = Bytes::from(gzip(&[b'a'; 100_000]));
        let gzip = headers(&["gzip"]);
        assert_eq!(inflate(body.clone(), &gzip, 100_000).await.unwrap().len(), 100_000);
        let bomb = inflate(body, &gzip, 99_999).await;
        assert!(matches!(bomb, Err(BodyError::TooLarge(99_999))));
    }

    #[tokio::test]
    async fn a_second_layer_or_another_encoding_is_refused() {
        for encodings in [&["gzip", "gzip"][..], &["gzip, gzip"], &["br"], &["deflate"]] {
            let refused = inflate(Bytes::from_static(b"x"), &headers(encodings), 10).await;
            assert!(matches!(refused, Err(BodyError::Encoding { .. })), "{encodings:?}");
        }
        let garbage = inflate(Bytes::from_static(b"not gzip"), &headers(&["gzip"]), 10).await;
        assert!(matches!(garbage, Err(BodyError::BadGzip)));
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_as_declared_and_as_sent() {
        let mut declared = HeaderMap::new();
        declared.insert(header::CONTENT_LENGTH, "11".parse().unwrap());
        let read = read_body(Body::empty(), &declared, 10).await;
        assert!(matches!(read, Err(BodyError::TooLarge(10))));
        let read = read_body(Body::from("elevenbytes"), &HeaderMap::new(), 10).await;
        assert!(matches!(read, Err(BodyError::TooLarge(10))));
        let read = read_body(Body::from("tenbytes!!"), &HeaderMap::new(), 10).await;
        assert_eq!(read.unwrap(), "tenbytes!!");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_given_up() {
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let read = read_body(Body::from_stream(never), &HeaderMap::new(), 10).await;
        assert!(matches!(read, Err(BodyError::TooSlow)));
    }
}
