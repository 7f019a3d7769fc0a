use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of place an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressClass {
    /// Anyone's address on the internet.
    Public,
    /// This machine.
    Loopback,
    /// A private network: RFC 1918, unique local, site local, carrier-grade NAT.
    Private,
    /// This link only.
    LinkLocal,
    /// Hands out the machine's own credentials on some cloud.
    Metadata,
    /// Nobody in particular, everybody, or set aside: unspecified, multicast, reserved.
    Special,
    /// An IPv4 address wrapped for a tunnel or a translator.
    Wrapped,
}

const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
const ALIBABA_METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
const AWS_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
const GOOGLE_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);

impl AddressClass {
    /// The class of an address. An IPv4 address inside an IPv6 one decides where there is one.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            // All of link-local: 169.254.169.254 is only the best known of its metadata services.
            [169, 254, ..] => Self::Metadata,
            _ if address == AZURE_WIRE_SERVER || address == ALIBABA_METADATA => Self::Metadata,
            [127, ..] => Self::Loopback,
            [10, ..] | [192, 168, ..] | [172, 16..=31, ..] | [100, 64..=127, ..] => Self::Private,
            [0, ..] | [224..=255, ..] => Self::Special,
            [192, 0, 0 | 2, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
                Self::Special
            }
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if address == AWS_METADATA_V6 || address == GOOGLE_METADATA_V6 {
            return Self::Metadata;
        }
        match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 0] => Self::Special,
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Loopback,
            // Mapped, and the older compatible form.
            [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Self::of_v4(embedded(high, low)),
            // NAT64, RFC 6052, and its local-use prefix, RFC 8215.
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Self::wrapped(embedded(high, low)),
            [0x64, 0xff9b, 1, _, _, _, high, low] => Self::wrapped(embedded(high, low)),
            // 6to4.
            [0x2002, high, low, ..] => Self::wrapped(embedded(high, low)),
            // Teredo keeps the client's address inverted.
            [0x2001, 0, _, _, _, _, high, low] => Self::wrapped(embedded(!high, !low)),
            [0x2001, 0xdb8, ..] | [0x100, 0, 0, 0, ..] | [0xff00..=0xffff, ..] => Self::Special,
            [0xfe80..=0xfebf, ..] => Self::LinkLocal,
            [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Self::Private,
            _ => Self::Public,
        }
    }

    fn wrapped(inner: Ipv4Addr) -> Self {
        match Self::of_v4(inner) {
            Self::Metadata => Self::Metadata,
            _ => Self::Wrapped,
        }
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_of_the_private_ranges_are_exact() {
        for (address, class) in [
            ("9.255.255.255", AddressClass::Public),
            ("10.0.0.0", AddressClass::Private),
            ("172.15.255.255", AddressClass::Public),
            ("172.32.0.0", AddressClass::Public),
            ("100.63.255.255", AddressClass::Public),
            ("100.128.0.0", AddressClass::Public),
            ("169.253.255.255", AddressClass::Public),
            ("169.254.0.0", AddressClass::Metadata),
            ("223.255.255.255", AddressClass::Public),
            ("224.0.0.0", AddressClass::Special),
            ("fbff::1", AddressClass::Public),
            ("fe7f::1", AddressClass::Public),
            ("2001:1::1", AddressClass::Public),
            ("64:ff9b::808:808", AddressClass::Wrapped),
        ] {
            assert_eq!(AddressClass::of(address.parse().unwrap()), class, "{address}");
        }
    }
}
