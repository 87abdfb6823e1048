//! Bytes as text.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Two digits a byte, lower case.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    let nibbles = bytes.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

#[test]
fn every_byte_has_two_digits() {
    assert_eq!(hex([0x00, 0x0f, 0xa5, 0xff]), "000fa5ff");
    assert_eq!(hex([]), "");
}
