//! CloudWatch Synthetics: canaries, their runs and groups, in REST JSON.
//!
//! Canaries of the folder are shown here and changed in their files; those that are made here are
//! the monitor's too.

mod canaries;
mod config;
mod describe_canaries;
mod describe_canaries_last_run;
mod described;
mod get_canary;
mod get_canary_runs;
mod group;
mod lifecycle;
mod runtimes;
mod tags;

use http::Method;

use super::error::{ApiError, Fault};
use super::service::{Dialects, Effect, Operation, Service, operation, refuse_as_validator};
use crate::monitor::{BundleFault, HostedFault};

const VALIDATION: Fault = Fault::plain("ValidationException", 400);
const NOT_FOUND: Fault = Fault::plain("ResourceNotFoundException", 404);
const CONFLICT: Fault = Fault::plain("ConflictException", 409);
const TOO_LARGE: Fault = Fault::plain("RequestEntityTooLargeException", 413);
const QUOTA_EXCEEDED: Fault = Fault::plain("ServiceQuotaExceededException", 402);
/// The tag operations have errors of their own.
const TAG_NOT_FOUND: Fault = Fault::plain("NotFoundException", 404);
const BAD_REQUEST: Fault = Fault::plain("BadRequestException", 400);

/// The service's table.
pub(super) fn service() -> Service {
    Service {
        title: "Synthetics",
        signing_name: "synthetics",
        event_source: "synthetics.amazonaws.com",
        dialects: Dialects::default(),
        error_namespace: "",
        refuse: |error| refuse_as_validator(VALIDATION, error),
        operations: canary_operations().chain(group_operations()).collect(),
    }
}

fn canary_operations() -> impl Iterator<Item = Operation> {
    let writes = Effect::Writes;
    [
        operation("CreateCanary", writes, lifecycle::create).at(Method::POST, "/canary"),
        operation("DeleteCanary", writes, lifecycle::delete).at(Method::DELETE, "/canary/{Name}"),
        operation("DescribeCanaries", Effect::Reads, describe_canaries::run)
            .at(Method::POST, "/canaries"),
        operation("DescribeCanariesLastRun", Effect::Reads, describe_canaries_last_run::run)
            .at(Method::POST, "/canaries/last-run"),
        operation("DescribeRuntimeVersions", Effect::Reads, runtimes::run)
            .at(Method::POST, "/runtime-versions"),
        operation("GetCanary", Effect::Reads, get_canary::run).at(Method::GET, "/canary/{Name}"),
        operation("GetCanaryRuns", Effect::Reads, get_canary_runs::run)
            .at(Method::POST, "/canary/{Name}/runs"),
        operation("StartCanary", writes, lifecycle::start).at(Method::POST, "/canary/{Name}/start"),
        operation("StartCanaryDryRun", writes, lifecycle::dry_run)
            .at(Method::POST, "/canary/{Name}/dry-run/start"),
        operation("StopCanary", writes, lifecycle::stop).at(Method::POST, "/canary/{Name}/stop"),
        operation("UpdateCanary", writes, lifecycle::update).at(Method::PATCH, "/canary/{Name}"),
    ]
    .into_iter()
}

fn group_operations() -> impl Iterator<Item = Operation> {
    let writes = Effect::Writes;
    [
        operation("AssociateResource", writes, group::associate)
            .at(Method::PATCH, "/group/{GroupIdentifier}/associate"),
        operation("CreateGroup", writes, group::create).at(Method::POST, "/group"),
        operation("DeleteGroup", writes, group::delete)
            .at(Method::DELETE, "/group/{GroupIdentifier}"),
        operation("DisassociateResource", writes, group::disassociate)
            .at(Method::PATCH, "/group/{GroupIdentifier}/disassociate"),
        operation("GetGroup", Effect::Reads, group::get)
            .at(Method::GET, "/group/{GroupIdentifier}"),
        operation("ListAssociatedGroups", Effect::Reads, group::list)
            .at(Method::POST, "/resource/{ResourceArn}/groups"),
        operation("ListGroupResources", Effect::Reads, group::members)
            .at(Method::POST, "/group/{GroupIdentifier}/resources"),
        operation("ListGroups", Effect::Reads, group::list).at(Method::POST, "/groups"),
        operation("ListTagsForResource", Effect::Reads, tags::list)
            .at(Method::GET, "/tags/{ResourceArn}"),
        operation("TagResource", writes, tags::tag).at(Method::POST, "/tags/{ResourceArn}"),
        operation("UntagResource", writes, tags::untag).at(Method::DELETE, "/tags/{ResourceArn}"),
    ]
    .into_iter()
}

/// How the monitor's refusal is told.
fn hosted_error(fault: HostedFault) -> ApiError {
    match fault {
        HostedFault::Exists => CONFLICT.because("A canary of this name already exists."),
        HostedFault::Missing => NOT_FOUND.because("The canary does not exist."),
        HostedFault::State(state) => CONFLICT.because(format!(
            "The canary is in state {}, which does not permit it.",
            state.as_str()
        )),
        HostedFault::DryRun(why) => CONFLICT.because(why),
        HostedFault::Code(BundleFault::NoCanary) => VALIDATION.because(
            "The canary's code cannot be run here: it holds no canary in YAML or Luau. Code for \
             Node.js, Python and Java is kept and described only.",
        ),
        HostedFault::Code(fault) => VALIDATION.because(format!("The canary's code: {fault}")),
        HostedFault::Store(error) => error.into(),
        HostedFault::Read(error) => error.into(),
        HostedFault::Bucket(error) => {
            tracing::error!(%error, "code of a canary cannot be kept or read");
            super::fault::INTERNAL.because("the canary's code cannot be kept or read")
        }
    }
}
