//! JSON Schemas that answers are checked against, compiled when the canary file is read.

use std::fmt;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::Value;
use thiserror::Error;

/// BOUND: more faults of one answer than a person reads.
const FAULTS_MAX: usize = 10;

/// A compiled JSON Schema. References reach only inside the schema itself.
#[derive(Clone)]
pub struct JsonSchema {
    document: Arc<Value>,
    validator: Arc<Validator>,
}

/// A value that is no JSON Schema.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("not a JSON Schema: {problem}")]
pub struct JsonSchemaError {
    /// What the schema compiler says.
    pub problem: String,
}

/// One fault of a value under a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFault {
    /// A JSON pointer into the value.
    pub pointer: String,
    /// What is wrong there.
    pub problem: String,
}

impl JsonSchema {
    /// Compiles a schema.
    ///
    /// Errors: the value is no schema, or refers to another document.
    pub fn compile(document: Value) -> Result<Self, JsonSchemaError> {
        let validator = jsonschema::validator_for(&document)
            .map_err(|error| JsonSchemaError { problem: error.to_string() })?;
        Ok(Self { document: Arc::new(document), validator: Arc::new(validator) })
    }

    /// The schema as it was written.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// What is wrong with `value`, at most ten faults.
    pub fn faults(&self, value: &Value) -> Vec<SchemaFault> {
        let faults = self.validator.iter_errors(value).take(FAULTS_MAX);
        faults
            .map(|error| SchemaFault {
                pointer: error.instance_path().to_string(),
                problem: error.to_string(),
            })
            .collect()
    }
}

impl fmt::Debug for JsonSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonSchema").field(&self.document).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn faults_say_where_they_are() {
        let schema = JsonSchema::compile(json!({
            "type": "object",
            "properties": { "total": { "type": "number" } },
            "required": ["total"],
        }));
        let schema = schema.unwrap();
        assert_eq!(schema.faults(&json!({"total": 1})), []);
        let faults = schema.faults(&json!({"total": "1"}));
        assert_eq!(faults[0].pointer, "/total");
        assert!(faults[0].problem.contains("number"), "{faults:?}");
    }

    #[test]
    fn a_schema_cannot_refer_outside() {
        for document in [
            json!({"$ref": "http://127.0.0.1/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"type": 7}),
        ] {
            assert!(JsonSchema::compile(document.clone()).is_err(), "{document}");
        }
    }
}
