//! Echo requests.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::error::{ProbeError, ProbeErrorKind};
use super::network::Network;
use super::trail::Trail;
use crate::canary::observation::{Answer, Phase};
use crate::time::Deadline;

/// How long a reply is waited for before the request counts as lost.
const REPLY_WITHIN: Duration = Duration::from_secs(1);
const PAYLOAD_BYTES: usize = 56;
const PACKET_BYTES_MAX: usize = 1500;

/// Echo requests to one host.
#[derive(Clone, Debug)]
pub struct IcmpRequest {
    /// Host name or address.
    pub host: String,
    /// How many requests.
    pub count: u32,
}

impl Network {
    /// Sends echo requests one after the other and times their replies.
    ///
    /// Errors: `Resolve`, `Policy`; `Connect` when this machine may not send echo requests;
    /// `Timeout` when no reply came at all.
    /// Cancel safety: dropping it closes the socket.
    pub async fn icmp(
        &self,
        request: &IcmpRequest,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<Answer, ProbeError> {
        trail.next_hop(request.host.clone());
        let addresses = self.resolve(&request.host, 0, trail, deadline).await?;
        let Some(address) = addresses.first().copied() else {
            let reason = "it has no address".to_owned();
            return Err(trail.fail(ProbeErrorKind::Resolve { host: request.host.clone(), reason }));
        };
        let checked = self.policy.check_address(&request.host, address);
        checked.map_err(|error| trail.fail(ProbeErrorKind::Policy(error)))?;
        trail.remote = Some(address);
        trail.enter(Phase::Wait);
        let pinger = Pinger::open(address).map_err(|source| {
            trail.fail(ProbeErrorKind::Connect { place: address.ip().to_string(), source })
        })?;
        let mut round_trips = Vec::new();
        let mut sent = 0;
        for sequence in 0..request.count {
            if deadline.has_passed(&*self.clock) {
                break;
            }
            sent += 1;
            let begun = self.clock.monotonic();
            let limit = trail.tighten(deadline, REPLY_WITHIN);
            let number = u16::try_from(sequence % 65_536).unwrap_or(0);
            match limit.bound(pinger.ping(number)).await {
                Ok(Ok(())) => round_trips.push(self.clock.monotonic().since(begun)),
                Ok(Err(source)) => {
                    let place = address.ip().to_string();
                    return Err(trail.fail(ProbeErrorKind::Connect { place, source }));
                }
                Err(_lost) => {}
            }
        }
        if round_trips.is_empty() {
            return Err(trail.timed_out());
        }
        trail.leave();
        Ok(Answer::Icmp { sent, round_trips })
    }
}

/// A socket for echo requests to one address.
struct Pinger {
    socket: UdpSocket,
    address: IpAddr,
    kind: SocketKind,
    identifier: u16,
}

/// How the kernel hands packets over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SocketKind {
    /// It numbers and filters them itself; no privilege is needed where the range of groups allows.
    Datagram,
    /// We get every packet, with an IP header before it in IPv4; needs `CAP_NET_RAW`.
    Raw,
}

impl Pinger {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let (domain, protocol) = match address {
            SocketAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            SocketAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let open = |of: Type| Socket::new(domain, of, Some(protocol));
        let (socket, kind) = match open(Type::DGRAM) {
            Ok(socket) => (socket, SocketKind::Datagram),
            Err(refused) => match open(Type::RAW) {
                Ok(socket) => (socket, SocketKind::Raw),
                Err(_also) => return Err(refused),
            },
        };
        socket.set_nonblocking(true)?;
        socket.connect(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self { socket, address: address.ip(), kind, identifier: fastrand::u16(..) })
    }

    /// Sends one request and waits for its reply.
    async fn ping(&self, sequence: u16) -> io::Result<()> {
        self.socket.send(&self.packet(sequence)).await?;
        let mut packet = [0; PACKET_BYTES_MAX];
        loop {
            let received = self.socket.recv(&mut packet).await?;
            if self.is_reply(packet.get(..received).unwrap_or_default(), sequence) {
                return Ok(());
            }
        }
    }

    /// Source: RFC 792, RFC 4443: type, code, checksum, identifier, sequence number, payload.
    fn packet(&self, sequence: u16) -> Vec<u8> {
        let echo_request = if self.address.is_ipv4() { 8 } else { 128 };
        let mut packet = vec![echo_request, 0, 0, 0];
        packet.extend_from_slice(&self.identifier.to_be_bytes());
        packet.extend_from_slice(&sequence.to_be_bytes());
        packet.resize(8 + PAYLOAD_BYTES, b'c');
        // The kernel sums IPv6 packets, which need addresses that only it knows.
        if self.address.is_ipv4() {
            let sum = checksum(&packet);
            if let Some(field) = packet.get_mut(2..4) {
                field.copy_from_slice(&sum.to_be_bytes());
            }
        }
        packet
    }

    fn is_reply(&self, packet: &[u8], sequence: u16) -> bool {
        let packet = match (self.kind, packet.first()) {
            (SocketKind::Raw, Some(first)) if self.address.is_ipv4() => {
                packet.get(usize::from(first & 0x0f) * 4..).unwrap_or_default()
            }
            _ => packet,
        };
        let echo_reply = if self.address.is_ipv4() { 0 } else { 129 };
        let [kind, 0, _, _, id_high, id_low, high, low, ..] = packet else { return false };
        // Datagram sockets get an identifier of the kernel's, and only their own replies.
        let is_ours = self.kind == SocketKind::Datagram
            || u16::from_be_bytes([*id_high, *id_low]) == self.identifier;
        *kind == echo_reply && is_ours && u16::from_be_bytes([*high, *low]) == sequence
    }
}

/// The ones' complement of the ones' complement sum. Source: RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let word = |pair: &[u8]| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    };
    let mut sum: u32 = packet.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_with_its_checksum_sums_to_zero() {
        let mut packet = vec![8, 0, 0, 0, 0x12, 0x34, 0, 1, b'c', b'c', b'c'];
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(checksum(&packet), 0);
    }
}
