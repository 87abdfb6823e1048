//! Which addresses a connector may reach: the public internet and nothing else.
//!
//! Sources: the IANA special-purpose address registries for IPv4 and IPv6 (read 2026-08), and the metadata services that
//! large clouds keep on addresses which look public. IPv6 is allowed only inside 2000::/3, so what carries an IPv4 address
//! elsewhere (mapped, compatible, NAT64) never needs a list.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u32) -> (u32, u32) {
    (u32::from_be_bytes([a, b, c, d]), bits)
}

const SPECIAL_V4: &[(u32, u32)] = &[
    v4(0, 0, 0, 0, 8),        // this network
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // carrier NAT; a cloud's metadata at 100.100.100.200
    v4(127, 0, 0, 0, 8),      // loopback
    v4(168, 63, 129, 16, 32), // a cloud's host agent
    v4(169, 254, 0, 0, 16),   // link-local, metadata
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // protocol assignments, metadata at 192.0.0.192
    v4(192, 0, 2, 0, 24),     // documentation
    v4(192, 31, 196, 0, 24),  // AS112
    v4(192, 52, 193, 0, 24),  // AMT
    v4(192, 88, 99, 0, 24),   // 6to4 relay
    v4(192, 168, 0, 0, 16),   // private
    v4(192, 175, 48, 0, 24),  // AS112
    v4(198, 18, 0, 0, 15),    // benchmarks
    v4(198, 51, 100, 0, 24),  // documentation
    v4(203, 0, 113, 0, 24),   // documentation
    v4(224, 0, 0, 0, 4),      // multicast
    v4(240, 0, 0, 0, 4),      // reserved, broadcast
];

const fn v6(a: u16, b: u16, c: u16, bits: u32) -> (u128, u32) {
    (((a as u128) << 112) | ((b as u128) << 96) | ((c as u128) << 80), bits)
}

/// Inside 2000::/3.
const SPECIAL_V6: &[(u128, u32)] = &[
    v6(0x2001, 0, 0, 23),           // protocol assignments: Teredo, benchmarks, ORCHID
    v6(0x2001, 0x0db8, 0, 32),      // documentation
    v6(0x2002, 0, 0, 16),           // 6to4 carries an IPv4 address
    v6(0x2620, 0x004f, 0x8000, 48), // AS112
    v6(0x3fff, 0, 0, 20),           // documentation
    v6(0x5f00, 0, 0, 16),           // segment routing
];

/// Whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Whether even an operator's grant by name does not reach it: nothing of a shop lives there, but a machine's credentials do.
pub fn is_forbidden_by_name(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_unspecified()
                || address.is_link_local()
                || address.is_multicast()
                || address.is_broadcast()
                || address == Ipv4Addr::new(168, 63, 129, 16)
                || address == Ipv4Addr::new(100, 100, 100, 200)
        }
        IpAddr::V6(address) => {
            address.is_unspecified()
                || address.is_unicast_link_local()
                || address.is_multicast()
                || address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let address = address.to_bits();
    !SPECIAL_V4.iter().any(|(network, bits)| (address ^ network) >> (32 - bits) == 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // ISATAP writes an IPv4 address behind 0000:5efe or 0200:5efe, under any prefix.
    let isatap = (segments[4] & 0xfdff) == 0 && segments[5] == 0x5efe;
    let address = address.to_bits();
    address >> 125 == 0b001 && !isatap && !SPECIAL_V6.iter().any(|(network, bits)| (address ^ network) >> (128 - bits) == 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_edges_of_each_special_network_are_inside_and_their_neighbours_are_not_all() {
        for (network, bits) in SPECIAL_V4 {
            let last = network | (u32::MAX.checked_shr(*bits).unwrap_or(0));
            assert!(!is_public(Ipv4Addr::from_bits(*network).into()));
            assert!(!is_public(Ipv4Addr::from_bits(last).into()));
        }
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:200::1",
            "::ffff:1.1.1.1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "2606:4700::5efe:7f00:1",
            "2606:4700::200:5efe:7f00:1",
            "4000::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }
}
