//! A ZIP archive with one deflated file (APPNOTE.TXT 6.3).

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

pub(super) fn zip(name: &str, text: &str) -> std::io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes())?;
    let data = encoder.finish()?;
    let mut checksum = flate2::Crc::new();
    checksum.update(text.as_bytes());
    // Version 2.0, no flags, deflated, 1980-01-01 at midnight.
    let mut entry = vec![20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0];
    for number in [checksum.sum(), long(data.len()), long(text.len())] {
        entry.extend(number.to_le_bytes());
    }
    entry.extend(short(name.len()).to_le_bytes());
    let mut archive = b"PK\x03\x04".to_vec();
    archive.extend(&entry);
    archive.extend([0, 0]);
    archive.extend(name.as_bytes());
    archive.extend(&data);
    let directory = long(archive.len());
    archive.extend(b"PK\x01\x02\x14\0");
    archive.extend(&entry);
    // No extra field, no comment, disk 0, no attributes, the file at the beginning.
    archive.extend([0; 16]);
    archive.extend(name.as_bytes());
    let length = long(archive.len()) - directory;
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend(length.to_le_bytes());
    archive.extend(directory.to_le_bytes());
    archive.extend([0, 0]);
    Ok(archive)
}

fn long(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}
