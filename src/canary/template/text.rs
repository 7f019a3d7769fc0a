use std::sync::Arc;

use serde_json::Value;

use super::context::{RenderError, RenderFault, Rendered, Taint, TemplateContext};
use super::evaluate::Evaluation;
use super::expression::{Expression, Node, Reference};
use super::parse;
use super::position::Position;
use crate::diagnostic::{Diagnostic, Span};

/// A text with templates, parsed when its file was.
///
/// Plain texts hold no template and are the common case.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    source: Arc<str>,
    span: Span,
    /// Empty for a plain text.
    pieces: Arc<[Piece]>,
    /// What a text without templates is tainted by.
    secrets: Option<Arc<Taint>>,
}

/// A stretch of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Literal(Arc<str>),
    Template(Expression),
}

impl Text {
    /// A text without templates: braces in it are only braces.
    pub fn plain(text: impl Into<Arc<str>>) -> Self {
        let (span, pieces) = (Span::default(), Arc::new([]));
        Self { source: text.into(), span, pieces, secrets: None }
    }

    /// A text that was rendered before, or built by a script, with the secrets in it.
    pub fn rendered(text: Rendered<String>) -> Self {
        let secrets = (!text.taint.is_clean()).then(|| Arc::new(text.taint));
        Self { secrets, ..Self::plain(text.value) }
    }

    /// Parses the templates in `source`, which stands at `span` of its file as `written`.
    ///
    /// Errors: every fault of every template, at its place in the file.
    pub fn parse(source: &str, span: Span, written: &str) -> Result<Self, Vec<Diagnostic>> {
        let pieces = parse::pieces(source, span, written)?;
        Ok(Self { source: source.into(), span, pieces: pieces.into(), secrets: None })
    }

    /// The text as its author wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where it stands.
    pub const fn span(&self) -> Span {
        self.span
    }

    /// The text itself, when it holds no template. A text of a script may hold secrets all the
    /// same: send what [`Text::render`] gives.
    pub fn as_plain(&self) -> Option<&str> {
        self.pieces.is_empty().then_some(&*self.source)
    }

    /// Everything its templates look up.
    pub fn references<'t>(&'t self, visit: &mut dyn FnMut(Reference<'t>)) {
        for piece in self.pieces.iter() {
            if let Piece::Template(expression) = piece {
                expression.references(visit);
            }
        }
    }

    /// Renders it as text, for the place where it will stand.
    ///
    /// Errors: the first template that cannot be rendered; results over 1 MiB; results that would
    /// break out of their place, such as a line feed in a header.
    pub fn render(
        &self,
        context: &dyn TemplateContext,
        position: Position,
    ) -> Result<Rendered<String>, RenderError> {
        if let Some(plain) = self.as_plain() {
            if position == Position::Header && plain.contains(['\r', '\n', '\0']) {
                let problem = "it holds a line break or NUL";
                let fault = RenderFault::WrongPosition { problem };
                return Err(RenderError { fault, span: self.span });
            }
            let taint = self.secrets.as_deref().cloned().unwrap_or_default();
            return Ok(Rendered { value: plain.to_owned(), taint });
        }
        let mut evaluation = Evaluation::new(context);
        let mut out = String::with_capacity(self.source.len());
        for piece in self.pieces.iter() {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Template(expression) => {
                    let text = evaluation.text(expression)?;
                    let faulty = |fault| RenderError { fault, span: expression.span };
                    let form = position.form(&out, expression.encodes_itself());
                    form.push(&text, &mut out).map_err(faulty)?;
                }
            }
        }
        Ok(Rendered { value: out, taint: evaluation.taint })
    }

    /// Renders it as a value: a text that is wholly one template keeps the type of its value.
    ///
    /// Errors: as [`Text::render`].
    pub fn evaluate(&self, context: &dyn TemplateContext) -> Result<Rendered<Value>, RenderError> {
        if let [Piece::Template(only)] = &*self.pieces {
            let mut evaluation = Evaluation::new(context);
            let value = evaluation.value(only)?;
            return Ok(Rendered { value, taint: evaluation.taint });
        }
        Ok(self.render(context, Position::Plain)?.map(Value::String))
    }
}

impl Expression {
    /// Whether its last filter already made it fit for a URL.
    fn encodes_itself(&self) -> bool {
        use super::operation::Filter;
        matches!(&self.node, Node::Filter { filter: Filter::Url | Filter::Raw, .. })
    }
}
