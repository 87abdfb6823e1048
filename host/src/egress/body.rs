//! Reading a response body within limits, and unpacking it here rather than in the HTTP library, so that a small answer
//! cannot become a large one unnoticed.

use std::io::Write;

use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

/// How much larger than its packed form a body may become.
const MAX_RATIO: usize = 100;
/// Small answers may pack better than that.
const RATIO_FREE_BYTES: usize = 64 * 1024;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the answer unpacks to more than {MAX_RATIO} times its size")]
    Bomb,
    #[error("the answer is not packed as its header says")]
    Broken,
    #[error("the answer is packed in a way that was not asked for: {0}")]
    Unknown(String),
}

/// Takes the body piece by piece and stops at the first piece too many.
pub struct Reader {
    limit: usize,
    packed: usize,
    form: Form,
}

enum Form {
    Plain(Vec<u8>),
    Gzip(MultiGzDecoder<Capped>),
    /// `deflate` is zlib by the standard and raw by some servers: the first two bytes tell.
    DeflateHead(Vec<u8>),
    Deflate(Inflate),
}

impl Reader {
    /// `encodings` are the values of `content-encoding`, in order.
    pub fn new<'a>(encodings: impl Iterator<Item = &'a str>, limit: usize) -> Result<Self, Error> {
        let listed: Vec<String> = encodings
            .flat_map(|value| value.split(','))
            .map(|one| one.trim().to_ascii_lowercase())
            .filter(|one| !one.is_empty() && one != "identity")
            .collect();
        let form = match listed.as_slice() {
            [] => Form::Plain(Vec::new()),
            [one] if one == "gzip" || one == "x-gzip" => Form::Gzip(MultiGzDecoder::new(Capped::new(limit))),
            [one] if one == "deflate" => Form::DeflateHead(Vec::new()),
            other => return Err(Error::Unknown(other.join(", "))),
        };
        Ok(Self { limit, packed: 0, form })
    }

    pub fn is_plain(&self) -> bool {
        matches!(self.form, Form::Plain(_))
    }

    pub fn take(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.packed += piece.len();
        if self.packed > self.limit {
            return Err(Error::TooLarge(self.limit));
        }
        if let Form::DeflateHead(head) = &mut self.form {
            head.extend_from_slice(piece);
            if head.len() < 2 {
                return Ok(());
            }
            let head = std::mem::take(head);
            let zlib = head[0] & 0x0f == 8 && (u16::from(head[0]) << 8 | u16::from(head[1])) % 31 == 0;
            self.form = Form::Deflate(Inflate { inner: Decompress::new(zlib), out: Capped::new(self.limit), ended: false });
            return self.unpack(&head);
        }
        self.unpack(piece)
    }

    pub fn finish(self) -> Result<Vec<u8>, Error> {
        let unpacked = match self.form {
            Form::Plain(body) => return Ok(body),
            // A header without a body behind it, as after HEAD.
            _ if self.packed == 0 => return Ok(Vec::new()),
            Form::Gzip(decoder) => decoder.finish().map_err(|error| reason(&error))?,
            Form::Deflate(inflate) if inflate.ended => inflate.out,
            Form::DeflateHead(_) | Form::Deflate(_) => return Err(Error::Broken),
        };
        Ok(unpacked.out)
    }

    fn unpack(&mut self, piece: &[u8]) -> Result<(), Error> {
        let allowed = self.packed.saturating_mul(MAX_RATIO).saturating_add(RATIO_FREE_BYTES);
        let written = match &mut self.form {
            Form::Plain(body) => {
                body.extend_from_slice(piece);
                Ok(())
            }
            Form::Gzip(decoder) => {
                decoder.get_mut().allowed = allowed;
                decoder.write_all(piece)
            }
            Form::Deflate(inflate) => {
                inflate.out.allowed = allowed;
                inflate.take(piece)
            }
            Form::DeflateHead(_) => Ok(()),
        };
        written.map_err(|error| reason(&error))
    }
}

/// A deflate stream, with or without zlib's frame. It knows whether it has seen the end, which a decoder behind `Write` does not say.
struct Inflate {
    inner: Decompress,
    out: Capped,
    ended: bool,
}

impl Inflate {
    fn take(&mut self, mut piece: &[u8]) -> std::io::Result<()> {
        let mut buffer = [0u8; 16 * 1024];
        // What follows the end of the stream is padding that some servers add.
        while !self.ended {
            let (read, written) = (self.inner.total_in(), self.inner.total_out());
            let status = self.inner.decompress(piece, &mut buffer, FlushDecompress::None).map_err(std::io::Error::other)?;
            let (read, written) = ((self.inner.total_in() - read) as usize, (self.inner.total_out() - written) as usize);
            self.out.write_all(buffer.get(..written).unwrap_or_default())?;
            piece = piece.get(read..).unwrap_or_default();
            self.ended = status == Status::StreamEnd;
            if read == 0 && written == 0 || piece.is_empty() && written < buffer.len() {
                break;
            }
        }
        Ok(())
    }
}

/// Grows up to its limits and then refuses.
struct Capped {
    out: Vec<u8>,
    limit: usize,
    /// What the packed bytes so far may become.
    allowed: usize,
}

impl Capped {
    fn new(limit: usize) -> Self {
        Self { out: Vec::new(), limit, allowed: RATIO_FREE_BYTES }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Over(Error);

impl Write for Capped {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        let size = self.out.len() + piece.len();
        if size > self.allowed {
            return Err(std::io::Error::other(Over(Error::Bomb)));
        }
        if size > self.limit {
            return Err(std::io::Error::other(Over(Error::TooLarge(self.limit))));
        }
        self.out.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn reason(error: &std::io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Over>()) {
        Some(Over(Error::Bomb)) => Error::Bomb,
        Some(Over(Error::TooLarge(limit))) => Error::TooLarge(*limit),
        _ => Error::Broken,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn read(encoding: &str, packed: &[u8], limit: usize, step: usize) -> Result<Vec<u8>, Error> {
        let mut reader = Reader::new([encoding].into_iter(), limit)?;
        for piece in packed.chunks(step) {
            reader.take(piece)?;
        }
        reader.finish()
    }

    fn packed(text: &[u8]) -> [(&'static str, Vec<u8>); 3] {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(text).unwrap();
        zlib.write_all(text).unwrap();
        raw.write_all(text).unwrap();
        [("gzip", gzip.finish().unwrap()), ("deflate", zlib.finish().unwrap()), ("deflate", raw.finish().unwrap())]
    }

    #[test]
    fn every_usual_packing_comes_back_whole_in_any_pieces() {
        let text: Vec<u8> = (0..20_000u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for (encoding, bytes) in packed(&text) {
            for step in [1, 7, 4096, bytes.len()] {
                assert_eq!(read(encoding, &bytes, 1 << 20, step).unwrap(), text, "{encoding} {step}");
            }
        }
        assert_eq!(read("identity", b"plain", 10, 2).unwrap(), b"plain");
        assert_eq!(read("gzip", b"", 10, 2).unwrap(), b"");
    }

    #[test]
    fn a_bomb_is_noticed_before_it_unpacks() {
        let zeros = vec![0u8; 50 << 20];
        for (encoding, bytes) in packed(&zeros) {
            assert!(bytes.len() < 100_000);
            assert_eq!(read(encoding, &bytes, 100 << 20, 1000), Err(Error::Bomb), "{encoding}");
        }
    }

    #[test]
    fn limits_hold_packed_and_unpacked() {
        assert_eq!(read("", &[1; 11], 10, 4), Err(Error::TooLarge(10)));
        let text: Vec<u8> = (0..5_000u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for (encoding, bytes) in packed(&text) {
            assert!(bytes.len() < 15_000);
            assert_eq!(read(encoding, &bytes, 15_000, 100), Err(Error::TooLarge(15_000)), "{encoding}");
        }
    }

    #[test]
    fn what_is_cut_off_or_not_packed_is_refused() {
        for (encoding, bytes) in packed(b"some text that is long enough to be cut") {
            assert_eq!(read(encoding, &bytes[..bytes.len() - 3], 1000, 100), Err(Error::Broken), "{encoding}");
        }
        assert_eq!(read("gzip", b"hello", 100, 100), Err(Error::Broken));
        assert!(matches!(read("br", b"", 100, 1), Err(Error::Unknown(_))));
        assert!(matches!(read("gzip, gzip", b"", 100, 1), Err(Error::Unknown(_))));
    }
}
