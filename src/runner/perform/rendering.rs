use crate::canary::assertion::Predicate;
use crate::canary::definition::Step;
use crate::canary::report::{Failure, Verdict};
use crate::canary::template::{Position, Rendered, Taint, TemplateValue, Text};
use crate::diagnostic::Span;
use crate::runner::fault;
use crate::runner::probe::http::Sensitive;
use crate::runner::scope::Scope;

/// Renders the texts of one action and remembers which secrets went into them.
pub(super) struct Rendering<'a> {
    pub(super) step: &'a Step,
    pub(super) scope: &'a Scope,
    pub(super) taint: Taint,
}

impl<'a> Rendering<'a> {
    pub(super) fn new(step: &'a Step, scope: &'a Scope) -> Self {
        Self { step, scope, taint: Taint::default() }
    }

    /// A text for a place without syntax of its own.
    pub(super) fn plain(&mut self, text: &Text) -> Result<String, Box<Failure>> {
        self.at(text, Position::Plain).map(|(text, _)| text)
    }

    /// A URL.
    pub(super) fn url(&mut self, text: &Text) -> Result<String, Box<Failure>> {
        self.at(text, Position::Url).map(|(text, _)| text)
    }

    /// A header's value, and whether a secret is in it.
    pub(super) fn header(&mut self, text: &Text) -> Result<(String, Sensitive), Box<Failure>> {
        self.at(text, Position::Header)
    }

    /// A port number.
    pub(super) fn port(&mut self, text: &Text) -> Result<u16, Box<Failure>> {
        let rendered = self.plain(text)?;
        let port = rendered.trim().parse().ok().filter(|port| *port != 0);
        port.ok_or_else(|| self.broken(format!("`{rendered}` is no port"), text.span()))
    }

    /// A predicate to check with.
    pub(super) fn predicate(&mut self, predicate: &Predicate) -> Result<Predicate, Box<Failure>> {
        let rendered = predicate.render(self.scope);
        let rendered = rendered.map_err(|error| fault::unrendered(self.step, &error))?;
        Ok(rendered.take(&mut self.taint))
    }

    /// A JSON value.
    pub(super) fn value(
        &mut self,
        value: &TemplateValue,
    ) -> Result<serde_json::Value, Box<Failure>> {
        let rendered = value.evaluate(self.scope);
        let rendered = rendered.map_err(|error| fault::unrendered(self.step, &error))?;
        Ok(rendered.take(&mut self.taint))
    }

    fn at(&mut self, text: &Text, position: Position) -> Result<(String, Sensitive), Box<Failure>> {
        let rendered: Rendered<String> = text
            .render(self.scope, position)
            .map_err(|error| fault::unrendered(self.step, &error))?;
        let sensitive = if rendered.taint.is_clean() { Sensitive::No } else { Sensitive::Yes };
        Ok((rendered.take(&mut self.taint), sensitive))
    }

    /// The canary asks for what cannot be.
    pub(super) fn broken(&self, message: String, span: Span) -> Box<Failure> {
        let mut failure = fault::failure(Verdict::Canary, message);
        failure.location = Some(self.step.locate(span));
        Box::new(failure)
    }
}
