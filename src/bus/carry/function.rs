use super::subscription::outcome;
use super::{Carried, Carrier};
use crate::bus::deliver::Delivery;
use crate::telemetry::Scope;

/// Calls a function: the command that the configuration names for it, with the event on standard
/// input.
///
/// A function is found by its name or its whole ARN; a version or alias behind the name is not
/// looked at.
pub(super) async fn call(
    carrier: &Carrier,
    scope: &Scope,
    arn: &str,
    delivery: &Delivery,
) -> Carried {
    let name = name_of(arn);
    let command =
        name.and_then(|name| carrier.functions.get(arn).or_else(|| carrier.functions.get(name)));
    let Some(command) = command else {
        let why = format!("no command is configured for the function {arn}");
        return Carried::never("NO_RESOURCE", why);
    };
    let facts = vec![
        ("AWS_LAMBDA_FUNCTION_NAME", name.unwrap_or(arn).to_owned()),
        ("AWS_REGION", scope.region.to_string()),
        ("COALMINE_DELIVERY", delivery.id.to_string()),
        ("COALMINE_OWNER", delivery.owner.to_string()),
    ];
    outcome(carrier.notifier.run_command(command, &delivery.payload, facts).await)
}

/// `arn:aws:lambda:<region>:<account>:function:<name>`.
pub(in crate::bus) fn name_of(arn: &str) -> Option<&str> {
    let mut parts = arn.split(':').skip(5);
    (parts.next() == Some("function")).then(|| parts.next()).flatten()
}
