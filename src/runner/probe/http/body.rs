use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::content::ContentDecoder;
use super::exchange::Exchange;
use crate::runner::probe::{ProbeError, TransferFault};

/// Receives a body whole, and what follows it: counted on the wire, decoded as it comes, bounded
/// both ways.
///
/// Errors: `Transfer` with `BodyTooLarge`, `Undecodable`, `Truncated` or what the connection did;
/// `Timeout` when the deadline passed or nothing came for `limits.idle`.
pub(super) async fn receive(
    exchange: &mut Exchange<'_>,
    headers: &HeaderMap,
    mut incoming: Incoming,
) -> Result<(Bytes, HeaderMap), ProbeError> {
    let wire_bytes_max = exchange.limits.wire_bytes_max;
    let decoder = ContentDecoder::new(headers, exchange.limits.body_bytes_max);
    let mut decoder = decoder.map_err(|fault| exchange.refused(fault))?;
    let mut trailers = HeaderMap::new();
    loop {
        let limit = exchange.trail.tighten(exchange.deadline, exchange.limits.idle);
        let next = limit.bound(exchange.connection.beside(incoming.frame())).await;
        let frame = match next {
            Err(_passed) => return Err(exchange.trail.timed_out()),
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(exchange.broken(&error)),
            Ok(Some(Ok(frame))) => frame,
        };
        let piece = match frame.into_data() {
            Ok(piece) => piece,
            Err(frame) => {
                trailers = frame.into_trailers().unwrap_or_default();
                continue;
            }
        };
        exchange.trail.wire_bytes += piece.len() as u64;
        if exchange.trail.wire_bytes > wire_bytes_max {
            let fault = TransferFault::BodyTooLarge { bytes_max: wire_bytes_max, decoded: false };
            return Err(exchange.refused(fault));
        }
        decoder.write(&piece).map_err(|fault| exchange.refused(fault))?;
    }
    let body = decoder.finish().map_err(|fault| exchange.refused(fault))?;
    Ok((body, trailers))
}
