use std::sync::Arc;

use serde_json::{Map, Value};

use super::context::{RenderError, Rendered, Taint, TemplateContext};
use super::expression::Reference;
use super::text::Text;

/// A JSON value whose texts may hold templates.
#[derive(Clone, Debug, PartialEq)]
pub enum TemplateValue {
    /// A value without templates.
    Literal(Value),
    /// A text with templates. One that is wholly a template keeps the type of its value.
    Text(Text),
    /// A list with templates somewhere inside.
    List(Vec<TemplateValue>),
    /// An object with templates somewhere inside; keys hold none.
    Object(Vec<(Arc<str>, TemplateValue)>),
}

impl TemplateValue {
    /// The value itself, when it holds no template.
    pub fn as_literal(&self) -> Option<&Value> {
        match self {
            Self::Literal(value) => Some(value),
            Self::Text(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// Everything its templates look up.
    pub fn references<'t>(&'t self, visit: &mut dyn FnMut(Reference<'t>)) {
        match self {
            Self::Literal(_) => {}
            Self::Text(text) => text.references(visit),
            Self::List(items) => items.iter().for_each(|item| item.references(visit)),
            Self::Object(members) => {
                members.iter().for_each(|(_, member)| member.references(visit));
            }
        }
    }

    /// Renders every template in it.
    ///
    /// Errors: as [`Text::render`].
    pub fn evaluate(&self, context: &dyn TemplateContext) -> Result<Rendered<Value>, RenderError> {
        let mut taint = Taint::default();
        let value = self.evaluate_into(context, &mut taint)?;
        Ok(Rendered { value, taint })
    }

    fn evaluate_into(
        &self,
        context: &dyn TemplateContext,
        taint: &mut Taint,
    ) -> Result<Value, RenderError> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Text(text) => text.evaluate(context)?.take(taint),
            Self::List(items) => {
                let items = items.iter().map(|item| item.evaluate_into(context, taint));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Object(members) => {
                let mut object = Map::with_capacity(members.len());
                for (key, member) in members {
                    object.insert(key.to_string(), member.evaluate_into(context, taint)?);
                }
                Value::Object(object)
            }
        })
    }
}

impl From<Value> for TemplateValue {
    fn from(value: Value) -> Self {
        Self::Literal(value)
    }
}
