use std::fmt;
use std::future::Future;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Method;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::Call;
use super::error::{ApiError, Fault};
use super::wire::{ByteStream, DecodeError, DecodeFault, EncodeError, JsonVersion, Manner};
use super::wire::{Node, Protocol, Reply, lower_first, output_reply};

/// One AWS service: how its requests are told apart, how it refuses, and its operations.
#[derive(Debug)]
pub(super) struct Service {
    /// What it is called in messages.
    pub(super) title: &'static str,
    /// Its name in credential scopes.
    pub(super) signing_name: &'static str,
    /// Its name in audit records.
    pub(super) event_source: &'static str,
    /// What it speaks.
    pub(super) dialects: Dialects,
    /// What precedes a shape's name in the `__type` of an error.
    pub(super) error_namespace: &'static str,
    /// How it refuses an input that is not what the operation takes.
    pub(super) refuse: fn(&DecodeError) -> ApiError,
    /// What it can do.
    pub(super) operations: Vec<Operation>,
}

/// The protocols of a service.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dialects {
    /// The prefix of `X-Amz-Target` (also the RPC v2 service name), and the JSON version.
    pub(super) json: Option<(&'static str, JsonVersion)>,
    /// The `Version` of its forms, and its XML namespace.
    pub(super) query: Option<(&'static str, &'static str)>,
    /// Whether JSON and CBOR errors carry the Query protocol's codes.
    pub(super) query_compatible: bool,
}

impl Service {
    /// The operation called `name`.
    pub(super) fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    /// Its XML namespace, empty when it speaks no XML.
    pub(super) fn xml_namespace(&self) -> &'static str {
        self.dialects.query.map_or("", |(_, namespace)| namespace)
    }
}

/// Whether a call changes or reads, and whether resources or the data inside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Changes resources.
    Writes,
    /// Reads resources.
    Reads,
    /// Changes data inside a resource.
    WritesData,
    /// Reads data inside a resource.
    ReadsData,
}

/// One operation, its types erased.
pub(super) struct Operation {
    /// Its name in the service model.
    pub(super) name: &'static str,
    /// What it does to the state.
    pub(super) effect: Effect,
    /// Where it is reached in a REST service.
    pub(super) route: Option<Route>,
    /// The largest body it takes as sent, where that is less than for others.
    pub(super) sent_bytes_max: Option<usize>,
    /// The HTTP status of its success.
    pub(super) status: u16,
    run: Box<Run>,
    direct: Option<Box<Direct>>,
}

/// A call whose input is read already.
pub(super) type Ready = Box<dyn FnOnce(Call) -> Pending + Send>;
type Direct = dyn Fn(Protocol, &[u8]) -> Option<Ready> + Send + Sync;
type Run = dyn Fn(Call, Node<'_>) -> Result<Pending, DecodeError> + Send + Sync;

/// A call under way.
pub(super) type Pending = BoxFuture<'static, Result<Box<dyn Output>, ApiError>>;

/// An output that can be written in any protocol.
pub(super) trait Output: Send {
    /// Writes it.
    fn reply(self: Box<Self>, manner: Manner<'_>) -> Result<Reply, EncodeError>;
}

impl<T: Serialize + Send> Output for T {
    fn reply(self: Box<Self>, manner: Manner<'_>) -> Result<Reply, EncodeError> {
        output_reply(manner, &*self)
    }
}

/// An output without members. The Query protocol tells it from no output at all, `()`.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Empty {}

/// An output that is no structure: bytes of another content type, whole or as they are made.
#[derive(Debug)]
pub(super) struct RawOutput {
    /// What the bytes are.
    pub(super) content_type: &'static str,
    /// The bytes, when they are known.
    pub(super) bytes: Bytes,
    /// The bytes as they are made.
    pub(super) stream: Option<ByteStream>,
}

impl Output for RawOutput {
    fn reply(self: Box<Self>, _manner: Manner<'_>) -> Result<Reply, EncodeError> {
        let headers = vec![("content-type", self.content_type.to_owned())];
        Ok(Reply { status: 200, headers, body: self.bytes, stream: self.stream })
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One line of a service's table: an operation of these types.
pub(super) fn operation<I, O, F, R>(name: &'static str, effect: Effect, run: F) -> Operation
where
    I: DeserializeOwned + Send + 'static,
    O: Serialize + Send + 'static,
    F: Fn(Call, I) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<O, ApiError>> + Send + 'static,
{
    let run = move |call: Call, input: Node<'_>| -> Result<Pending, DecodeError> {
        let input = input.decode::<I>()?;
        let answer = run(call, input);
        Ok(async move { answer.await.map(|output| Box::new(output) as Box<dyn Output>) }.boxed())
    };
    let run = Box::new(run);
    Operation { name, effect, route: None, sent_bytes_max: None, status: 200, run, direct: None }
}

/// One line of a service's table: an operation that settles itself how its output is written.
pub(super) fn raw_operation<I, F, R>(name: &'static str, effect: Effect, run: F) -> Operation
where
    I: DeserializeOwned + Send + 'static,
    F: Fn(Call, I) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<Box<dyn Output>, ApiError>> + Send + 'static,
{
    let run = move |call: Call, input: Node<'_>| -> Result<Pending, DecodeError> {
        Ok(run(call, input.decode::<I>()?).boxed())
    };
    let run = Box::new(run);
    Operation { name, effect, route: None, sent_bytes_max: None, status: 200, run, direct: None }
}

impl Operation {
    /// Where a REST service has it: `POST /canary/{Name}/runs`, labels named as input members.
    pub(super) fn at(mut self, method: Method, path: &'static str) -> Self {
        self.route = Some(Route { method, path });
        self
    }

    /// The largest body it takes as sent.
    pub(super) fn sent_bytes_max(mut self, most: usize) -> Self {
        self.sent_bytes_max = Some(most);
        self
    }

    /// Answers a success with another status than 200.
    pub(super) fn answers(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Another way to read bodies, for those that come all the time: `read` takes the usual ones
    /// to the very input that `run` makes of them, and leaves all others, and every refusal, to
    /// the tree.
    pub(super) fn directly<I, O, F, R>(
        mut self,
        read: impl Fn(Protocol, &[u8]) -> Option<I> + Send + Sync + 'static,
        run: F,
    ) -> Self
    where
        I: Send + 'static,
        O: Serialize + Send + 'static,
        F: Fn(Call, I) -> R + Copy + Send + Sync + 'static,
        R: Future<Output = Result<O, ApiError>> + Send + 'static,
    {
        let direct = move |protocol: Protocol, body: &[u8]| -> Option<Ready> {
            let input = read(protocol, body)?;
            Some(Box::new(move |call| {
                let answer = run(call, input);
                let boxed = |output| Box::new(output) as Box<dyn Output>;
                async move { answer.await.map(boxed) }.boxed()
            }))
        };
        self.direct = Some(Box::new(direct));
        self
    }

    /// Reads a body without a tree, where that can be done.
    pub(super) fn read_directly(&self, protocol: Protocol, body: &[u8]) -> Option<Ready> {
        self.direct.as_ref().and_then(|direct| direct(protocol, body))
    }

    /// Starts a call.
    pub(super) fn start(&self, call: Call, input: Node<'_>) -> Result<Pending, DecodeError> {
        (self.run)(call, input)
    }
}

/// A method and a path with labels.
#[derive(Clone, Debug)]
pub(super) struct Route {
    method: Method,
    path: &'static str,
}

impl Route {
    /// The labels' values when `method` and `path` are this route.
    pub(super) fn matches(&self, method: &Method, path: &str) -> Option<Vec<(&str, String)>> {
        if *method != self.method {
            return None;
        }
        let (mut wanted, mut given) = (self.path.split('/'), path.split('/'));
        let mut labels = Vec::new();
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return Some(labels),
                (Some(wanted), Some(given)) => {
                    let label = wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
                    match label {
                        Some(_) if given.is_empty() => return None,
                        Some(name) => {
                            let value = percent_decode_str(given).decode_utf8_lossy();
                            labels.push((name, value.into_owned()));
                        }
                        None if wanted != given => return None,
                        None => {}
                    }
                }
                _ => return None,
            }
        }
    }
}

/// Refuses as AWS's request validator does: `1 validation error detected: Value ... at ...`.
///
/// Source: recorded answers of several services; the text is the same in all of them.
pub(super) fn refuse_as_validator(fault: Fault, error: &DecodeError) -> ApiError {
    let path = error.camel();
    let found = |value: &str, constraint: String| {
        format!(
            "1 validation error detected: Value {value} at '{path}' failed to satisfy \
             constraint: {constraint}"
        )
    };
    fault.because(match &error.fault {
        DecodeFault::Missing => found("null", "Member must not be null".to_owned()),
        DecodeFault::Variant { value, allowed } => found(
            &format!("'{value}'"),
            format!("Member must satisfy enum value set: [{}]", allowed.join(", ")),
        ),
        DecodeFault::Kind { expected, found: kind } => {
            format!("{kind} found where {expected} is expected at '{path}'")
        }
        DecodeFault::Refused(why) => format!("{why} at '{path}'"),
    })
}

/// Collects what an input breaks of its model's constraints, for one answer that names all.
///
/// Source: recorded answers: `N validation errors detected: Value 'V' at 'path' failed to satisfy
/// constraint: C; ...`.
#[derive(Debug, Default)]
pub(super) struct Constraints {
    broken: Vec<String>,
}

impl Constraints {
    /// Nothing broken yet.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A text's length in characters.
    pub(super) fn length(self, path: &str, value: &str, least: usize, most: usize) -> Self {
        let length = value.chars().count();
        let at_least = || format!("have length greater than or equal to {least}");
        let at_most = || format!("have length less than or equal to {most}");
        self.must((path, value), length >= least, at_least).must(
            (path, value),
            length <= most,
            at_most,
        )
    }

    /// A number's range, when it is given.
    pub(super) fn range(self, path: &str, value: Option<i64>, least: i64, most: i64) -> Self {
        let Some(value) = value else { return self };
        let shown = value.to_string();
        let at_least = || format!("have value greater than or equal to {least}");
        let at_most = || format!("have value less than or equal to {most}");
        self.must((path, &shown), value >= least, at_least).must(
            (path, &shown),
            value <= most,
            at_most,
        )
    }

    /// How many items a list holds.
    pub(super) fn count(self, path: &str, count: usize, least: usize, most: usize) -> Self {
        let shown = format!("[{count} items]");
        let at_least = || format!("have length greater than or equal to {least}");
        let at_most = || format!("have length less than or equal to {most}");
        self.must((path, &shown), count >= least, at_least).must(
            (path, &shown),
            count <= most,
            at_most,
        )
    }

    /// A regular expression that the caller checked; `pattern` is only shown.
    pub(super) fn pattern(self, path: &str, value: &str, holds: bool, pattern: &str) -> Self {
        let matches = || format!("satisfy regular expression pattern: {pattern}");
        self.must((path, value), holds, matches)
    }

    /// Refuses when anything is broken.
    pub(super) fn done(self, fault: Fault) -> Result<(), ApiError> {
        let count = self.broken.len();
        match count {
            0 => Ok(()),
            _ => {
                let errors = if count == 1 { "error" } else { "errors" };
                let all = self.broken.join("; ");
                Err(fault.because(format!("{count} validation {errors} detected: {all}")))
            }
        }
    }

    fn must(
        mut self,
        (path, value): (&str, &str),
        holds: bool,
        constraint: impl FnOnce() -> String,
    ) -> Self {
        if !holds {
            self.broken.push(format!(
                "Value '{value}' at '{}' failed to satisfy constraint: Member must {}",
                lower_first(path),
                constraint()
            ));
        }
        self
    }
}
