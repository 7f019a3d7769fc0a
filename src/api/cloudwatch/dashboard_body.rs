use serde::Serialize;
use serde_json::{Map, Value};

/// Source: CloudWatch User Guide, "Dashboard body structure and syntax".
const WIDGETS_MAX: usize = 500;
const METRICS_OF_A_WIDGET_MAX: usize = 500;

/// One thing that is wrong with a body, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BodyFault {
    /// The place, as a JSON pointer.
    pub(super) data_path: String,
    /// What is wrong there.
    pub(super) message: String,
}

/// What is wrong with a body: with an error it is not kept, with warnings it is.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// Why it is refused.
    pub(super) errors: Vec<BodyFault>,
    /// What is strange and kept.
    pub(super) warnings: Vec<BodyFault>,
}

/// Checks a dashboard's body.
///
/// Source: CloudWatch API Reference, "Dashboard Body Structure and Syntax"; texts as recorded.
pub(super) fn check(body: &Map<String, Value>) -> Checked {
    let mut checked = Checked::default();
    match body.get("widgets") {
        None => checked.required("", "widgets"),
        Some(Value::Array(widgets)) => {
            if widgets.len() > WIDGETS_MAX {
                let why = format!("Should NOT have more than {WIDGETS_MAX} items");
                checked.error("/widgets", &why);
            }
            for (index, widget) in widgets.iter().enumerate() {
                checked.widget(&format!("/widgets/{index}"), widget);
            }
        }
        Some(_) => checked.error("/widgets", "Should be array"),
    }
    for (name, kinds) in [("start", "string"), ("end", "string"), ("periodOverride", "string")] {
        if body.get(name).is_some_and(|value| !value.is_string()) {
            checked.error(&format!("/{name}"), &format!("Should be {kinds}"));
        }
    }
    if body.contains_key("end") && !body.contains_key("start") {
        checked.required("", "start");
    }
    let known = ["widgets", "start", "end", "periodOverride", "variables"];
    checked.unknown("", body, &known);
    checked
}

impl Checked {
    fn error(&mut self, path: &str, message: &str) {
        let data_path = path.to_owned();
        self.errors.push(BodyFault { data_path, message: message.to_owned() });
    }

    fn required(&mut self, path: &str, property: &str) {
        self.error(path, &format!("Should have required property '{property}'"));
    }

    fn unknown(&mut self, path: &str, found: &Map<String, Value>, known: &[&str]) {
        for name in found.keys().filter(|name| !known.contains(&name.as_str())) {
            self.warnings.push(BodyFault {
                data_path: format!("{path}/{name}"),
                message: "Should NOT have additional properties".to_owned(),
            });
        }
    }

    fn widget(&mut self, path: &str, widget: &Value) {
        let Value::Object(widget) = widget else {
            return self.error(path, "Should be object");
        };
        let kinds = ["text", "metric", "log", "alarm", "explorer", "custom", "chart"];
        let kind = match widget.get("type") {
            None => return self.required(path, "type"),
            Some(Value::String(kind)) if kinds.contains(&kind.as_str()) => kind.as_str(),
            Some(_) => {
                let why = "Should be equal to one of the allowed values";
                return self.error(&format!("{path}/type"), why);
            }
        };
        for (name, least, most) in
            [("x", 0, 23), ("y", 0, i64::MAX), ("width", 1, 24), ("height", 1, 1000)]
        {
            let place = format!("{path}/{name}");
            match widget.get(name).map(Value::as_i64) {
                None => {}
                Some(None) => self.error(&place, "Should be integer"),
                Some(Some(value)) if value < least => {
                    self.error(&place, &format!("Should be >= {least}"));
                }
                Some(Some(value)) if value > most => {
                    self.error(&place, &format!("Should be <= {most}"));
                }
                Some(Some(_)) => {}
            }
        }
        match (widget.contains_key("x"), widget.contains_key("y")) {
            (true, false) => self.required(path, "y"),
            (false, true) => self.required(path, "x"),
            _ => {}
        }
        self.unknown(path, widget, &["type", "x", "y", "width", "height", "properties"]);
        match widget.get("properties") {
            None => self.required(path, "properties"),
            Some(Value::Object(properties)) => {
                self.properties(&format!("{path}/properties"), kind, properties);
            }
            Some(_) => self.error(&format!("{path}/properties"), "Should be object"),
        }
    }

    fn properties(&mut self, path: &str, kind: &str, properties: &Map<String, Value>) {
        let needed: &[&str] = match kind {
            "text" => &["markdown"],
            "log" => &["query", "region"],
            "alarm" => &["alarms"],
            "custom" => &["endpoint"],
            _ => &[],
        };
        for property in needed.iter().filter(|name| !properties.contains_key(**name)) {
            self.required(path, property);
        }
        if kind == "metric" {
            self.metric(path, properties);
        }
    }

    fn metric(&mut self, path: &str, properties: &Map<String, Value>) {
        if !properties.contains_key("region") {
            self.required(path, "region");
        }
        let has_alarm = properties.get("annotations").is_some_and(|a| a.get("alarms").is_some());
        match properties.get("metrics") {
            None if has_alarm => {}
            None => self.required(path, "metrics"),
            Some(Value::Array(metrics)) => {
                let place = format!("{path}/metrics");
                if metrics.is_empty() {
                    self.error(&place, "Should NOT have fewer than 1 items");
                }
                if metrics.len() > METRICS_OF_A_WIDGET_MAX {
                    let why = format!("Should NOT have more than {METRICS_OF_A_WIDGET_MAX} items");
                    self.error(&place, &why);
                }
                for (index, metric) in metrics.iter().enumerate() {
                    self.metric_line(&format!("{place}/{index}"), metric);
                }
            }
            Some(_) => self.error(&format!("{path}/metrics"), "Should be array"),
        }
        let views = ["timeSeries", "singleValue", "gauge", "bar", "pie", "table"];
        let view = properties.get("view").map(|view| view.as_str().unwrap_or_default());
        if view.is_some_and(|view| !views.contains(&view)) {
            let why = "Should be equal to one of the allowed values";
            self.error(&format!("{path}/view"), why);
        }
        if properties.get("stacked").is_some_and(|stacked| !stacked.is_boolean()) {
            self.error(&format!("{path}/stacked"), "Should be boolean");
        }
        if properties.get("period").is_some_and(|period| !period.is_i64()) {
            self.error(&format!("{path}/period"), "Should be integer");
        }
    }

    fn metric_line(&mut self, path: &str, metric: &Value) {
        let Value::Array(parts) = metric else {
            return self.error(path, "Should be array");
        };
        let is_expression = |part: &Value| part.get("expression").is_some();
        match parts.as_slice() {
            [] => self.error(path, "Should NOT have fewer than 1 items"),
            [only] if is_expression(only) => {}
            [Value::String(all), ..] if all == "..." => {}
            parts => {
                let texts = parts.iter().take_while(|part| part.is_string()).count();
                let rest = parts.get(texts..).unwrap_or_default();
                if texts < 2 {
                    self.error(path, "Should NOT have fewer than 2 items");
                } else if texts % 2 != 0 {
                    self.error(path, "Invalid metric field type, only \"String\" type is allowed");
                }
                if !matches!(rest, [] | [Value::Object(_)]) {
                    self.error(path, "Invalid metric field type, only \"String\" type is allowed");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(body: &str) -> (Vec<String>, Vec<String>) {
        let checked = check(&serde_json::from_str(body).unwrap());
        let shown = |fault: &BodyFault| format!("{}: {}", fault.data_path, fault.message);
        let all = |faults: &[BodyFault]| faults.iter().map(shown).collect();
        (all(&checked.errors), all(&checked.warnings))
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let (errors, _) = faults("{}");
        assert_eq!(errors, [": Should have required property 'widgets'"]);
        let (errors, _) = faults(
            r#"{"widgets": [{"type": "metric", "x": 24, "y": 0, "properties": {"metrics": [["N"],
            ["N", "m", "d"], "x"]}}, {"type": "text", "properties": {}}, {"type": "film"}, {}]}"#,
        );
        assert_eq!(
            errors,
            [
                "/widgets/0/x: Should be <= 23",
                "/widgets/0/properties: Should have required property 'region'",
                "/widgets/0/properties/metrics/0: Should NOT have fewer than 2 items",
                "/widgets/0/properties/metrics/1: Invalid metric field type, only \"String\" type \
                 is allowed",
                "/widgets/0/properties/metrics/2: Should be array",
                "/widgets/1/properties: Should have required property 'markdown'",
                "/widgets/2/type: Should be equal to one of the allowed values",
                "/widgets/3: Should have required property 'type'",
            ]
        );
    }

    #[test]
    fn what_holds_is_kept_and_what_is_strange_is_told() {
        let (errors, warnings) = faults(
            r#"{"start": "-PT3H", "widgets": [{"type": "metric", "color": "red", "properties":
            {"region": "us-east-1", "metrics": [["N", "m", "d", "v", {"stat": "Sum"}], ["..."],
            [{"expression": "m1", "id": "e1"}]]}}]}"#,
        );
        assert_eq!(errors, [""; 0]);
        assert_eq!(warnings, ["/widgets/0/color: Should NOT have additional properties"]);
    }
}
