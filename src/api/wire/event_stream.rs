//! Frames of `application/vnd.amazon.eventstream`: headers, payload, two checksums.
//!
//! Source: Smithy, "Amazon Event Stream specification".

use bytes::{BufMut, Bytes, BytesMut};
use flate2::Crc;
use serde::Serialize;

/// The content type of a body of frames.
pub(in crate::api) const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// Total length, length of the headers, checksum of both.
const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;
/// The type of a header's value that is a text.
const TEXT: u8 = 7;

/// An event with a JSON payload.
pub(in crate::api) fn event(kind: &str, payload: &impl Serialize) -> Bytes {
    let json = (":content-type", "application/json");
    let headers = [(":message-type", "event"), (":event-type", kind), json];
    // Outputs are plain structures, which JSON always holds.
    frame(&headers, &serde_json::to_vec(payload).unwrap_or_default())
}

/// The exception that a stream ends with.
pub(in crate::api) fn exception(kind: &str, message: &str) -> Bytes {
    let json = (":content-type", "application/json");
    let headers = [(":message-type", "exception"), (":exception-type", kind), json];
    frame(&headers, serde_json::json!({ "message": message }).to_string().as_bytes())
}

fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut encoded = BytesMut::new();
    for (name, value) in headers {
        encoded.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        encoded.put_slice(name.as_bytes());
        encoded.put_u8(TEXT);
        encoded.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        encoded.put_slice(value.as_bytes());
    }
    let total = PRELUDE_BYTES + encoded.len() + payload.len() + CHECKSUM_BYTES;
    let mut whole = BytesMut::with_capacity(total);
    whole.put_u32(u32::try_from(total).unwrap_or(u32::MAX));
    whole.put_u32(u32::try_from(encoded.len()).unwrap_or(u32::MAX));
    whole.put_u32(checksum(&whole));
    whole.put_slice(&encoded);
    whole.put_slice(payload);
    whole.put_u32(checksum(&whole));
    whole.freeze()
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The empty message and the one with a JSON header are the specification's own vectors.
    #[test]
    fn frames_have_the_lengths_and_checksums_of_the_specification() {
        let empty = frame(&[], b"");
        assert_eq!(hex::encode(&empty), "000000100000000005c248eb7d98c8ff");
        let headed = frame(&[("content-type", "application/json")], b"{'foo':'bar'}");
        assert_eq!(
            hex::encode(&headed),
            "0000003d0000002007fd83960c636f6e74656e742d7479706507\
             00106170706c69636174696f6e2f6a736f6e7b27666f6f273a27626172277d8d9c08b1"
        );
    }
}
