//! What is kept of a delivery: headers and body in one piece, compressed before it is sealed, because sealed bytes do not shrink.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::get_frame_content_size;

use super::Error;

/// The fastest that still halves a document of a kilobyte.
const LEVEL: i32 = 1;

thread_local! {
    // Making either costs more than using it.
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Headers and body of a delivery, packed.
#[derive(Clone, Debug)]
pub struct Content(Vec<u8>);

impl Content {
    pub fn of(headers: &[(String, String)], body: &[u8]) -> Result<Self, Error> {
        let mut plain = serde_json::to_vec(headers)?;
        plain.push(b'\n');
        plain.extend_from_slice(body);
        PACKER.with_borrow_mut(|packer| {
            let packer = match packer {
                Some(packer) => packer,
                none => none.insert(Compressor::new(LEVEL)?),
            };
            Ok(Self(packer.compress(&plain)?))
        })
    }

    pub(super) fn packed(&self) -> &[u8] {
        &self.0
    }
}

/// Headers and body out of what [`Content::packed`] gave.
pub(super) fn unpack(packed: &[u8]) -> Result<(Vec<(String, String)>, Vec<u8>), Error> {
    let plain = UNPACKER.with_borrow_mut(|unpacker| {
        let unpacker = match unpacker {
            Some(unpacker) => unpacker,
            none => none.insert(Decompressor::new()?),
        };
        // We packed it ourselves, so that the size it states may be believed.
        let stated = get_frame_content_size(packed).ok().flatten().and_then(|size| usize::try_from(size).ok());
        unpacker.decompress(packed, stated.unwrap_or_default())
    })?;
    let end = plain.iter().position(|byte| *byte == b'\n').unwrap_or(plain.len());
    Ok((serde_json::from_slice(&plain[..end])?, plain.get(end + 1..).unwrap_or_default().to_vec()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    proptest::proptest! {
        #[test]
        fn whatever_was_packed_comes_back(headers: Vec<(String, String)>, body: Vec<u8>) {
            let packed = Content::of(&headers, &body).unwrap();
            proptest::prop_assert_eq!(unpack(packed.packed()).unwrap(), (headers, body));
        }
    }

    #[test]
    fn a_large_body_comes_back_and_shrinks() {
        let body = br#"{"id":1,"note":"the same again"}"#.repeat(100_000);
        let packed = Content::of(&[], &body).unwrap();
        assert!(packed.packed().len() < body.len() / 100);
        assert_eq!(unpack(packed.packed()).unwrap(), (Vec::new(), body));
    }

    #[test]
    fn what_was_never_packed_is_an_error() {
        assert!(matches!(unpack(b"[]\n{}"), Err(Error::Packing(_))));
    }
}
