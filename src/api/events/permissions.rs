//! The policy of a bus: who else may put events.

use serde::Deserialize;
use serde_json::{Value, json};

use super::bus;
use super::fault::VALIDATION;
use crate::api::call::{Answer, Call};
use crate::bus::{EventBus, RefusalKind, bus_arn};

/// Source: EventBridge API Reference, PutPermission.
const POLICY_BYTES_MAX: usize = 10_240;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutInput {
    event_bus_name: Option<String>,
    action: Option<String>,
    principal: Option<String>,
    statement_id: Option<String>,
    condition: Option<Condition>,
    policy: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    #[serde(rename = "Type")]
    kind: String,
    key: String,
    value: String,
}

/// Source: EventBridge API Reference, PutPermission.
pub(super) async fn put(call: Call, input: PutInput) -> Answer<()> {
    let name = bus::name_of(&call, input.event_bus_name.as_deref())?;
    call.concerns("AWS::Events::EventBus", &name);
    let arn = bus_arn(call.scope(), &name);
    let whole = match &input.policy {
        Some(policy) => {
            let read = serde_json::from_str::<Value>(policy).ok().filter(Value::is_object);
            let why = "This policy contains invalid Json";
            Some(read.ok_or_else(|| VALIDATION.because(why))?)
        }
        None => None,
    };
    let statement = match whole {
        Some(_) => Value::Null,
        None => statement(&call, &input, &arn)?,
    };
    let change = |bus: &mut EventBus| {
        let policy = whole.unwrap_or_else(|| with_statement(bus.policy.take(), statement));
        if policy.to_string().len() > POLICY_BYTES_MAX {
            let why = "The policy is longer than 10240 bytes.";
            return Err(RefusalKind::PolicyTooLong.because(why));
        }
        bus.policy = Some(policy);
        Ok(())
    };
    bus::handle(&call).change_bus(call.scope(), &name, change).await?;
    Ok(())
}

fn statement(call: &Call, input: &PutInput, arn: &str) -> Answer<Value> {
    let refused = |why: &str| VALIDATION.because(why);
    let (Some(action), Some(principal), Some(sid)) =
        (&input.action, &input.principal, &input.statement_id)
    else {
        let why = "Parameters Action, Principal and StatementId, or Policy, must be specified.";
        return Err(refused(why));
    };
    if action != "events:PutEvents" {
        return Err(refused("Provided value in parameter 'action' is not supported."));
    }
    let is_account = principal.len() == 12 && principal.bytes().all(|b| b.is_ascii_digit());
    if !is_account && principal != "*" {
        let why = "Provided value in parameter 'principal' is not valid. Reason: must be 12 \
                   digits or *.";
        return Err(refused(why));
    }
    let partition = call.scope().region.partition();
    let shown = match principal.as_str() {
        "*" => json!("*"),
        account => json!({"AWS": format!("arn:{partition}:iam::{account}:root")}),
    };
    let mut made = json!({
        "Sid": sid,
        "Effect": "Allow",
        "Principal": shown,
        "Action": action,
        "Resource": arn,
    });
    if let (Some(Condition { kind, key, value }), Some(members)) =
        (&input.condition, made.as_object_mut())
    {
        members.insert("Condition".to_owned(), json!({kind.clone(): {key.clone(): value}}));
    }
    Ok(made)
}

/// A policy with a statement, in place of one of the same id.
fn with_statement(policy: Option<Value>, statement: Value) -> Value {
    let mut policy = policy.unwrap_or_else(|| json!({"Version": "2012-10-17", "Statement": []}));
    if let Some(statements) = policy.get_mut("Statement").and_then(Value::as_array_mut) {
        statements.retain(|held| held.get("Sid") != statement.get("Sid"));
        statements.push(statement);
    }
    policy
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RemoveInput {
    statement_id: Option<String>,
    remove_all_permissions: Option<bool>,
    event_bus_name: Option<String>,
}

/// Source: EventBridge API Reference, RemovePermission.
pub(super) async fn remove(call: Call, input: RemoveInput) -> Answer<()> {
    let name = bus::name_of(&call, input.event_bus_name.as_deref())?;
    call.concerns("AWS::Events::EventBus", &name);
    let change = |bus: &mut EventBus| {
        if input.remove_all_permissions == Some(true) {
            bus.policy = None;
            return Ok(());
        }
        let missing = |why: &str| RefusalKind::NotFound.because(why);
        let Some(policy) = &mut bus.policy else {
            return Err(missing("EventBus does not have a policy."));
        };
        let statements = policy.get_mut("Statement").and_then(Value::as_array_mut);
        let wanted = input.statement_id.as_deref();
        let (before, left) = statements.map_or((0, 0), |statements| {
            let before = statements.len();
            statements.retain(|held| held.get("Sid").and_then(Value::as_str) != wanted);
            (before, statements.len())
        });
        if before == left {
            return Err(missing("Statement with the provided id does not exist."));
        }
        if left == 0 {
            bus.policy = None;
        }
        Ok(())
    };
    bus::handle(&call).change_bus(call.scope(), &name, change).await?;
    Ok(())
}
