use super::vocabulary::{Assertion, Predicate};
use crate::canary::template::{
    Position, RenderError, Rendered, Taint, TemplateContext, TemplateValue, Text,
};

impl Assertion {
    /// The assertion with every template in it rendered, as [`super::judge`] wants it.
    ///
    /// Errors: the first template that cannot be rendered.
    pub fn render(&self, context: &dyn TemplateContext) -> Result<Rendered<Self>, RenderError> {
        let rendered = self.predicate.render(context)?;
        let subject = self.subject.clone();
        Ok(rendered.map(|predicate| Self { subject, predicate, span: self.span }))
    }
}

impl Predicate {
    /// The predicate with every template in it rendered, as [`Predicate::check`] wants it.
    ///
    /// Errors: the first template that cannot be rendered.
    pub fn render(&self, context: &dyn TemplateContext) -> Result<Rendered<Self>, RenderError> {
        let mut taint = Taint::default();
        let value = self.render_into(context, &mut taint)?;
        Ok(Rendered { value, taint })
    }

    fn render_into(
        &self,
        context: &dyn TemplateContext,
        taint: &mut Taint,
    ) -> Result<Self, RenderError> {
        let inner =
            |inner: &Self, taint: &mut Taint| inner.render_into(context, taint).map(Box::new);
        let value = |value: &TemplateValue, taint: &mut Taint| {
            value.evaluate(context).map(|value| TemplateValue::Literal(value.take(taint)))
        };
        let text = |text: &Text, taint: &mut Taint| {
            text.render(context, Position::Plain).map(|text| Text::plain(text.take(taint)))
        };
        Ok(match self {
            Self::Equals(expected) => Self::Equals(value(expected, taint)?),
            Self::Contains(expected) => Self::Contains(value(expected, taint)?),
            Self::StartsWith(start) => Self::StartsWith(text(start, taint)?),
            Self::EndsWith(end) => Self::EndsWith(text(end, taint)?),
            Self::OneOf(values) => {
                let values = values.iter().map(|each| value(each, taint));
                Self::OneOf(values.collect::<Result<_, _>>()?)
            }
            Self::Not(predicate) => Self::Not(inner(predicate, taint)?),
            Self::Length(predicate) => Self::Length(inner(predicate, taint)?),
            Self::Count(predicate) => Self::Count(inner(predicate, taint)?),
            Self::All(all) => {
                let all = all.iter().map(|each| each.render_into(context, taint));
                Self::All(all.collect::<Result<_, _>>()?)
            }
            Self::Matches(_)
            | Self::Under(_)
            | Self::Over(_)
            | Self::Between(..)
            | Self::Exists(_)
            | Self::Is(_)
            | Self::Schema(_)
            | Self::StatusClass(_) => self.clone(),
        })
    }
}
