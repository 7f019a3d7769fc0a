//! gRPC steps: a health check, or a unary call whose messages are described by the server or a
//! file.

use bytes::Bytes;
use prost_reflect::MethodDescriptor;
use serde_json::Value;

use super::body::{self, FileSource};
use super::probes::{asked, seen};
use super::rendering::Rendering;
use crate::canary::action::{GrpcAction, GrpcCall};
use crate::canary::definition::Step;
use crate::canary::observation::{Answer, Observation};
use crate::canary::report::{Failure, Verdict};
use crate::canary::template::{TemplateValue, Text};
use crate::runner::attempt::Attempt;
use crate::runner::exchange::{self, Asked};
use crate::runner::fault;
use crate::runner::probe::http::{HttpRequest, HttpRequestError};
use crate::runner::probe::protobuf::{self, DescribeError, Descriptors};
use crate::runner::probe::{ProbeError, grpc};
use crate::runner::step::StepRecord;
use crate::time::Deadline;

/// A unary call whose templates were rendered.
struct Unary<'a> {
    method: &'a str,
    message: Value,
    descriptors: Option<Bytes>,
}

impl Attempt {
    pub(super) async fn grpc(
        &mut self,
        step: &Step,
        action: &GrpcAction,
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<Observation, Box<Failure>> {
        let folder = self.run.canary.folder.clone();
        let bytes_max = self.run.parts.settings.limits.file_bytes_max;
        let rendering = &mut Rendering::new(step, &self.scope);
        let request = request(action, rendering)?;
        let host = request.url.host_str().unwrap_or_default().to_owned();
        match &action.call {
            GrpcCall::Health { service } => {
                let service = rendering.plain(service)?;
                self.hold_to_hosts(rendering, &host)?;
                let asked = asked("gRPC", request.url.to_string());
                let mut trail = self.trail();
                let call = (request, service.as_str());
                let answer = grpc::health(&mut self.session, call, &mut trail, deadline).await;
                seen(record, asked, trail, answer)
            }
            GrpcCall::Unary { method, message, descriptors } => {
                let source = FileSource { folder: &folder, bytes_max };
                let call = (&**method, message, descriptors.as_ref());
                let call = unary(call, rendering, source).await?;
                self.hold_to_hosts(rendering, &host)?;
                self.unary(step, (request, call), record, deadline).await
            }
        }
    }

    async fn unary(
        &mut self,
        step: &Step,
        (request, call): (HttpRequest, Unary<'_>),
        record: &mut StepRecord,
        deadline: Deadline,
    ) -> Result<Observation, Box<Failure>> {
        let broken = |error: &DescribeError| {
            let mut failure = fault::failure(Verdict::Canary, error.to_string());
            failure.location = Some(step.locate(step.span));
            Box::new(failure)
        };
        let method = match &call.descriptors {
            Some(file) => Descriptors::of_file(file).and_then(|known| known.method(call.method)),
            None => self.reflected(&request, call.method, (record, deadline)).await?,
        };
        let method = method.map_err(|error| broken(&error))?;
        let message = protobuf::encoded(&method, &call.message).map_err(|error| broken(&error))?;
        let asked = asked_for(&request, call.method);
        let mut trail = self.trail();
        let sent = (request, call.method, &message[..]);
        let answer = grpc::unary(&mut self.session, sent, &mut trail, deadline).await;
        let answer = answer.and_then(|answer| decoded(answer, &method, &trail.place));
        seen(record, asked, trail, answer)
    }

    /// What the server says of a method. Its questions are exchanges of their own, so that the
    /// latency of the step's call is that of the call.
    async fn reflected(
        &mut self,
        request: &HttpRequest,
        method: &str,
        (record, deadline): (&mut StepRecord, Deadline),
    ) -> Result<Result<MethodDescriptor, DescribeError>, Box<Failure>> {
        let asked = asked_for(request, "grpc.reflection");
        let mut trail = self.trail();
        let described =
            Descriptors::of_server(&mut self.session, (request, method), &mut trail, deadline)
                .await;
        match described {
            Ok(described) => {
                let answer = Answer::Grpc { status: 0, message: String::new(), body: None };
                let seen = trail.into_observation(answer);
                record.exchanges.push(exchange::answered(asked, &seen));
                Ok(described.and_then(|known| known.method(method)))
            }
            Err(error) => {
                record.exchanges.push(exchange::unanswered(asked, &trail, &error));
                Err(Box::new(fault::no_answer(&error)))
            }
        }
    }
}

fn asked_for(request: &HttpRequest, what: &str) -> Asked {
    let mut url = request.url.clone();
    url.set_path(what);
    asked("gRPC", url.into())
}

fn request(
    action: &GrpcAction,
    rendering: &mut Rendering<'_>,
) -> Result<HttpRequest, Box<Failure>> {
    let broken = |rendering: &Rendering<'_>, error: HttpRequestError| {
        rendering.broken(error.to_string(), action.url.span())
    };
    let url = rendering.url(&action.url)?;
    let request = HttpRequest::new("POST", &url);
    let mut request = request.map_err(|error| broken(rendering, error))?;
    for (name, text) in &action.metadata {
        let (value, sensitive) = rendering.header(text)?;
        let added = request.header(name, &value, sensitive);
        added.map_err(|error| broken(rendering, error))?;
    }
    Ok(request)
}

async fn unary<'a>(
    (method, message, descriptors): (&'a str, &TemplateValue, Option<&Text>),
    rendering: &mut Rendering<'_>,
    source: FileSource<'_>,
) -> Result<Unary<'a>, Box<Failure>> {
    let message = rendering.value(message)?;
    let descriptors = match descriptors {
        Some(path) => Some(body::file(path, rendering, source).await?.0),
        None => None,
    };
    Ok(Unary { method, message, descriptors })
}

/// The message of a good answer, as JSON.
fn decoded(
    answer: grpc::UnaryAnswer,
    method: &MethodDescriptor,
    place: &str,
) -> Result<Answer, ProbeError> {
    let body = match answer.message_bytes {
        Some(bytes) if answer.status == 0 => {
            let decoded = protobuf::decoded(method, &bytes);
            Some(decoded.ok_or_else(|| grpc::malformed(place))?)
        }
        _ => None,
    };
    Ok(Answer::Grpc { status: answer.status, message: answer.message, body })
}
