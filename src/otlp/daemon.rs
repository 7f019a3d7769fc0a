//! The X-Ray daemon: segments in datagrams.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::query::trace::read_document;
use crate::store::Store;
use crate::task::TaskGroup;
use crate::telemetry::{
    Dimensions, MetricBatch, MetricDatum, Scope, StandardUnit, TelemetryBatch, TraceSegment,
};
use crate::time::Clock;

/// The largest datagram.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;
/// BOUND: so many documents wait for the store; the next is dropped and counted.
const DOCUMENTS_WAITING_MAX: usize = 4096;
/// Documents of one append.
const BATCH_MAX: usize = 256;
/// How often a busy store is asked again, and how long it is waited for in between.
const TRIES: u32 = 20;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How often the counts become metrics.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// What the kernel may hold while this process is busy elsewhere.
const SOCKET_BYTES: usize = 4 * 1024 * 1024;

/// A socket that takes segments as the X-Ray daemon does, and never sends a byte.
///
/// Source: X-Ray Developer Guide, "Sending trace data to X-Ray": a header line, then a document.
#[derive(Debug)]
pub struct XrayDaemon {
    socket: UdpSocket,
    address: SocketAddr,
}

/// Why there is no daemon.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// Anyone who can send a datagram is believed.
    #[error("{0} can be reached from other machines, and datagrams carry no signature")]
    Exposed(SocketAddr),
    /// The address is taken, or none of this machine's.
    #[error("cannot listen on udp {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What came in: `received` is the sum of the other three, once nothing waits.
#[derive(Debug, Default)]
struct Counts {
    received: AtomicU64,
    accepted: AtomicU64,
    rejected: AtomicU64,
    dropped: AtomicU64,
}

impl XrayDaemon {
    /// Listens; port 0 takes any free one.
    pub fn bind(address: SocketAddr) -> Result<Self, DaemonError> {
        if !address.ip().is_loopback() {
            return Err(DaemonError::Exposed(address));
        }
        let fault = |source| DaemonError::Bind { address, source };
        let open = || -> io::Result<(UdpSocket, SocketAddr)> {
            let domain = socket2::Domain::for_address(address);
            let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None)?;
            // The kernel gives what it may.
            socket.set_recv_buffer_size(SOCKET_BYTES)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            let socket = UdpSocket::from_std(socket.into())?;
            let address = socket.local_addr()?;
            Ok((socket, address))
        };
        let (socket, address) = open().map_err(fault)?;
        Ok(Self { socket, address })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes segments until the group is stopped; what came before is kept.
    pub fn start(self, store: Store, clock: Arc<dyn Clock>, tasks: &TaskGroup) {
        let (queue, documents) = mpsc::channel(DOCUMENTS_WAITING_MAX);
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        let socket = self.socket;
        tasks.spawn("x-ray datagrams", |stop| async move {
            receive(&socket, &queue, &counted, stop).await;
        });
        tasks.spawn("x-ray segments", |_ends_with_the_queue| async move {
            Keeper { store, clock, counts }.run(documents).await;
        });
    }
}

async fn receive(
    socket: &UdpSocket,
    queue: &mpsc::Sender<Arc<str>>,
    counts: &Counts,
    stop: CancellationToken,
) {
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let received = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            received = socket.recv(&mut datagram) => received,
        };
        let length = match received {
            Ok(length) => length,
            Err(error) => {
                tracing::debug!(%error, "datagram could not be received");
                continue;
            }
        };
        count(&counts.received, 1);
        match document(datagram.get(..length).unwrap_or_default()) {
            None => count(&counts.rejected, 1),
            Some(document) => {
                if queue.try_send(document.into()).is_err() {
                    count(&counts.dropped, 1);
                }
            }
        }
    }
}

/// The document of a datagram whose header line is right.
///
/// Source: the reference daemon: split at the first newline; keys and the value in any case.
fn document(datagram: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(datagram).ok()?;
    let (header, body) = text.split_once('\n')?;
    let header: Value = serde_json::from_str(header).ok()?;
    let member = |name: &str| {
        let members = header.as_object()?;
        members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let is_json = member("format")?.as_str()?.eq_ignore_ascii_case("json");
    let is_first = member("version")?.as_i64() == Some(1);
    (is_json && is_first && !body.trim().is_empty()).then_some(body)
}

struct Keeper {
    store: Store,
    clock: Arc<dyn Clock>,
    counts: Arc<Counts>,
}

impl Keeper {
    async fn run(self, mut documents: mpsc::Receiver<Arc<str>>) {
        let mut tell = tokio::time::interval(TELL_EVERY);
        tell.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut told = [0; 4];
        let mut waiting = Vec::with_capacity(BATCH_MAX);
        loop {
            let count = tokio::select! {
                count = documents.recv_many(&mut waiting, BATCH_MAX) => count,
                _ = tell.tick() => {
                    self.tell(&mut told).await;
                    continue;
                }
            };
            if count == 0 {
                return self.tell(&mut told).await;
            }
            self.keep(&mut waiting).await;
        }
    }

    async fn keep(&self, documents: &mut Vec<Arc<str>>) {
        let sent = documents.len();
        let traces: Vec<TraceSegment> =
            documents.drain(..).filter_map(|document| read_document(document).ok()).collect();
        let valid = traces.len();
        count(&self.counts.rejected, sent - valid);
        if traces.is_empty() {
            return;
        }
        let batch = TelemetryBatch { traces, ..TelemetryBatch::new(Scope::default()) };
        for _ in 0..TRIES {
            match self.store.append(batch.clone()).await {
                Ok(_) => return count(&self.counts.accepted, valid),
                Err(error) => tracing::debug!(%error, "segments could not be kept yet"),
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
        tracing::warn!(segments = valid, "segments were dropped, because the store is busy");
        count(&self.counts.dropped, valid);
    }

    /// Keeps what was counted since the last time as metrics, named as the daemon's own telemetry.
    async fn tell(&self, told: &mut [u64; 4]) {
        let counts = &self.counts;
        let now = [&counts.received, &counts.accepted, &counts.dropped, &counts.rejected]
            .map(|count| count.load(Ordering::Relaxed));
        let names = [
            "SegmentsReceivedCount",
            "SegmentsSentCount",
            "SegmentsSpilloverCount",
            "SegmentsRejectedCount",
        ];
        if now == *told {
            return;
        }
        let at = self.clock.now();
        let counted = names.into_iter().zip(now.into_iter().zip(*told));
        let datum = |(name, (now, told)): (&str, (u64, u64))| {
            let change = u32::try_from(now.saturating_sub(told)).unwrap_or(u32::MAX);
            let value = (f64::from(change), StandardUnit::Count);
            MetricDatum::sample(name, Dimensions::none(), at, value)
        };
        let data = counted.map(datum).collect();
        let mut batch = TelemetryBatch::new(Scope::default());
        batch.metrics.push(MetricBatch { namespace: "AWS/X-Ray".into(), data });
        match self.store.append(batch).await {
            Ok(_) => *told = now,
            Err(error) => tracing::debug!(%error, "counts could not be kept yet"),
        }
    }
}

fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_line_in_any_case_and_spacing_is_read_and_others_are_not() {
        for (datagram, expected) in [
            ("{\"format\": \"json\", \"version\": 1}\n{}", Some("{}")),
            ("{\"format\":\"json\",\"version\":1}\n{\n\"a\": 1\n}", Some("{\n\"a\": 1\n}")),
            ("{\"Format\": \"JSON\", \"VERSION\": 1}\nx", Some("x")),
            ("{\"format\": \"json\", \"version\": 2}\n{}", None),
            ("{\"format\": \"xml\", \"version\": 1}\n{}", None),
            ("{\"format\": \"json\"}\n{}", None),
            ("{\"format\": \"json\", \"version\": 1}", None),
            ("{\"format\": \"json\", \"version\": 1}\n", None),
            ("nonsense\n{}", None),
            ("", None),
        ] {
            assert_eq!(document(datagram.as_bytes()), expected, "{datagram}");
        }
        assert_eq!(document(b"{\"format\": \"json\", \"version\": 1}\n\xff"), None);
    }
}
