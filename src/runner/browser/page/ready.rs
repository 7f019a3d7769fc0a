//! Auto-waiting: an action begins when its element can take it, and says why when it never can.

use std::time::Duration;

use serde_json::{Value, json};

use super::fault::PageFault;
use super::selector::Selector;
use super::session::BrowserSession;
use crate::runner::browser::protocol::{ElementId, WebDriverError, WebDriverFault};
use crate::time::Deadline;

/// How long the page itself looks before it reports what stands in the way.
const SLICE: Duration = Duration::from_secs(1);

/// Finds and judges elements; the two files make one function body.
pub(super) const ACT: &str = concat!(
    include_str!("script/locate.js"),
    include_str!("script/act.js"),
    "const request = arguments[0];\n",
    "switch (request.op) {\n",
    "  case 'ready': return ready(request);\n",
    "  case 'observe': return observe(request);\n",
    "  case 'select-all': return selectAll(request.element, request.secret);\n",
    "  case 'choose': return choose(request.element, request.value);\n",
    "  case 'select': return selectOptions(request.element, request.values);\n",
    "  case 'focus': return request.element.focus();\n",
    "  case 'is-checked': return request.element.checked === true\n",
    "    || request.element.getAttribute('aria-checked') === 'true';\n",
    "}\n",
);

/// What an element must be before it is acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Visible,
    Enabled,
    Editable,
    Stable,
    Receives,
}

impl Need {
    /// Everything a click needs.
    pub(super) const FOR_POINTER: &[Self] =
        &[Self::Visible, Self::Enabled, Self::Stable, Self::Receives];
    pub(super) const FOR_TYPING: &[Self] = &[Self::Visible, Self::Enabled, Self::Editable];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Visible => "visible",
            Self::Enabled => "enabled",
            Self::Editable => "editable",
            Self::Stable => "stable",
            Self::Receives => "receives",
        }
    }

    fn list(needs: &[Self]) -> String {
        let words: Vec<&str> = needs
            .iter()
            .map(|need| match need {
                Self::Stable => "still",
                Self::Receives => "uncovered",
                other => other.as_str(),
            })
            .collect();
        match words.split_last() {
            None => "there".to_owned(),
            Some((only, [])) => (*only).to_owned(),
            Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        }
    }
}

/// One look at an element.
#[derive(Debug)]
enum Look {
    Ready(ElementId),
    Obstructed { obstacle: String, seen: Option<String> },
}

impl BrowserSession {
    /// Waits until exactly one element matches and is all that is needed.
    pub(super) async fn ready(
        &mut self,
        selector: &Selector,
        needs: &[Need],
        deadline: Deadline,
    ) -> Result<ElementId, PageFault> {
        let began = self.clock().monotonic();
        loop {
            let seen = self.look(selector, needs, deadline).await?;
            let Look::Obstructed { obstacle, seen } = seen else {
                let Look::Ready(element) = seen else { continue };
                return Ok(element);
            };
            if deadline.has_passed(self.clock()) {
                return Err(PageFault::Obstructed {
                    locator: selector.to_string(),
                    wanted: Need::list(needs),
                    obstacle,
                    seen,
                    waited: self.clock().monotonic().since(began),
                });
            }
        }
    }

    async fn look(
        &mut self,
        selector: &Selector,
        needs: &[Need],
        deadline: Deadline,
    ) -> Result<Look, PageFault> {
        let slice = deadline.left(self.clock()).min(SLICE);
        let words: Vec<&str> = needs.iter().map(|need| need.as_str()).collect();
        let request = json!({
            "op": "ready",
            "locator": selector.to_argument(),
            "needs": words,
            "slice": slice.as_millis().min(1000),
        });
        let hard = self.hard(deadline);
        match self.script(ACT, &request, hard).await {
            Ok(answer) => read_look(&answer, selector),
            Err(fault) if is_passing(&fault) => Ok(Look::Obstructed {
                obstacle: "the page was loading another".to_owned(),
                seen: None,
            }),
            Err(fault) => Err(Self::fault(fault)),
        }
    }
}

/// Whether a command failed because the page changed under it, so that it is worth another try.
pub(super) fn is_passing(fault: &WebDriverError) -> bool {
    matches!(
        fault.fault(),
        Some(
            WebDriverFault::JavascriptError
                | WebDriverFault::StaleElementReference
                | WebDriverFault::NoSuchElement
                | WebDriverFault::NoSuchFrame
        )
    ) || fault.fault() == Some(WebDriverFault::Unknown) && fault.message().contains("context")
}

fn read_look(answer: &Value, selector: &Selector) -> Result<Look, PageFault> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
    let locator = selector.to_string();
    match answer.get("state").and_then(Value::as_str) {
        Some("ready") => {
            let element = answer.get("element").and_then(ElementId::from_result);
            element.map(Look::Ready).ok_or_else(|| PageFault::BadLocator {
                locator,
                reason: "the browser gave no element".to_owned(),
            })
        }
        Some("ambiguous") => Err(ambiguous(answer, locator)),
        Some("invalid") => {
            Err(PageFault::BadLocator { locator, reason: text("why").unwrap_or_default() })
        }
        _ => Ok(Look::Obstructed {
            obstacle: text("why").unwrap_or_else(|| "the page says nothing".to_owned()),
            seen: text("seen"),
        }),
    }
}

pub(super) fn ambiguous(answer: &Value, locator: String) -> PageFault {
    let matches = answer.get("matches").or_else(|| answer.get("ambiguous"));
    let matches = matches.and_then(Value::as_array).into_iter().flatten();
    PageFault::Ambiguous {
        locator,
        total: answer.get("total").and_then(Value::as_u64).unwrap_or(2),
        matches: matches.filter_map(|text| text.as_str().map(str::to_owned)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_listed_as_a_person_says_them() {
        assert_eq!(Need::list(Need::FOR_POINTER), "visible, enabled, still and uncovered");
        assert_eq!(Need::list(&[Need::Visible]), "visible");
        assert_eq!(Need::list(&[]), "there");
    }
}
