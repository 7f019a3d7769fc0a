//! The life of a canary: made, changed, started, stopped, tried, deleted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::{Given, check_name};
use super::described::DescribedCanary;
use super::tags::check_tags;
use super::{CONFLICT, VALIDATION, canaries, hosted_error};
use crate::api::call::{Answer, Call};
use crate::monitor::{DryRunOrder, HostedCanaryRow, HostedFault, HostedState, Switched, kind};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    name: String,
    #[serde(flatten)]
    given: Given,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateOutput {
    canary: DescribedCanary,
}

/// Makes a canary, at once; it runs when it is started.
///
/// Source: Synthetics API Reference, CreateCanary.
pub(super) async fn create(call: Call, input: CreateInput) -> Answer<CreateOutput> {
    let name = input.name;
    check_name(&name)?;
    check_tags(&input.tags)?;
    call.concerns("AWS::Synthetics::Canary", &name);
    let of_folder = call.one::<serde_json::Value>(kind::CANARY, &name).await?;
    if of_folder.is_some() {
        return Err(CONFLICT.because(format!("A canary named {name} already exists.")));
    }
    let config = input.given.into_new(&call).await?;
    let row = HostedCanaryRow {
        id: uuid::Uuid::new_v4().to_string(),
        config,
        state: HostedState::Ready,
        created: call.now(),
        modified: call.now(),
        started: None,
        stopped: None,
        dry_run: None,
        tags: input.tags,
    };
    let hosted = call.state().monitor.hosted();
    hosted.create(call.scope(), &name, &row).await.map_err(|fault| match fault {
        HostedFault::Exists => CONFLICT.because(format!("A canary named {name} already exists.")),
        other => hosted_error(other),
    })?;
    Ok(CreateOutput { canary: DescribedCanary::of_hosted(call.scope(), &name, row) })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    name: String,
    #[serde(flatten)]
    given: Given,
    dry_run_id: Option<String>,
}

/// Source: Synthetics API Reference, UpdateCanary.
pub(super) async fn update(call: Call, input: UpdateInput) -> Answer<()> {
    let (name, hosted) = (input.name, call.state().monitor.hosted());
    call.concerns("AWS::Synthetics::Canary", &name);
    let before = canaries::hosted(&call, &name).await?;
    let config = match &input.dry_run_id {
        None => input.given.merged(&call, before.config).await?,
        Some(_) if input.given.is_more_than_a_schedule() => {
            let why = "Only Schedule may be given together with DryRunId.";
            return Err(VALIDATION.because(why));
        }
        Some(id) => {
            let run = before.dry_run.filter(|run| run.id == *id);
            let run = run.ok_or_else(|| VALIDATION.because("The dry run is not the last one."))?;
            if &*run.status != "PASSED" || run.of != before.modified {
                let why = "The dry run did not pass, or the canary has changed since.";
                return Err(VALIDATION.because(why));
            }
            input.given.merged(&call, run.config).await?
        }
    };
    let change = |row: &mut HostedCanaryRow| {
        row.config = config;
        Ok(())
    };
    hosted.update(call.scope(), &name, change).await.map_err(hosted_error)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameInput {
    name: String,
}

/// Source: Synthetics API Reference, DeleteCanary.
pub(super) async fn delete(call: Call, input: NameInput) -> Answer<()> {
    let name = input.name;
    call.concerns("AWS::Synthetics::Canary", &name);
    canaries::hosted(&call, &name).await?;
    call.state().monitor.hosted().delete(call.scope(), &name).await.map_err(hosted_error)?;
    super::group::forget(&call, &super::config::arn(&call, &name)).await
}

/// Source: Synthetics API Reference, StartCanary.
/// Differs: code for Node.js, Python or Java is refused, naming what can be run.
pub(super) async fn start(call: Call, input: NameInput) -> Answer<()> {
    let name = input.name;
    call.concerns("AWS::Synthetics::Canary", &name);
    if canaries::is_of_folder(&call, &name).await? {
        return switched(&name, call.state().monitor.resume(&name).await, "running");
    }
    canaries::hosted(&call, &name).await?;
    call.state().monitor.hosted().start_canary(call.scope(), &name).await.map_err(hosted_error)
}

/// What a canary of the folder says to being started or stopped: it is put on its schedule or
/// taken off.
fn switched(name: &str, switched: Switched, word: &str) -> Answer<()> {
    match switched {
        Switched::Done => Ok(()),
        Switched::Already => Err(CONFLICT.because(format!("Canary {name} is already {word}."))),
        Switched::NoSchedule => Err(CONFLICT.because(format!("Canary {name} has no schedule."))),
        Switched::Unknown => {
            Err(CONFLICT.because(format!("The file of canary {name} cannot be run.")))
        }
    }
}

/// Source: Synthetics API Reference, StopCanary.
pub(super) async fn stop(call: Call, input: NameInput) -> Answer<()> {
    let name = input.name;
    call.concerns("AWS::Synthetics::Canary", &name);
    if canaries::is_of_folder(&call, &name).await? {
        return switched(&name, call.state().monitor.pause(&name).await, "stopped");
    }
    canaries::hosted(&call, &name).await?;
    call.state().monitor.hosted().stop(call.scope(), &name).await.map_err(hosted_error)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DryRunInput {
    name: String,
    #[serde(flatten)]
    given: Given,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DryRunOutput {
    dry_run_config: DryRunConfig,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DryRunConfig {
    dry_run_id: String,
    last_dry_run_execution_status: &'static str,
}

/// Source: Synthetics API Reference, StartCanaryDryRun.
pub(super) async fn dry_run(call: Call, input: DryRunInput) -> Answer<DryRunOutput> {
    let before = canaries::hosted(&call, &input.name).await?;
    let config = input.given.merged(&call, before.config).await?;
    let id = uuid::Uuid::new_v4().to_string();
    let order = DryRunOrder { id: id.clone(), config };
    let hosted = call.state().monitor.hosted();
    hosted.dry_run(call.scope(), &input.name, order).await.map_err(hosted_error)?;
    let last_dry_run_execution_status = "RUNNING";
    Ok(DryRunOutput {
        dry_run_config: DryRunConfig { dry_run_id: id, last_dry_run_execution_status },
    })
}
