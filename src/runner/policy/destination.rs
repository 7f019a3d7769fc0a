use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;
use url::Host;

/// A place that is allowed by name: `localhost:3000`, `10.0.0.5`, `[::1]:8080`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    host: Host<String>,
    port: Option<u16>,
}

/// A text that names no destination.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a destination is HOST or HOST:PORT; IPv6 addresses stand in brackets")]
pub struct DestinationError;

impl Destination {
    /// Whether `host`, a name or a literal address, and `port` are meant.
    pub fn covers(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|own| own != port) {
            return false;
        }
        match &self.host {
            Host::Domain(name) => host.trim_end_matches('.').eq_ignore_ascii_case(name),
            Host::Ipv4(own) => host.parse().is_ok_and(|other: IpAddr| IpAddr::V4(*own) == other),
            Host::Ipv6(own) => host
                .trim_matches(['[', ']'])
                .parse()
                .is_ok_and(|other: IpAddr| IpAddr::V6(*own) == other),
        }
    }

    /// Whether this very address and port are meant.
    pub fn covers_address(&self, address: IpAddr, port: u16) -> bool {
        let is_host = match &self.host {
            Host::Domain(_) => false,
            Host::Ipv4(own) => IpAddr::V4(*own) == address,
            Host::Ipv6(own) => IpAddr::V6(*own) == address,
        };
        is_host && self.port.is_none_or(|own| own == port)
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().map_err(|_not_a_port| DestinationError)?))
            }
            _ => (text, None),
        };
        let host = Host::parse(host.trim_end_matches('.')).map_err(|_no_host| DestinationError)?;
        Ok(Self { host, port })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_ports_are_read_and_nonsense_is_refused() {
        for text in ["localhost:3000", "LOCALHOST", "10.0.0.5", "[::1]:8080", "[::1]"] {
            assert!(text.parse::<Destination>().is_ok(), "{text}");
        }
        for text in ["", ":80", "host:port", "host:70000", "a b", "::1:80:x"] {
            assert_eq!(text.parse::<Destination>(), Err(DestinationError), "{text}");
        }
    }

    #[test]
    fn a_destination_without_a_port_covers_every_port() {
        let any: Destination = "LocalHost".parse().unwrap();
        assert!(any.covers("localhost", 1) && any.covers("LOCALHOST.", 65_535));
        let one: Destination = "[::1]:80".parse().unwrap();
        assert!(one.covers("[::1]", 80) && one.covers("::1", 80) && !one.covers("::1", 81));
    }
}
