//! Resource policies of buses: who else may put events.

use serde_json::Value;

use crate::telemetry::Scope;

/// Whether a policy lets `caller` put events.
///
/// Source: EventBridge User Guide, "Permissions for Amazon EventBridge event buses".
/// Differs: conditions on organizations hold for nobody, since there are none here.
pub(in crate::bus) fn allows(policy: Option<&Value>, caller: &Scope) -> bool {
    let statements = policy.and_then(|policy| policy.get("Statement"));
    let statements = match statements {
        Some(Value::Array(statements)) => statements.iter().collect::<Vec<_>>(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => Vec::new(),
    };
    let applies = |statement: &&&Value| {
        let principal = statement.get("Principal").is_some_and(|p| is_principal(p, caller));
        let action = statement.get("Action").is_some_and(|action| {
            texts(action).any(|text| matches!(text, "events:PutEvents" | "events:*" | "*"))
        });
        principal && action && statement.get("Condition").is_none()
    };
    let effect = |effect: &str| {
        let mut applying = statements.iter().filter(applies);
        applying.any(|statement| statement.get("Effect").and_then(Value::as_str) == Some(effect))
    };
    effect("Allow") && !effect("Deny")
}

fn is_principal(principal: &Value, caller: &Scope) -> bool {
    let principal = principal.get("AWS").unwrap_or(principal);
    let account = caller.account.as_str();
    let root = format!("arn:{}:iam::{account}:root", caller.region.partition());
    texts(principal).any(|text| text == "*" || text == account || text == root)
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let (one, many) = match value {
        Value::Array(many) => (None, many.as_slice()),
        one => (Some(one), [].as_slice()),
    };
    one.into_iter().chain(many).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_names_accounts_or_everyone() {
        let caller = Scope::default();
        let policy = |principal: Value, effect: &str| {
            json!({"Statement": [{"Effect": effect, "Principal": principal,
                                  "Action": "events:PutEvents"}]})
        };
        let own = json!({"AWS": "arn:aws:iam::123456789012:root"});
        assert!(allows(Some(&policy(own, "Allow")), &caller));
        assert!(allows(Some(&policy(json!("*"), "Allow")), &caller));
        assert!(!allows(Some(&policy(json!("*"), "Deny")), &caller));
        assert!(!allows(Some(&policy(json!({"AWS": "210987654321"}), "Allow")), &caller));
        assert!(!allows(None, &caller));
    }
}
