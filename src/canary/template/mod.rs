//! The template language of canary files: `{{ base | host }}`.
//!
//! Main types: [`Text`], a text whose templates were parsed when its file was; [`TemplateValue`],
//! a JSON value with such texts in it; [`TemplateContext`], what templates may look up. Rendering
//! is one pass over a typed tree: what a template yields is never looked at for templates again.
//! There are no loops, no conditions, no files and no processes; environment, secrets, time and
//! chance come in through the context, so that rendering is pure.
//!
//! ```text
//! text        = { literal | "{{" expression "}}" }
//! expression  = term { "|" filter }
//! term        = product { ("+" | "-") product }
//! product     = unary { ("*" | "/" | "%") unary }
//! unary       = [ "-" ] primary
//! primary     = literal | variable | "env" "." name | "secret" "." name
//!             | function [ "(" arguments ")" ] | "(" expression ")"
//! variable    = name { "." name | "." index | "[" index "]" | "[" text "]" }
//! literal     = number | duration | 'text' | "text" | true | false | null
//! filter      = name [ "(" arguments ")" ]
//! ```

mod context;
mod evaluate;
mod expression;
mod filter;
mod operation;
mod parse;
mod position;
mod text;
mod value;

pub use context::{
    Binding, LookupError, NoContext, RenderError, RenderFault, Rendered, Taint, TemplateContext,
};
pub use expression::{Reference, ReferenceKind};
pub use position::Position;
pub use text::Text;
pub use value::TemplateValue;

/// The filters of templates, each with what it gives; for the reference.
pub const FILTERS: &[(&str, &str)] = operation::Filter::TOLD;

/// The functions of templates, each with what it gives; for the reference.
pub const FUNCTIONS: &[(&str, &str)] = operation::Function::TOLD;

#[cfg(test)]
mod tests;
