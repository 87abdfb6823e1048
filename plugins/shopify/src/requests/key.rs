//! Idempotency keys. The shop refuses a key that comes back with other content, so the key is made of the host's own key and
//! the content itself: the same effect has the same key, a different composition another one.

use serde_json::Value;

/// 32 hexadecimal digits in the form of a UUID.
pub fn idempotency_key(host_key: &str, content: &Value) -> String {
    let hash = fnv(fnv(OFFSET, host_key.as_bytes()), content.to_string().as_bytes());
    let hex = format!("{hash:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// FNV-1a, 128 bits: nobody attacks these keys, they only have to differ. A separator keeps the two parts apart.
fn fnv(start: u128, bytes: &[u8]) -> u128 {
    let step = |hash: u128, byte: u8| (hash ^ u128::from(byte)).wrapping_mul(PRIME);
    step(bytes.iter().copied().fold(start, step), 0xff)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::idempotency_key;

    #[test]
    fn the_same_effect_has_the_same_key_and_any_other_a_different_one() {
        let key = idempotency_key("eff_1", &json!([1, 2]));
        assert_eq!(key, idempotency_key("eff_1", &json!([1, 2])));
        assert_ne!(key, idempotency_key("eff_2", &json!([1, 2])));
        assert_ne!(key, idempotency_key("eff_1", &json!([2, 1])));
        assert_eq!(key.len(), 36);
    }
}
