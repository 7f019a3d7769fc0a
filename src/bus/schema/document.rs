use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::infer::Shape;
use crate::telemetry::Scope;
use crate::time::Timestamp;

/// The registry of what services send; it cannot be changed.
pub const AWS_EVENTS: &str = "aws.events";
/// The registry of what discoverers find.
pub const DISCOVERED: &str = "discovered-schemas";

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// A registry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Registry {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
    /// Its policy and the revision of that; kept, not enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<(Value, Arc<str>)>,
}

impl Registry {
    /// The ARN of the registry of a name.
    pub fn arn(scope: &Scope, name: &str) -> String {
        arn(scope, name, format!("registry/{name}"))
    }
}

/// The language of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SchemaKind {
    /// OpenAPI 3.
    OpenApi3,
    /// JSON Schema, draft 4.
    JSONSchemaDraft4,
}

/// A schema; its content stands in its versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The registry it is in.
    pub registry: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The language of its latest version.
    pub kind: SchemaKind,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
    /// When it was last changed.
    pub modified: Timestamp,
    /// The numbers of its versions, in order; never empty.
    pub versions: Vec<u32>,
    /// The highest number it ever had.
    pub newest: u32,
    /// What a discoverer knows of the details of its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
}

impl Schema {
    /// Its ARN.
    pub fn arn(&self, scope: &Scope) -> String {
        arn(scope, &self.registry, format!("schema/{}/{}", self.registry, self.name))
    }

    /// The number of its latest version.
    pub fn latest(&self) -> u32 {
        self.versions.last().copied().unwrap_or(self.newest)
    }

    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.registry, self.name)
    }

    pub(super) fn version_key(&self, number: u32) -> String {
        format!("{}/{}/{number:010}", self.registry, self.name)
    }
}

/// One version of a schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SchemaVersion {
    /// Its number, from one.
    pub number: u32,
    /// Its language.
    pub kind: SchemaKind,
    /// The text of it.
    pub content: Arc<str>,
    /// When it was made.
    pub created: Timestamp,
}

/// What has the events of a bus looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discoverer {
    /// Its id.
    pub id: Arc<str>,
    /// The name of the bus, of the same scope.
    pub bus: Arc<str>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it looks at events of other accounts too; here a bus does not tell them apart.
    pub cross_account: bool,
    /// Whether it looks.
    pub is_started: bool,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

impl Discoverer {
    /// Its ARN.
    pub fn arn(&self, scope: &Scope) -> String {
        scope.arn("schemas", format_args!("discoverer/{}", self.id))
    }
}

/// What is in the registry of services belongs to no account.
fn arn(scope: &Scope, registry: &str, resource: String) -> String {
    if registry == AWS_EVENTS {
        let (partition, region) = (scope.region.partition(), &scope.region);
        return format!("arn:{partition}:schemas:{region}::{resource}");
    }
    scope.arn("schemas", format_args!("{resource}"))
}
