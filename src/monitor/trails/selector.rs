use serde::{Deserialize, Serialize};

use crate::telemetry::{AuditKind, AuditRecord};

/// Which records a trail takes; by default every management call.
///
/// Source: CloudTrail API Reference, PutEventSelectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Selectors {
    /// By basic selectors.
    Basic(Vec<EventSelector>),
    /// By advanced selectors.
    Advanced(Vec<AdvancedSelector>),
}

/// Whether calls that read or change are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadWriteType {
    /// Those that only read.
    ReadOnly,
    /// Those that change something.
    WriteOnly,
    /// Both.
    #[default]
    All,
}

/// A basic selector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventSelector {
    /// Whether calls that read or change are taken.
    #[serde(default)]
    pub read_write_type: ReadWriteType,
    /// Whether management calls are taken.
    #[serde(default = "yes")]
    pub include_management_events: bool,
    /// Of which resources calls on data are taken.
    #[serde(default)]
    pub data_resources: Vec<DataResource>,
    /// The services whose management calls are not taken.
    #[serde(default)]
    pub exclude_management_event_sources: Vec<String>,
}

const fn yes() -> bool {
    true
}

/// Resources whose data calls are taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataResource {
    /// `AWS::CloudWatch::Metric`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// What their ARNs begin with.
    #[serde(rename = "Values", default)]
    pub values: Vec<String>,
}

/// An advanced selector: every one of its fields must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AdvancedSelector {
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What must hold.
    pub field_selectors: Vec<FieldSelector>,
}

/// What must hold of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FieldSelector {
    /// The field.
    pub field: String,
    /// It is one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Vec<String>>,
    /// It begins with one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_with: Option<Vec<String>>,
    /// It ends with one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_with: Option<Vec<String>>,
    /// It is none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_equals: Option<Vec<String>>,
    /// It begins with none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_starts_with: Option<Vec<String>>,
    /// It ends with none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_ends_with: Option<Vec<String>>,
}

impl Default for EventSelector {
    fn default() -> Self {
        Self {
            read_write_type: ReadWriteType::All,
            include_management_events: true,
            data_resources: Vec::new(),
            exclude_management_event_sources: Vec::new(),
        }
    }
}

impl Default for Selectors {
    fn default() -> Self {
        Self::Basic(vec![EventSelector::default()])
    }
}

impl Selectors {
    /// Whether they are others than those of a new trail.
    pub fn are_custom(&self) -> bool {
        *self != Self::default()
    }

    /// Whether a record is taken.
    pub fn take(&self, record: &AuditRecord) -> bool {
        match self {
            Self::Basic(selectors) => selectors.iter().any(|selector| selector.takes(record)),
            Self::Advanced(selectors) => selectors
                .iter()
                .any(|selector| selector.field_selectors.iter().all(|field| field.holds(record))),
        }
    }
}

impl EventSelector {
    fn takes(&self, record: &AuditRecord) -> bool {
        let fits = match self.read_write_type {
            ReadWriteType::All => true,
            ReadWriteType::ReadOnly => record.read_only,
            ReadWriteType::WriteOnly => !record.read_only,
        };
        fits && match record.kind {
            AuditKind::Management => {
                let excluded = &self.exclude_management_event_sources;
                self.include_management_events
                    && !excluded.iter().any(|source| **source == *record.event_source)
            }
            AuditKind::Data => self.data_resources.iter().any(|wanted| wanted.fits(record)),
        }
    }
}

impl DataResource {
    /// A prefix that ends before the resource, `arn:aws:s3`, is every resource of the type.
    fn fits(&self, record: &AuditRecord) -> bool {
        record.resources.iter().any(|(kind, name)| {
            let begins = |prefix: &String| name.starts_with(prefix.as_str());
            **kind == *self.kind && (self.values.is_empty() || self.values.iter().any(begins))
        })
    }
}

impl FieldSelector {
    /// Whether the field is known.
    ///
    /// Source: CloudTrail API Reference, AdvancedFieldSelector.
    pub fn is_known(&self) -> bool {
        const FIELDS: [&str; 10] = [
            "readOnly",
            "eventSource",
            "eventName",
            "eventCategory",
            "eventType",
            "errorCode",
            "resources.type",
            "resources.ARN",
            "sessionCredentialFromConsole",
            "userIdentity.arn",
        ];
        FIELDS.contains(&self.field.as_str())
    }

    /// How many values it is compared with.
    pub fn value_count(&self) -> usize {
        self.lists().into_iter().flatten().map(Vec::len).sum()
    }

    fn lists(&self) -> [Option<&Vec<String>>; 6] {
        [
            self.equals.as_ref(),
            self.starts_with.as_ref(),
            self.ends_with.as_ref(),
            self.not_equals.as_ref(),
            self.not_starts_with.as_ref(),
            self.not_ends_with.as_ref(),
        ]
    }

    fn holds(&self, record: &AuditRecord) -> bool {
        let values = self.values(record);
        let any = |wanted: &Option<Vec<String>>, fits: fn(&str, &str) -> bool| {
            wanted.as_ref().map(|wanted| {
                let one = |value: &String| wanted.iter().any(|wanted| fits(value, wanted));
                values.iter().any(one)
            })
        };
        let equal = |value: &str, wanted: &str| value == wanted;
        let begins = |value: &str, wanted: &str| value.starts_with(wanted);
        let ends = |value: &str, wanted: &str| value.ends_with(wanted);
        any(&self.equals, equal).unwrap_or(true)
            && any(&self.starts_with, begins).unwrap_or(true)
            && any(&self.ends_with, ends).unwrap_or(true)
            && !any(&self.not_equals, equal).unwrap_or(false)
            && !any(&self.not_starts_with, begins).unwrap_or(false)
            && !any(&self.not_ends_with, ends).unwrap_or(false)
    }

    fn values(&self, record: &AuditRecord) -> Vec<String> {
        let text = |pointer: &str| {
            let found = record.record.pointer(pointer).and_then(|value| value.as_str());
            found.map(ToOwned::to_owned).into_iter().collect()
        };
        match self.field.as_str() {
            "readOnly" => vec![record.read_only.to_string()],
            "eventSource" => vec![record.event_source.to_string()],
            "eventName" => vec![record.event_name.to_string()],
            "resources.type" => record.resources.iter().map(|(kind, _)| kind.to_string()).collect(),
            "resources.ARN" => record.resources.iter().map(|(_, name)| name.to_string()).collect(),
            "userIdentity.arn" => text("/userIdentity/arn"),
            other => text(&format!("/{other}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::time::Timestamp;

    fn record(name: &str, read_only: bool, kind: AuditKind) -> AuditRecord {
        AuditRecord {
            event_id: "i".into(),
            event_time: Timestamp::EPOCH,
            event_name: name.into(),
            event_source: "monitoring.amazonaws.com".into(),
            username: None,
            access_key_id: None,
            read_only,
            kind,
            resources: vec![("AWS::CloudWatch::Metric".into(), "arn:aws:x:shop".into())],
            record: json!({
                "eventCategory": if kind == AuditKind::Data { "Data" } else { "Management" },
            }),
        }
    }

    fn taken(selectors: &Selectors) -> String {
        let records = [
            record("PutMetricAlarm", false, AuditKind::Management),
            record("DescribeAlarms", true, AuditKind::Management),
            record("PutMetricData", false, AuditKind::Data),
        ];
        let names = records.iter().filter(|record| selectors.take(record));
        names.map(|record| &*record.event_name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn selectors_take_what_their_text_says() {
        let basic = |text: &str| Selectors::Basic(serde_json::from_str(text).unwrap());
        let advanced = |text: &str| Selectors::Advanced(serde_json::from_str(text).unwrap());
        let data = r#"[{"DataResources": [{"Type": "AWS::CloudWatch::Metric",
            "Values": ["arn:aws:x"]}], "IncludeManagementEvents": false}]"#;
        let other = r#"[{"DataResources": [{"Type": "AWS::CloudWatch::Metric",
            "Values": ["arn:aws:y"]}], "IncludeManagementEvents": false}]"#;
        let excluded = r#"[{"ExcludeManagementEventSources": ["monitoring.amazonaws.com"]}]"#;
        let writes = r#"[{"FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Management"]},
            {"Field": "readOnly", "Equals": ["false"]}]}]"#;
        let not = r#"[{"FieldSelectors": [{"Field": "eventName", "NotStartsWith": ["Put"]}]},
            {"FieldSelectors": [{"Field": "resources.ARN", "EndsWith": ["shop"]},
                {"Field": "eventCategory", "Equals": ["Data"]}]}]"#;
        for (selectors, expected) in [
            (Selectors::default(), "PutMetricAlarm DescribeAlarms"),
            (basic(r#"[{"ReadWriteType": "WriteOnly"}]"#), "PutMetricAlarm"),
            (basic(r#"[{"ReadWriteType": "ReadOnly"}]"#), "DescribeAlarms"),
            (basic(data), "PutMetricData"),
            (basic(other), ""),
            (basic(excluded), ""),
            (advanced(writes), "PutMetricAlarm"),
            (advanced(not), "DescribeAlarms PutMetricData"),
        ] {
            assert_eq!(taken(&selectors), expected, "{selectors:?}");
        }
    }
}
