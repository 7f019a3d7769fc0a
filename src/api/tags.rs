use serde::Deserialize;

/// Whose tags: a resource in the path of a REST operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ArnInput {
    /// Its ARN.
    pub(super) resource_arn: String,
}

/// Which tags to take from a resource, in the query string of a REST operation.
#[derive(Debug, Deserialize)]
pub(super) struct UntagInput {
    /// Its ARN.
    #[serde(rename = "ResourceArn")]
    pub(super) resource_arn: String,
    #[serde(rename = "tagKeys")]
    tag_keys: OneOrMany,
}

/// COMPAT: one key in a query string is no list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<String>),
    One(String),
}

impl UntagInput {
    /// The keys of the tags.
    pub(super) fn keys(self) -> Vec<String> {
        match self.tag_keys {
            OneOrMany::Many(keys) => keys,
            OneOrMany::One(key) => vec![key],
        }
    }
}
