//! What a run may reach, decided in one place and asked at three: the URL, the address that is
//! about to be connected to, and every redirect.
//!
//! Main type: [`NetworkPolicy`]. It decides about addresses and schemes only; which secrets may be
//! sent where is [`secrets`](super::secrets)' business, and files are `files`'.

mod address;
mod destination;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use thiserror::Error;
use url::{Host, Url};

pub use address::AddressClass;
pub use destination::{Destination, DestinationError};

/// How far the author of the canaries is trusted. Chosen by the operator, never by a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// The operator's own canaries: private networks may be reached, secrets are resolved.
    #[default]
    Full,
    /// Canaries of a pull request: public addresses and listed destinations only, no secrets.
    PullRequest,
}

/// A word that is no trust level.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("trust is `full` or `pr`")]
pub struct TrustError;

impl FromStr for Trust {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, TrustError> {
        match text {
            "full" => Ok(Self::Full),
            "pr" => Ok(Self::PullRequest),
            _ => Err(TrustError),
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::PullRequest => "pr",
        })
    }
}

/// Why policy refused.
///
/// In `pr` trust there is one text for every class of address, so that the messages of a pull
/// request's run do not map the network they ran in.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PolicyError {
    /// Not a scheme that probes speak.
    #[error("scheme `{scheme}` is not allowed, only http, https, ws and wss are")]
    Scheme {
        /// The refused scheme.
        scheme: String,
    },
    /// A URL without a host.
    #[error("the URL has no host")]
    NoHost,
    /// An address that hands out the machine's own credentials.
    #[error(
        "{place} is a cloud metadata address, which is never allowed unless it is listed itself"
    )]
    Metadata {
        /// Host and port as asked for.
        place: String,
    },
    /// A redirect would carry a secret to a host it is not meant for.
    #[error("a redirect would send a secret to {host}, which is not one of its hosts")]
    SecretHost {
        /// Where it would go.
        host: String,
    },
    /// An address inside the runner's own network.
    #[error("{place} is not a public address, and is not listed with --allow-net")]
    NotPublic {
        /// Host and port as asked for.
        place: String,
    },
}

/// Decides which addresses a run may reach.
///
/// Source: the deny lists follow RFC 6890 and the metadata services of AWS, Azure, Google, Alibaba.
#[derive(Clone, Debug, Default)]
pub struct NetworkPolicy {
    trust: Trust,
    allowed: Vec<Destination>,
}

/// Names that cloud platforms answer with their metadata service.
const METADATA_NAMES: [&str; 3] =
    ["metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"];

impl NetworkPolicy {
    /// The policy of a trust level, with destinations that are allowed besides.
    pub const fn new(trust: Trust, allowed: Vec<Destination>) -> Self {
        Self { trust, allowed }
    }

    /// How far the canaries are trusted.
    pub const fn trust(&self) -> Trust {
        self.trust
    }

    /// Checks what a URL says before anything is resolved: its scheme, its host, a literal address.
    ///
    /// Shape: `url` was parsed by the WHATWG rules, so `0x7f.1` and `2130706433` are `127.0.0.1`.
    pub fn check_url(&self, url: &Url) -> Result<(), PolicyError> {
        if !matches!(url.scheme(), "http" | "https" | "ws" | "wss") {
            return Err(PolicyError::Scheme { scheme: url.scheme().to_owned() });
        }
        let port = url.port_or_known_default().unwrap_or(0);
        match url.host().ok_or(PolicyError::NoHost)? {
            Host::Domain(name) => self.check_name(name, port),
            Host::Ipv4(address) => self.check_literal(IpAddr::V4(address), port),
            Host::Ipv6(address) => self.check_literal(IpAddr::V6(address), port),
        }
    }

    /// Checks a host name, or a literal address written as one, before it is resolved.
    pub fn check_name(&self, name: &str, port: u16) -> Result<(), PolicyError> {
        if let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
            return self.check_literal(address, port);
        }
        let plain = name.trim_end_matches('.');
        let is_metadata = METADATA_NAMES.iter().any(|known| plain.eq_ignore_ascii_case(known));
        if is_metadata && !self.lists(name, port) {
            return Err(PolicyError::Metadata { place: place(name, port) });
        }
        Ok(())
    }

    /// Checks an address that `host` resolved to, right before it is connected to.
    ///
    /// A listed name may resolve to a private address; only a listed address may be a metadata one.
    pub fn check_address(&self, host: &str, address: SocketAddr) -> Result<(), PolicyError> {
        let class = AddressClass::of(address.ip());
        let port = address.port();
        let is_listed = self.lists_address(address.ip(), port)
            || (class != AddressClass::Metadata && self.lists(host, port));
        match (class, self.trust) {
            _ if is_listed => Ok(()),
            (AddressClass::Public, _) => Ok(()),
            (AddressClass::Metadata, Trust::Full) => {
                Err(PolicyError::Metadata { place: place(host, port) })
            }
            (_, Trust::Full) => Ok(()),
            (_, Trust::PullRequest) => Err(PolicyError::NotPublic { place: place(host, port) }),
        }
    }

    fn check_literal(&self, address: IpAddr, port: u16) -> Result<(), PolicyError> {
        self.check_address(&address.to_string(), SocketAddr::new(address, port))
    }

    fn lists(&self, host: &str, port: u16) -> bool {
        self.allowed.iter().any(|destination| destination.covers(host, port))
    }

    fn lists_address(&self, address: IpAddr, port: u16) -> bool {
        self.allowed.iter().any(|destination| destination.covers_address(address, port))
    }
}

fn place(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(trust: Trust, allowed: &[&str]) -> NetworkPolicy {
        NetworkPolicy::new(trust, allowed.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn refuses(policy: &NetworkPolicy, url: &str) -> bool {
        // A spelling that is no URL at all reaches nothing either.
        Url::parse(url).map_or(true, |url| policy.check_url(&url).is_err())
    }

    /// Every way known to write an address that must not be reached.
    const SPELLINGS: &[&str] = &[
        "http://127.0.0.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0x7F.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "http://127.255.255.254/",
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b:1::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:53aa:64c:0:0:80ff:fffe]/",
        "http://0/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://10.0.0.1/",
        "http://167772161/",
        "http://0xa000001/",
        "http://012.0.0.1/",
        "http://172.16.0.1/",
        "http://172.31.255.255/",
        "http://192.168.1.1/",
        "http://3232235777/",
        "http://100.64.0.1/",
        "http://100.127.255.254/",
        "http://192.0.0.1/",
        "http://198.18.0.1/",
        "http://224.0.0.1/",
        "http://239.255.255.250/",
        "http://240.0.0.1/",
        "http://255.255.255.255/",
        "http://[fc00::1]/",
        "http://[fd12:3456::1]/",
        "http://[fe80::1]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::ffff:c0a8:101]/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://user@127.0.0.1/",
        "http://example.com@127.0.0.1/",
        "http:\\\\127.0.0.1/",
        "http:127.0.0.1/",
        "http:///127.0.0.1/",
        "https://127.0.0.1:8443/",
        "ws://127.0.0.1/",
        "wss://[::1]/",
        "http://127.0.0.1:0/",
        "file:///etc/passwd",
        "view-source:http://127.0.0.1/",
        "gopher://127.0.0.1:6379/_INFO",
        "ftp://127.0.0.1/",
        "data:text/plain,hello",
        "chrome://version",
        "javascript:alert(1)",
    ];

    const METADATA: &[&str] = &[
        "http://169.254.169.254/latest/meta-data/",
        "http://169.254.170.2/v2/credentials",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0xa9.0xfe.0xa9.0xfe/",
        "http://0251.0376.0251.0376/",
        "http://169.16689662/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[::a9fe:a9fe]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::]/",
        "http://[fd00:ec2::254]/",
        "http://[fd20:ce::254]/",
        "http://168.63.129.16/",
        "http://100.100.100.200/",
        "http://metadata.google.internal/",
        "http://METADATA.google.internal./",
        "http://169.254.169.254.:80/",
    ];

    #[test]
    fn a_pull_request_reaches_no_inside_address_however_it_is_written() {
        let policy = policy(Trust::PullRequest, &["localhost:3000"]);
        for url in SPELLINGS.iter().chain(METADATA) {
            assert!(refuses(&policy, url), "{url} was let through");
        }
        for url in ["http://93.184.216.34/", "https://[2606:2800:220:1::1]/", "https://e.example/"]
        {
            assert!(!refuses(&policy, url), "{url} was refused");
        }
    }

    #[test]
    fn full_trust_reaches_the_private_network_but_no_metadata_service() {
        let policy = policy(Trust::Full, &[]);
        for url in METADATA {
            assert!(refuses(&policy, url), "{url} was let through");
        }
        for url in ["http://127.0.0.1/", "http://10.0.0.1/", "http://[fe80::1]/"] {
            assert!(!refuses(&policy, url), "{url} was refused");
        }
    }

    #[test]
    fn a_listed_name_may_be_private_but_not_a_metadata_address() {
        let policy = policy(Trust::PullRequest, &["preview.test:8080", "localhost"]);
        let private = "10.1.2.3:8080".parse().unwrap();
        let metadata = "169.254.169.254:8080".parse().unwrap();
        assert_eq!(policy.check_address("preview.test", private), Ok(()));
        assert_eq!(policy.check_address("PREVIEW.test.", private), Ok(()));
        assert!(policy.check_address("preview.test", metadata).is_err());
        assert!(policy.check_address("other.test", private).is_err());
        assert!(policy.check_address("preview.test", "10.1.2.3:81".parse().unwrap()).is_err());
        assert_eq!(policy.check_address("localhost", "[::1]:9".parse().unwrap()), Ok(()));
    }

    #[test]
    fn a_metadata_address_is_reached_only_when_it_is_listed_itself() {
        let policy = policy(Trust::Full, &["169.254.169.254:80"]);
        assert!(!refuses(&policy, "http://169.254.169.254/"));
        assert!(refuses(&policy, "http://169.254.169.254:81/"));
        assert!(refuses(&policy, "http://169.254.170.2/"));
    }

    #[test]
    fn a_refusal_to_a_pull_request_does_not_tell_what_the_address_is() {
        let policy = policy(Trust::PullRequest, &[]);
        let text = |address: &str| {
            policy.check_address("host", address.parse().unwrap()).unwrap_err().to_string()
        };
        assert_eq!(text("10.0.0.1:80"), text("169.254.169.254:80"));
        assert_eq!(
            text("127.0.0.1:80"),
            "host:80 is not a public address, and is not listed with --allow-net"
        );
    }
}
