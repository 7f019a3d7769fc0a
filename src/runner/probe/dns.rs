//! Name look-ups, asked of a resolver directly.
//!
//! One question over UDP or TCP, so that the time, the flags and the resolver's own words are seen;
//! a stub resolver would hide them behind its cache and its retries.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::error::{ProbeError, ProbeErrorKind, TransferFault, io_fault};
use super::network::Network;
use super::trail::Trail;
use crate::canary::observation::{DnsAnswer, Phase};
use crate::time::Deadline;

const PORT: u16 = 53;
/// A datagram may be lost; the question is asked again after this long.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// The largest datagram that is read. Larger answers come truncated and are asked for over TCP.
const DATAGRAM_BYTES_MAX: usize = 4096;

/// One look-up.
#[derive(Clone, Debug)]
pub struct DnsRequest {
    /// What is asked about; an address asks for its name.
    pub name: String,
    /// `A`, `MX`; a type that the record library knows.
    pub record_type: String,
    /// Who is asked; the system's first resolver unless given.
    pub resolver: Option<SocketAddr>,
    /// Over TCP from the start.
    pub tcp: bool,
}

impl Network {
    /// Asks a resolver one question.
    ///
    /// Errors: `Resolve` for a name or type that cannot be asked about or a system without a
    /// resolver; `Transfer` for nonsense; `Connect`, `Timeout`, `Policy`.
    /// Cancel safety: dropping it closes the socket.
    pub async fn dns(
        &self,
        request: &DnsRequest,
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<DnsAnswer, ProbeError> {
        trail.next_hop(request.name.clone());
        trail.enter(Phase::Wait);
        let question = question(request).map_err(|reason| {
            trail.fail(ProbeErrorKind::Resolve { host: request.name.clone(), reason })
        })?;
        let resolver = match request.resolver {
            Some(address) => {
                let checked = self.policy.check_address(&address.ip().to_string(), address);
                checked.map_err(|error| trail.fail(ProbeErrorKind::Policy(error)))?;
                address
            }
            None => system_resolver().map_err(|reason| {
                trail.fail(ProbeErrorKind::Resolve { host: request.name.clone(), reason })
            })?,
        };
        trail.place = resolver.to_string();
        trail.remote = Some(resolver);
        trail.enter(Phase::Wait);
        let mut answer = None;
        if !request.tcp {
            answer = Some(self.ask_by_datagram(&question, resolver, (trail, deadline)).await?);
        }
        let answer = match answer {
            Some(answer) if !answer.metadata.truncation => answer,
            _ => self.ask_by_stream(&question, resolver, (trail, deadline)).await?,
        };
        trail.leave();
        Ok(read(&question, &answer, resolver))
    }

    async fn ask_by_datagram(
        &self,
        question: &Message,
        resolver: SocketAddr,
        (trail, deadline): (&mut Trail, Deadline),
    ) -> Result<Message, ProbeError> {
        let asking = async {
            let any: SocketAddr = match resolver {
                SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
                SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
            };
            let socket = UdpSocket::bind(any).await?;
            // Connected: the kernel drops what others send.
            socket.connect(resolver).await?;
            let bytes = question.to_vec().map_err(io::Error::other)?;
            let mut again = tokio::time::interval(ASK_AGAIN);
            let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
            loop {
                tokio::select! {
                    _ = again.tick() => { socket.send(&bytes).await?; }
                    received = socket.recv(&mut datagram) => {
                        let datagram = datagram.get(..received?).unwrap_or_default();
                        // Anything but the answer to this question is passed over, as a forged
                        // datagram must be.
                        if let Some(answer) = matching(datagram, question) {
                            return Ok(answer);
                        }
                    }
                }
            }
        };
        match deadline.bound(asking).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(source)) => {
                let place = resolver.to_string();
                Err(trail.fail(ProbeErrorKind::Connect { place, source }))
            }
            Err(_passed) => Err(trail.timed_out()),
        }
    }

    async fn ask_by_stream(
        &self,
        question: &Message,
        resolver: SocketAddr,
        (trail, deadline): (&mut Trail, Deadline),
    ) -> Result<Message, ProbeError> {
        trail.enter(Phase::Connect);
        let limit = trail.tighten(deadline, self.limits.connect);
        let mut stream = match limit.bound(TcpStream::connect(resolver)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(source)) => {
                let place = resolver.to_string();
                return Err(trail.fail(ProbeErrorKind::Connect { place, source }));
            }
            Err(_passed) => return Err(trail.timed_out()),
        };
        trail.leave();
        trail.enter(Phase::Wait);
        let asking = async {
            let bytes = question.to_vec().map_err(io::Error::other)?;
            let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
            stream.write_all(&[&length.to_be_bytes()[..], &bytes].concat()).await?;
            let mut answer = vec![0; usize::from(stream.read_u16().await?)];
            stream.read_exact(&mut answer).await?;
            io::Result::Ok(answer)
        };
        let fault = match deadline.bound(asking).await {
            Ok(Ok(bytes)) => match matching(&bytes, question) {
                Some(answer) => return Ok(answer),
                None => TransferFault::Malformed { protocol: "DNS", beginning: String::new() },
            },
            Ok(Err(error)) => io_fault(&error, 0),
            Err(_passed) => return Err(trail.timed_out()),
        };
        trail.leave();
        Err(ProbeError::transfer(Phase::Wait, &trail.place, fault))
    }
}

fn question(request: &DnsRequest) -> Result<Message, String> {
    let record_type: RecordType = request
        .record_type
        .parse()
        .map_err(|_unknown| format!("`{}` is no type of record", request.record_type))?;
    let name = match request.name.parse::<IpAddr>() {
        Ok(address) if record_type == RecordType::PTR => Name::from(address),
        _ => {
            let mut name = Name::from_utf8(&request.name)
                .map_err(|error| format!("it cannot be asked about: {error}"))?;
            // Absolute: the search list of this machine is no business of the canary.
            name.set_fqdn(true);
            name
        }
    };
    let mut message = Message::new(fastrand::u16(..), MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, record_type));
    Ok(message)
}

fn system_resolver() -> Result<SocketAddr, String> {
    let (config, _options) = hickory_resolver::system_conf::read_system_conf()
        .map_err(|error| format!("this machine's resolver is not known: {error}"))?;
    let first = config.name_servers().first();
    let first = first.ok_or("this machine has no resolver")?;
    Ok(SocketAddr::new(first.ip, PORT))
}

/// The answer, if it is one to this question.
fn matching(bytes: &[u8], question: &Message) -> Option<Message> {
    let answer = Message::from_vec(bytes).ok()?;
    let is_answer = answer.metadata.message_type == MessageType::Response
        && answer.metadata.id == question.metadata.id;
    // A refusal may come without the question.
    let is_same = answer.queries.is_empty() || answer.queries == question.queries;
    (is_answer && is_same).then_some(answer)
}

fn read(question: &Message, answer: &Message, resolver: SocketAddr) -> DnsAnswer {
    let wanted = question.queries.first().map(Query::query_type);
    let records = answer
        .answers
        .iter()
        .filter(|record| Some(record.record_type()) == wanted)
        .map(|record| (shown(record.record_type(), record.data.to_string()), record.ttl));
    DnsAnswer {
        response_code: code(answer.metadata.response_code),
        records: records.collect(),
        authoritative: answer.metadata.authoritative,
        resolver: Some(resolver),
    }
}

/// A record as people write it: names without the dot of the root at their end.
fn shown(record_type: RecordType, record: String) -> String {
    use RecordType::{CNAME, MX, NS, PTR, SOA, SRV};
    if !matches!(record_type, CNAME | MX | NS | PTR | SOA | SRV) {
        return record;
    }
    let word = |word: &str| match word.strip_suffix('.') {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => word.to_owned(),
    };
    record.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The code's name as every other tool writes it.
fn code(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        other => format!("RCODE{}", u16::from(other)),
    }
}
