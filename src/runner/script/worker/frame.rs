//! One message: its length in four bytes, then JSON.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::super::value::NODES_MAX;

/// BOUND: of a message; the largest is an answer of 16 MiB in base64.
const FRAME_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Why there is no message.
#[derive(Debug, Error)]
pub(super) enum FrameError {
    #[error("the pipe is closed")]
    Closed(#[source] io::Error),
    #[error("a message of {bytes} bytes is too long")]
    TooLong { bytes: usize },
    #[error("a message has too many values")]
    TooManyValues,
    #[error("what came is no message")]
    Garbled(#[source] serde_json::Error),
}

/// A message as it goes over the pipe.
pub(super) fn encode(message: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message).map_err(FrameError::Garbled)?;
    let length = bytes.len() - 4;
    let prefix = u32::try_from(length).ok().filter(|_| length <= FRAME_BYTES_MAX);
    let prefix = prefix.ok_or(FrameError::TooLong { bytes: length })?;
    for (slot, byte) in bytes.iter_mut().zip(prefix.to_le_bytes()) {
        *slot = byte;
    }
    Ok(bytes)
}

fn length(prefix: [u8; 4]) -> Result<usize, FrameError> {
    let bytes = usize::try_from(u32::from_le_bytes(prefix)).unwrap_or(usize::MAX);
    if bytes > FRAME_BYTES_MAX { Err(FrameError::TooLong { bytes }) } else { Ok(bytes) }
}

/// BOUND: a short text can be a great many values, each of which takes memory here.
fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    if values(bytes) > 2 * NODES_MAX {
        return Err(FrameError::TooManyValues);
    }
    serde_json::from_slice(bytes).map_err(FrameError::Garbled)
}

/// About how many values a JSON text has: what opens or divides lists and objects, outside texts.
fn values(json: &[u8]) -> usize {
    let (mut count, mut in_text, mut escaped) = (0, false, false);
    for byte in json {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b',' | b'[' | b'{') => count += 1,
            _ => {}
        }
    }
    count
}

pub(super) fn read<T: DeserializeOwned>(input: &mut impl Read) -> Result<T, FrameError> {
    let mut prefix = [0; 4];
    input.read_exact(&mut prefix).map_err(FrameError::Closed)?;
    let mut bytes = vec![0; length(prefix)?];
    input.read_exact(&mut bytes).map_err(FrameError::Closed)?;
    decode(&bytes)
}

pub(super) fn write(output: &mut impl Write, message: &impl Serialize) -> Result<(), FrameError> {
    let bytes = encode(message)?;
    output.write_all(&bytes).and_then(|()| output.flush()).map_err(FrameError::Closed)
}

/// Cancel safety: no; half a message is lost.
pub(super) async fn next<T: DeserializeOwned>(
    input: &mut (impl AsyncRead + Unpin),
) -> Result<T, FrameError> {
    let mut prefix = [0; 4];
    input.read_exact(&mut prefix).await.map_err(FrameError::Closed)?;
    let length = length(prefix)?;
    // Grows with what really comes, not with what was promised.
    let mut bytes = Vec::new();
    let limit = u64::try_from(length).unwrap_or(u64::MAX);
    let read = input.take(limit).read_to_end(&mut bytes).await.map_err(FrameError::Closed)?;
    if read < length {
        return Err(FrameError::Closed(io::ErrorKind::UnexpectedEof.into()));
    }
    decode(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_message_comes_back_as_it_went() {
        let message = json!({"a": [1, "x\"],[", null], "b": {"c": "\\"}});
        let mut bytes = Vec::new();
        write(&mut bytes, &message).unwrap();
        assert_eq!(read::<Value>(&mut bytes.as_slice()).unwrap(), message);
        assert_eq!(values(&bytes[4..]), 6);
    }

    #[tokio::test]
    async fn what_is_no_message_is_refused_before_it_costs_memory() {
        let long = u32::MAX.to_le_bytes();
        let fault = next::<Value>(&mut long.as_slice()).await.unwrap_err();
        assert!(matches!(fault, FrameError::TooLong { .. }), "{fault:?}");
        let mut many = encode(&json!("")).unwrap();
        many.truncate(4);
        many.extend(vec![b'['; 1_000_000]);
        many[..4].copy_from_slice(&1_000_000_u32.to_le_bytes());
        let fault = next::<Value>(&mut many.as_slice()).await.unwrap_err();
        assert!(matches!(fault, FrameError::TooManyValues), "{fault:?}");
        for (text, shown) in [
            (b"\x01\0\0\0x".as_slice(), "what came is no message"),
            (b"\x09\0\0\0{}", "the pipe is closed"),
            (b"\x09\0", "the pipe is closed"),
        ] {
            assert_eq!(next::<Value>(&mut { text }).await.unwrap_err().to_string(), shown);
        }
    }
}
