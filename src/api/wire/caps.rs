use thiserror::Error;

/// How deeply lists and structures may nest.
pub(super) const DEPTH_MAX: usize = 64;
/// How many values one body may hold: some 40 MiB of tree, far over what any operation takes.
pub(super) const NODES_MAX: usize = 1_000_000;

/// A body that cannot be read in its protocol.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(in crate::api) enum BadBody {
    /// Not the protocol's syntax.
    #[error("the request body is not valid {0}")]
    Syntax(&'static str),
    /// Nested past [`DEPTH_MAX`].
    #[error("the request body nests deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// More than [`NODES_MAX`] values.
    #[error("the request body holds more than {NODES_MAX} values")]
    TooMany,
}

/// Counts values while a body is read.
#[derive(Debug, Default)]
pub(super) struct Budget {
    nodes: usize,
    depth: usize,
    refused: Option<BadBody>,
}

impl Budget {
    /// Takes one value.
    pub(super) fn take(&mut self) -> Result<(), BadBody> {
        self.nodes += 1;
        if self.nodes > NODES_MAX { self.refuse(BadBody::TooMany) } else { Ok(()) }
    }

    /// Goes one level down.
    pub(super) fn enter(&mut self) -> Result<(), BadBody> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { self.refuse(BadBody::TooDeep) } else { Ok(()) }
    }

    /// Comes one level up.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// The limit that was hit, when one was; otherwise the syntax is at fault.
    pub(super) fn fault(&self, syntax: &'static str) -> BadBody {
        self.refused.unwrap_or(BadBody::Syntax(syntax))
    }

    fn refuse(&mut self, fault: BadBody) -> Result<(), BadBody> {
        self.refused = Some(fault);
        Err(fault)
    }
}
