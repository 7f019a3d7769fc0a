use std::sync::Arc;

use serde_json::Value;

use super::Target;
use crate::pattern::{InputTransformer, Variables};

/// What a target receives of an event.
///
/// A path that leads nowhere sends `null`, as AWS does not say.
pub(in crate::bus) fn render(
    target: &Target,
    (event, text): (&Value, &Arc<str>),
    variables: &Variables<'_>,
) -> Arc<str> {
    if let Some(input) = &target.input {
        return Arc::clone(input);
    }
    if let Some(path) = &target.input_path {
        let parsed = InputTransformer::parse([("path", &**path)], "<path>");
        let sent = parsed.map(|transformer| transformer.apply(event, variables));
        return match sent {
            Ok(sent) if !sent.is_empty() => sent.into(),
            _ => "null".into(),
        };
    }
    match target.input_transformer.as_ref().map(super::InputMap::transformer) {
        Some(Ok(transformer)) => transformer.apply(event, variables).into(),
        _ => Arc::clone(text),
    }
}
