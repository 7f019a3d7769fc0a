//! Messages of Protocol Buffers that are known only when a canary runs.
//!
//! Main type: [`Descriptors`], from a server's reflection or a compiled file.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, SerializeOptions};
use serde_json::Value;
use thiserror::Error;

use super::error::ProbeError;
use super::grpc::{self, UnaryAnswer};
use super::http::{HttpRequest, HttpSession};
use super::trail::Trail;
use crate::time::Deadline;

/// BOUND: of files that a server's description is made of.
const FILES_MAX: usize = 256;

const REFLECTION: [&str; 2] = [
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The code of a method that a server does not know.
const UNIMPLEMENTED: i32 = 12;

/// Why a method cannot be called: what the canary says does not fit what is described.
#[derive(Debug, Error)]
pub(crate) enum DescribeError {
    #[error("the server does not describe itself; give a file of `descriptors`")]
    NoReflection,
    #[error("the server does not describe `{symbol}`: {reason}")]
    Unknown { symbol: String, reason: String },
    #[error("the descriptors cannot be used: {reason}")]
    Invalid { reason: String },
    #[error("there is no method `{method}`")]
    NoMethod { method: String },
    #[error("`{method}` streams; only unary methods can be called")]
    Streams { method: String },
    #[error("the message is no {message}: {reason}")]
    Message { message: String, reason: String },
}

/// What is known of the methods of a server.
#[derive(Debug)]
pub(crate) struct Descriptors {
    pool: DescriptorPool,
}

/// Source: grpc/reflection/v1/reflection.proto; the fields that are used.
#[derive(Clone, PartialEq, Eq, Message)]
struct ReflectionRequest {
    #[prost(string, optional, tag = "3")]
    file_by_filename: Option<String>,
    #[prost(string, optional, tag = "4")]
    file_containing_symbol: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct ReflectionResponse {
    #[prost(message, optional, tag = "4")]
    files: Option<FileDescriptorResponse>,
    #[prost(message, optional, tag = "7")]
    error: Option<ErrorResponse>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct FileDescriptorResponse {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file_descriptor_proto: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct ErrorResponse {
    #[prost(string, tag = "2")]
    error_message: String,
}

impl Descriptors {
    /// Reads a `FileDescriptorSet`, as `protoc --include_imports --descriptor_set_out` writes it.
    ///
    /// Errors: `Invalid`.
    pub(crate) fn of_file(bytes: &[u8]) -> Result<Self, DescribeError> {
        let pool = DescriptorPool::decode(bytes);
        let pool = pool.map_err(|error| DescribeError::Invalid { reason: error.to_string() })?;
        Ok(Self { pool })
    }

    /// Asks a server for what describes a method, file by file.
    ///
    /// Errors: outside, that there was no answer; inside, that it does not describe the method.
    pub(crate) async fn of_server(
        session: &mut HttpSession,
        (request, method): (&HttpRequest, &str),
        trail: &mut Trail,
        deadline: Deadline,
    ) -> Result<Result<Self, DescribeError>, ProbeError> {
        let symbol = method.split('/').next().unwrap_or(method).to_owned();
        let mut files: BTreeMap<String, FileDescriptorProto> = BTreeMap::new();
        let mut asked: BTreeSet<String> = BTreeSet::new();
        let mut next = ReflectionRequest {
            file_containing_symbol: Some(symbol.clone()),
            ..ReflectionRequest::default()
        };
        let mut service = None;
        while asked.len() < FILES_MAX {
            let message = next.encode_to_vec();
            let sent = (request, &message[..]);
            let answered = reflect(session, sent, &mut service, (trail, deadline)).await?;
            let Some(answer) = answered else { return Ok(Err(DescribeError::NoReflection)) };
            match described(&answer) {
                Ok(more) => {
                    files.extend(more.into_iter().map(|file| (file.name().to_owned(), file)))
                }
                Err(reason) => return Ok(Err(DescribeError::Unknown { symbol, reason })),
            }
            let missing = files.values().flat_map(|file| &file.dependency);
            let mut missing = missing.filter(|name| !files.contains_key(*name));
            match missing.find(|name| !asked.contains(*name)).cloned() {
                None => break,
                Some(name) => {
                    asked.insert(name.clone());
                    next = ReflectionRequest {
                        file_by_filename: Some(name),
                        ..ReflectionRequest::default()
                    };
                }
            }
        }
        let mut pool = DescriptorPool::new();
        let added = pool.add_file_descriptor_protos(files.into_values());
        Ok(match added {
            Ok(()) => Ok(Self { pool }),
            Err(error) => Err(DescribeError::Invalid { reason: error.to_string() }),
        })
    }

    /// A unary method by its path, `package.Service/Method`.
    ///
    /// Errors: `NoMethod`, `Streams`.
    pub(crate) fn method(&self, path: &str) -> Result<MethodDescriptor, DescribeError> {
        let named = |path: &str| path.to_owned();
        let found = path.split_once('/').and_then(|(service, method)| {
            let service = self.pool.get_service_by_name(service)?;
            service.methods().find(|each| each.name() == method)
        });
        let found = found.ok_or_else(|| DescribeError::NoMethod { method: named(path) })?;
        if found.is_client_streaming() || found.is_server_streaming() {
            return Err(DescribeError::Streams { method: named(path) });
        }
        Ok(found)
    }
}

/// One question to the reflection service, of whichever version the server has; `None` when it has
/// neither.
async fn reflect(
    session: &mut HttpSession,
    (request, message): (&HttpRequest, &[u8]),
    service: &mut Option<&'static str>,
    (trail, deadline): (&mut Trail, Deadline),
) -> Result<Option<UnaryAnswer>, ProbeError> {
    for version in REFLECTION {
        if service.is_some_and(|known| known != version) {
            continue;
        }
        let sent = (request.clone(), version, message);
        let answer = grpc::unary(session, sent, trail, deadline).await?;
        if answer.status != UNIMPLEMENTED {
            *service = Some(version);
            return Ok(Some(answer));
        }
    }
    Ok(None)
}

fn described(answer: &UnaryAnswer) -> Result<Vec<FileDescriptorProto>, String> {
    let bytes = match &answer.message_bytes {
        Some(bytes) => bytes,
        None => return Err(format!("status {} {}", answer.status, answer.message)),
    };
    let response = ReflectionResponse::decode(&bytes[..])
        .map_err(|_broken| "its answer is broken".to_owned())?;
    if let Some(error) = response.error {
        return Err(error.error_message);
    }
    let files = response.files.unwrap_or_default().file_descriptor_proto;
    let files = files.iter().map(|file| FileDescriptorProto::decode(&file[..]));
    files.collect::<Result<_, _>>().map_err(|_broken| "its answer is broken".to_owned())
}

/// The bytes of a method's request message, from the JSON of Protocol Buffers.
///
/// Errors: `Message`, with the field that does not fit.
pub(crate) fn encoded(method: &MethodDescriptor, value: &Value) -> Result<Vec<u8>, DescribeError> {
    let input = method.input();
    let name = input.full_name().to_owned();
    let message = DynamicMessage::deserialize(input, value);
    let message = message
        .map_err(|error| DescribeError::Message { message: name, reason: error.to_string() })?;
    Ok(message.encode_to_vec())
}

/// A method's answer as JSON. Fields of their default are there too, so that one can assert on a
/// zero.
pub(crate) fn decoded(method: &MethodDescriptor, bytes: &[u8]) -> Option<Value> {
    let message = DynamicMessage::decode(method.output(), bytes).ok()?;
    let options = SerializeOptions::new().skip_default_fields(false);
    message.serialize_with_options(serde_json::value::Serializer, &options).ok()
}
