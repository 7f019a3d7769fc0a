//! Content encodings, decoded as they arrive, with a limit on what comes out.

use std::io::{self, Write};

use brotli::DecompressorWriter;
use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

use crate::runner::probe::TransferFault;

/// What a request says it can read.
pub(super) const ACCEPTED: &str = "gzip, deflate, br, zstd";

/// Largest window a zstd frame may ask memory for, as a power of two: 8 MiB.
///
/// Source: RFC 9659: content with a larger window must not be sent over HTTP.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
const BROTLI_BUFFER: usize = 4096;

/// Decodes a body piece by piece.
pub(super) struct ContentDecoder {
    coding: Coding,
    bytes_max: u64,
    has_input: bool,
}

enum Coding {
    Identity(Limited),
    Gzip(Box<MultiGzDecoder<Limited>>),
    Zlib(Box<ZlibDecoder<Limited>>),
    Deflate(Box<DeflateDecoder<Limited>>),
    /// `deflate` means zlib by the standard and raw deflate to some servers; the first two bytes
    /// tell.
    Undecided(Vec<u8>, Limited),
    Brotli(Box<DecompressorWriter<Limited>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Limited>>),
}

impl ContentDecoder {
    /// The decoder for an answer's headers; at most `bytes_max` bytes come out of it.
    ///
    /// Errors: `Undecodable` for an encoding that was not offered, or for more than one: a body
    /// encoded twice is a bomb more often than a page.
    pub(super) fn new(headers: &HeaderMap, bytes_max: u64) -> Result<Self, TransferFault> {
        let out = Limited { bytes: Vec::new(), bytes_max };
        let encodings: Vec<String> = headers
            .get_all(header::CONTENT_ENCODING)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase())
            .filter(|name| !name.is_empty() && name != "identity")
            .collect();
        let undecodable = |encoding: String| TransferFault::Undecodable { encoding };
        let coding = match encodings.as_slice() {
            [] => Coding::Identity(out),
            [one] => match one.as_str() {
                "gzip" | "x-gzip" => Coding::Gzip(Box::new(MultiGzDecoder::new(out))),
                "deflate" => Coding::Undecided(Vec::new(), out),
                "br" => Coding::Brotli(Box::new(DecompressorWriter::new(out, BROTLI_BUFFER))),
                "zstd" => Coding::Zstd(Box::new(
                    zstd_decoder(out).map_err(|_no_memory| undecodable(one.clone()))?,
                )),
                _ => return Err(undecodable(one.clone())),
            },
            several => return Err(undecodable(several.join(", "))),
        };
        Ok(Self { coding, bytes_max, has_input: false })
    }

    /// Takes the next piece of the body as it came over the wire.
    pub(super) fn write(&mut self, piece: &[u8]) -> Result<(), TransferFault> {
        self.has_input |= !piece.is_empty();
        self.decide(piece);
        let written = match &mut self.coding {
            Coding::Identity(out) => out.write_all(piece),
            Coding::Gzip(decoder) => decoder.write_all(piece),
            Coding::Zlib(decoder) => decoder.write_all(piece),
            Coding::Deflate(decoder) => decoder.write_all(piece),
            Coding::Undecided(first, _) => {
                first.extend_from_slice(piece);
                Ok(())
            }
            Coding::Brotli(decoder) => decoder.write_all(piece),
            Coding::Zstd(decoder) => decoder.write_all(piece),
        };
        written.map_err(|error| fault(&error, self.name(), self.bytes_max))
    }

    /// The whole body, once the last piece was written.
    ///
    /// An announced encoding of an empty body is fine: answers to HEAD and 304 look so.
    pub(super) fn finish(self) -> Result<Bytes, TransferFault> {
        if !self.has_input {
            return Ok(Bytes::new());
        }
        let (name, bytes_max) = (self.name(), self.bytes_max);
        let out = match self.coding {
            Coding::Identity(out) => Ok(out),
            Coding::Undecided(..) => Err(io::ErrorKind::UnexpectedEof.into()),
            Coding::Gzip(decoder) => decoder.finish(),
            Coding::Zlib(decoder) => decoder.finish(),
            Coding::Deflate(decoder) => decoder.finish(),
            Coding::Brotli(mut decoder) => {
                let closed = decoder.close();
                closed.map(|()| std::mem::take(decoder.get_mut()))
            }
            Coding::Zstd(decoder) => decoder.finish(),
        };
        out.map(|out| Bytes::from(out.bytes)).map_err(|error| fault(&error, name, bytes_max))
    }

    fn decide(&mut self, piece: &[u8]) {
        let Coding::Undecided(first, out) = &mut self.coding else { return };
        let mut header = first.iter().chain(piece);
        let (Some(high), Some(low)) = (header.next(), header.next()) else { return };
        let is_zlib =
            high & 0x0f == 8 && (u16::from(*high) << 8 | u16::from(*low)).is_multiple_of(31);
        let (held, out) = (std::mem::take(first), std::mem::take(out));
        self.coding = if is_zlib {
            Coding::Zlib(Box::new(ZlibDecoder::new(out)))
        } else {
            Coding::Deflate(Box::new(DeflateDecoder::new(out)))
        };
        // One byte at most, which no decoder refuses before it has seen the second.
        match &mut self.coding {
            Coding::Zlib(decoder) => drop(decoder.write_all(&held)),
            Coding::Deflate(decoder) => drop(decoder.write_all(&held)),
            _ => {}
        }
    }

    const fn name(&self) -> &'static str {
        match self.coding {
            Coding::Identity(_) => "identity",
            Coding::Gzip(_) => "gzip",
            Coding::Zlib(_) | Coding::Deflate(_) | Coding::Undecided(..) => "deflate",
            Coding::Brotli(_) => "br",
            Coding::Zstd(_) => "zstd",
        }
    }
}

fn zstd_decoder(out: Limited) -> io::Result<zstd::stream::write::Decoder<'static, Limited>> {
    let mut decoder = zstd::stream::write::Decoder::new(out)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
}

fn fault(error: &io::Error, encoding: &str, bytes_max: u64) -> TransferFault {
    if error.get_ref().is_some_and(|inner| inner.is::<LimitReached>()) {
        return TransferFault::BodyTooLarge { bytes_max, decoded: true };
    }
    TransferFault::Undecodable { encoding: encoding.to_owned() }
}

/// Keeps what is written until there is too much of it.
#[derive(Debug, Default)]
struct Limited {
    bytes: Vec<u8>,
    bytes_max: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("more bytes than allowed")]
struct LimitReached;

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // BOUND: a body that decodes past the limit is refused, not cut.
        if (self.bytes.len() + bytes.len()) as u64 > self.bytes_max {
            return Err(io::Error::other(LimitReached));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(encoding: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
        headers
    }

    fn encode(encoding: &str, body: &[u8]) -> Vec<u8> {
        use flate2::Compression;
        let mut out = Vec::new();
        match encoding {
            "gzip" => {
                let mut encoder = flate2::write::GzEncoder::new(&mut out, Compression::best());
                encoder.write_all(body).unwrap();
            }
            "zlib" => {
                let mut encoder = flate2::write::ZlibEncoder::new(&mut out, Compression::best());
                encoder.write_all(body).unwrap();
            }
            "raw" => {
                let mut encoder = flate2::write::DeflateEncoder::new(&mut out, Compression::best());
                encoder.write_all(body).unwrap();
            }
            "br" => {
                let mut encoder = brotli::CompressorWriter::new(&mut out, 4096, 5, 20);
                encoder.write_all(body).unwrap();
            }
            "zstd" => out = zstd::encode_all(body, 3).unwrap(),
            _ => out.extend_from_slice(body),
        }
        out
    }

    fn decode(encoding: &str, wire: &[u8], piece: usize, max: u64) -> Result<Bytes, TransferFault> {
        let mut decoder = ContentDecoder::new(&headers(encoding), max)?;
        for piece in wire.chunks(piece) {
            decoder.write(piece)?;
        }
        decoder.finish()
    }

    const CODINGS: [(&str, &str); 6] = [
        ("identity", "identity"),
        ("gzip", "gzip"),
        ("deflate", "zlib"),
        ("deflate", "raw"),
        ("br", "br"),
        ("zstd", "zstd"),
    ];

    #[test]
    fn every_encoding_decodes_in_pieces_of_any_size() {
        let body: Vec<u8> = (0..20_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for (name, made) in CODINGS {
            let wire = encode(made, &body);
            for piece in [1, 7, 4096, wire.len()] {
                let decoded = decode(name, &wire, piece, 1 << 20).unwrap();
                assert!(decoded == body, "{made} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_body_that_ends_early_is_undecodable_and_an_empty_one_is_empty() {
        let body: Vec<u8> = (0..20_000_u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        for (name, made) in CODINGS.into_iter().skip(1) {
            let wire = encode(made, &body);
            let torn = decode(name, &wire[..wire.len() / 2], 100, 1 << 20);
            let fault = TransferFault::Undecodable { encoding: name.to_owned() };
            assert_eq!(torn, Err(fault), "{made}");
            assert_eq!(decode(name, b"", 1, 1 << 20), Ok(Bytes::new()), "{made}");
        }
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let bomb = vec![0; 4 << 20];
        for (name, made) in CODINGS {
            let refused = decode(name, &encode(made, &bomb), 4096, 1 << 20);
            let fault = TransferFault::BodyTooLarge { bytes_max: 1 << 20, decoded: true };
            assert_eq!(refused, Err(fault), "{made}");
        }
    }

    #[test]
    fn garbage_unknown_and_doubled_encodings_are_undecodable() {
        for name in ["gzip", "deflate", "br", "zstd"] {
            let refused = decode(name, b"\xffthis is no encoding\xff at all", 5, 1 << 20);
            assert!(matches!(refused, Err(TransferFault::Undecodable { .. })), "{name}");
        }
        assert!(decode("compress", b"x", 1, 10).is_err());
        assert!(decode("gzip, gzip", b"x", 1, 10).is_err());
    }
}
