//! Functions of addresses.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::function::Function;
use super::value::Value;

/// Computes a function of this file; `None` for any other.
pub(super) fn call(function: Function, arguments: &[Value]) -> Option<Value> {
    let text = |index: usize| arguments.get(index).and_then(Value::as_text);
    let address: Option<IpAddr> = text(0).and_then(|text| text.trim().parse().ok());
    let subnet = || text(1).and_then(|text| Subnet::parse(text.trim()));
    let is = match function {
        Function::IsValidIp => address.is_some(),
        Function::IsValidIpV4 => address.is_some_and(|ip| ip.is_ipv4()),
        Function::IsValidIpV6 => address.is_some_and(|ip| ip.is_ipv6()),
        Function::IsIpInSubnet => within(address, subnet(), |_| true),
        Function::IsIpV4InSubnet => within(address, subnet(), IpAddr::is_ipv4),
        Function::IsIpV6InSubnet => within(address, subnet(), IpAddr::is_ipv6),
        Function::IsPrivateIp => address.is_some_and(is_private),
        Function::IsReservedIp => address.is_some_and(is_reserved),
        Function::IsPublicIp => address.is_some_and(|ip| !is_private(ip) && !is_reserved(ip)),
        Function::IpV4ToNumber => {
            let number = match address {
                Some(IpAddr::V4(ip)) => Value::Number(f64::from(ip.to_bits())),
                _ => Value::Null,
            };
            return Some(number);
        }
        _ => return None,
    };
    Some(Value::Boolean(is))
}

fn within(address: Option<IpAddr>, subnet: Option<Subnet>, kind: fn(&IpAddr) -> bool) -> bool {
    address.zip(subnet).is_some_and(|(ip, subnet)| kind(&ip) && subnet.contains(ip))
}

struct Subnet {
    network: IpAddr,
    bits: u32,
}

impl Subnet {
    fn parse(text: &str) -> Option<Self> {
        let (network, bits) = text.split_once('/')?;
        let (network, bits) = (network.parse::<IpAddr>().ok()?, bits.parse().ok()?);
        let most = if network.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Self { network, bits })
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                network.to_bits() & mask == ip.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                network.to_bits() & mask == ip.to_bits() & mask
            }
            _ => false,
        }
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_private(),
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

/// Addresses that no host of the public network has, the private ones aside.
fn is_reserved(address: IpAddr) -> bool {
    let v4 = |ip: Ipv4Addr| {
        let [first, second, ..] = ip.octets();
        let shared = first == 100 && second & 0xC0 == 64;
        let special = ip.is_loopback() || ip.is_link_local() || ip.is_documentation();
        first == 0 || first >= 240 || shared || special || ip.is_multicast()
    };
    let v6 = |ip: Ipv6Addr| {
        let documentation = ip.segments().starts_with(&[0x2001, 0xdb8]);
        let special = ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local();
        special || ip.is_multicast() || documentation
    };
    match address {
        IpAddr::V4(ip) => v4(ip),
        IpAddr::V6(ip) => v6(ip),
    }
}
