use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::content::ContentDecoder;
use super::exchange::{Exchange, Head};
use crate::runner::probe::{ProbeError, TransferFault};

/// Receives a body whole: counted on the wire, decoded as it comes, bounded both ways.
///
/// Errors: `Transfer` with `BodyTooLarge`, `Undecodable`, `Truncated` or what the connection did;
/// `Timeout` when the deadline passed or nothing came for `limits.idle`.
pub(super) async fn receive(
    exchange: &mut Exchange<'_>,
    head: &Head,
    mut incoming: Incoming,
) -> Result<Bytes, ProbeError> {
    let wire_bytes_max = exchange.limits.wire_bytes_max;
    let decoder = ContentDecoder::new(&head.headers, exchange.limits.body_bytes_max);
    let mut decoder = decoder.map_err(|fault| exchange.refused(fault))?;
    loop {
        let limit = exchange.trail.tighten(exchange.deadline, exchange.limits.idle);
        let next = limit.bound(exchange.connection.beside(incoming.frame())).await;
        let frame = match next {
            Err(_passed) => return Err(exchange.trail.timed_out()),
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(exchange.broken(&error)),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(piece) = frame.into_data() else { continue };
        exchange.trail.wire_bytes += piece.len() as u64;
        if exchange.trail.wire_bytes > wire_bytes_max {
            let fault = TransferFault::BodyTooLarge { bytes_max: wire_bytes_max, decoded: false };
            return Err(exchange.refused(fault));
        }
        decoder.write(&piece).map_err(|fault| exchange.refused(fault))?;
    }
    decoder.finish().map_err(|fault| exchange.refused(fault))
}
