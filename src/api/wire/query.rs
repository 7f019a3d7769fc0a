use std::borrow::Cow;
use std::collections::BTreeMap;

use super::caps::{BadBody, Budget, DEPTH_MAX};
use super::node::Node;

/// A form body or query string of the AWS Query protocol.
#[derive(Debug)]
pub(in crate::api) struct Form<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Form<'a> {
    /// Reads `a=1&b=2`, percent-encoded, `+` meaning a space.
    pub(in crate::api) fn read(body: &'a [u8]) -> Result<Self, BadBody> {
        let mut budget = Budget::default();
        let mut pairs = Vec::new();
        for pair in url::form_urlencoded::parse(body) {
            budget.take()?;
            pairs.push(pair);
        }
        if pairs.iter().any(|(key, _)| key.matches('.').count() >= DEPTH_MAX) {
            return Err(BadBody::TooDeep);
        }
        Ok(Self { pairs })
    }

    /// The value of the parameter called `name`.
    pub(in crate::api) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// The tree that the dots in the names make.
    ///
    /// `A.member.1.B=x` becomes `{A: {member: {1: {B: x}}}}`; what of it is a list or a map is the
    /// reader's to say.
    pub(super) fn into_node(self) -> Node<'a> {
        let mut root = Branch::default();
        for (key, value) in self.pairs {
            root.put(&key, value);
        }
        root.into_node()
    }
}

/// One name of the tree: its own value and what hangs under it.
#[derive(Debug, Default)]
struct Branch<'a> {
    value: Option<Cow<'a, str>>,
    under: BTreeMap<String, Self>,
}

impl<'a> Branch<'a> {
    fn put(&mut self, key: &str, value: Cow<'a, str>) {
        let mut at = self;
        for part in key.split('.') {
            at = at.under.entry(part.to_owned()).or_default();
        }
        at.value = Some(value);
    }

    fn into_node(self) -> Node<'a> {
        match self.value {
            Some(value) if self.under.is_empty() => Node::Untyped(value),
            // COMPAT: `X=&X.member.1=a` is a list of one; the empty value only says "empty list".
            _ => Node::Map(
                self.under
                    .into_iter()
                    .map(|(name, branch)| (Cow::Owned(name), branch.into_node()))
                    .collect(),
            ),
        }
    }
}
