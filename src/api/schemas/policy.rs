//! Policies of registries: kept, not enforced.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::{bad_request, not_found, refused};
use crate::api::call::{Answer, Call};
use crate::bus::{DISCOVERED, RefusalKind, Registry};

#[derive(Debug, Deserialize)]
pub(super) struct Input {
    #[serde(rename = "registryName")]
    registry_name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PutInput {
    #[serde(rename = "registryName")]
    registry_name: Option<String>,
    #[serde(rename = "Policy")]
    policy: Value,
    #[serde(rename = "RevisionId")]
    revision_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Output {
    policy: String,
    revision_id: String,
}

/// Source: Schemas API Reference, GetResourcePolicy.
pub(super) async fn get(call: Call, input: Input) -> Answer<Output> {
    let name = name(input.registry_name);
    let registry = call.state().bus.registry(call.scope(), &name).await.map_err(refused)?;
    match registry.policy {
        Some((policy, revision)) => {
            Ok(Output { policy: policy.to_string(), revision_id: revision.to_string() })
        }
        None => Err(not_found(format!("Registry {name} has no policy."))),
    }
}

/// Source: Schemas API Reference, PutResourcePolicy: a revision that is given must be in force.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<Output> {
    let policy = match input.policy {
        Value::String(text) => serde_json::from_str(&text).unwrap_or_default(),
        other => other,
    };
    if policy.get("Statement").is_none() {
        return Err(bad_request("The policy is no JSON object with a Statement."));
    }
    let name = name(input.registry_name);
    let revision = uuid::Uuid::new_v4().to_string();
    let output = Output { policy: policy.to_string(), revision_id: revision.clone() };
    let change = |registry: &mut Registry| {
        let own = registry.policy.as_ref().map(|(_, revision)| &**revision);
        if input.revision_id.as_deref().is_some_and(|given| Some(given) != own) {
            let why = "The policy is not at the revision that was given.";
            return Err(RefusalKind::IllegalStatus.because(why));
        }
        registry.policy = Some((policy, revision.into()));
        Ok(())
    };
    call.concerns("AWS::EventSchemas::Registry", &name);
    call.state().bus.change_registry(call.scope(), &name, change).await.map_err(refused)?;
    Ok(output)
}

/// Source: Schemas API Reference, DeleteResourcePolicy.
pub(super) async fn delete(call: Call, input: Input) -> Answer<()> {
    let name = name(input.registry_name);
    let change = |registry: &mut Registry| match registry.policy.take() {
        Some(_) => Ok(()),
        None => Err(RefusalKind::NotFound.because(format!("Registry {name} has no policy."))),
    };
    call.concerns("AWS::EventSchemas::Registry", &name);
    call.state().bus.change_registry(call.scope(), &name, change).await.map_err(refused)?;
    Ok(())
}

/// Without a name it is about what was discovered.
fn name(given: Option<String>) -> String {
    given.unwrap_or_else(|| DISCOVERED.to_owned())
}
