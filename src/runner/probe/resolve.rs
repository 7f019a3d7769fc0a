use std::io;
use std::net::{IpAddr, SocketAddr};

use super::error::{ProbeError, ProbeErrorKind};
use super::network::Network;
use super::trail::Trail;
use crate::canary::observation::Phase;
use crate::time::Deadline;

/// Addresses tried at most, however many a name has.
const ADDRESSES_MAX: usize = 8;

impl Network {
    /// The addresses of a host, each allowed by policy, in the resolver's order.
    ///
    /// A literal address is not looked up and its phase stays absent. When policy refuses one
    /// address the whole name is refused: a name that points both outside and inside is an attack.
    /// Errors: `Resolve`, `Policy`, `Timeout`.
    /// Cancel safety: yes; the system's look-up may go on in its thread, its answer is dropped.
    pub(super) async fn resolve(
        &self,
        host: &str,
        port: u16,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<Vec<SocketAddr>, ProbeError> {
        let refused = |trail: &mut Trail, error| trail.fail(ProbeErrorKind::Policy(error));
        trail.enter(Phase::Resolve);
        self.policy.check_name(host, port).map_err(|error| refused(trail, error))?;
        if let Ok(literal) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(literal, port)]);
        }
        let look_up = tokio::net::lookup_host((host, port));
        let limit = trail.tighten(deadline, self.limits.resolve);
        let found = match limit.bound(look_up).await {
            Err(_passed) => return Err(trail.timed_out()),
            Ok(Err(error)) => {
                let reason = resolver_text(&error);
                return Err(trail.fail(ProbeErrorKind::Resolve { host: host.to_owned(), reason }));
            }
            Ok(Ok(found)) => found,
        };
        trail.leave();
        let mut addresses: Vec<SocketAddr> = found.collect();
        for address in &addresses {
            self.policy.check_address(host, *address).map_err(|error| refused(trail, error))?;
        }
        addresses.truncate(ADDRESSES_MAX);
        if addresses.is_empty() {
            let reason = "it has no address".to_owned();
            return Err(trail.fail(ProbeErrorKind::Resolve { host: host.to_owned(), reason }));
        }
        Ok(addresses)
    }
}

fn resolver_text(error: &io::Error) -> String {
    let text = error.to_string();
    let plain = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    plain.to_lowercase()
}
