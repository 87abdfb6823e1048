//! The one file inside a ZIP archive, by its directory at the end (APPNOTE.TXT 6.3, sections 4.3.7, 4.3.12, 4.3.16).

use std::io::Read;

use entrepot_sdk::types::Failure;
use flate2::read::DeflateDecoder;

use super::unreadable;

/// A history of two hundred years would fit; an archive that pretends to be small does not.
const MOST_BYTES: u64 = 16 << 20;
const END: &[u8] = b"PK\x05\x06";
const ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";

/// The text of the archive's first file.
pub fn text(archive: &[u8]) -> Result<String, Failure> {
    let bad = |why: &str| unreadable("archive", why);
    let packed = first(archive).ok_or_else(|| bad("it is not a ZIP archive with a file in it"))?;
    let mut bytes = Vec::new();
    let read = match packed.method {
        0 => packed.bytes.take(MOST_BYTES + 1).read_to_end(&mut bytes),
        8 => DeflateDecoder::new(packed.bytes).take(MOST_BYTES + 1).read_to_end(&mut bytes),
        other => return Err(unreadable("archive", format!("its file is packed by the method {other}"))),
    };
    read.map_err(|error| unreadable("archive", error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(bad("its file is larger than 16 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| bad("its file is not text"))
}

struct Packed<'a> {
    method: u16,
    bytes: &'a [u8],
}

fn first(archive: &[u8]) -> Option<Packed<'_>> {
    let end = archive.windows(END.len()).rposition(|window| window == END)?;
    let entry = archive.get(long(archive, end + 16)?..)?.strip_prefix(ENTRY)?;
    // Offsets below count from behind the four bytes of the mark.
    let (method, size) = (short(entry, 6)?, long(entry, 16)?);
    let local = archive.get(long(entry, 38)?..)?.strip_prefix(LOCAL)?;
    let start = 26 + usize::from(short(local, 22)?) + usize::from(short(local, 24)?);
    Some(Packed { method, bytes: local.get(start..start.checked_add(size)?)? })
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)).ok()
}
