use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One way in which the shop can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Every answer comes late.
    Slow,
    /// The JSON API answers 500.
    #[serde(rename = "500")]
    ServerError,
    /// Texts show a placeholder that nobody filled in.
    WrongText,
    /// The buttons of the goods are elsewhere.
    MovedButton,
    /// Buttons and links have another colour.
    ChangedColour,
    /// Whoever logged in is a stranger at the next request.
    ExpiredSession,
    /// The connection closes without an answer.
    DroppedConnection,
}

/// The faults that are switched on.
pub(super) type FaultSet = BTreeSet<Fault>;

/// A text that names no fault.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "no such fault; there are slow, 500, wrong-text, moved-button, changed-colour, \
     expired-session and dropped-connection"
)]
pub struct UnknownFault;

impl Fault {
    /// Every fault, in the order they are shown.
    pub const ALL: [Self; 7] = [
        Self::Slow,
        Self::ServerError,
        Self::WrongText,
        Self::MovedButton,
        Self::ChangedColour,
        Self::ExpiredSession,
        Self::DroppedConnection,
    ];

    /// The name it is switched by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::ServerError => "500",
            Self::WrongText => "wrong-text",
            Self::MovedButton => "moved-button",
            Self::ChangedColour => "changed-colour",
            Self::ExpiredSession => "expired-session",
            Self::DroppedConnection => "dropped-connection",
        }
    }

    /// What a visitor sees of it.
    pub const fn effect(self) -> &'static str {
        match self {
            Self::Slow => "every page and every API call answers seconds late",
            Self::ServerError => "every API call answers 500 Internal Server Error",
            Self::WrongText => "headings say “undefined” where the search word belongs",
            Self::MovedButton => "the “Add to cart” buttons stand at the top of their cards",
            Self::ChangedColour => "buttons and links are red instead of green",
            Self::ExpiredSession => "whoever logs in is a stranger again at the next request",
            Self::DroppedConnection => "connections close without an answer",
        }
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        Self::ALL.into_iter().find(|fault| fault.name() == name).ok_or(UnknownFault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_back_from_its_name_and_named_in_the_error() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.name());
            assert!(UnknownFault.to_string().contains(fault.name()), "{}", fault.name());
        }
        assert_eq!("fire".parse::<Fault>(), Err(UnknownFault));
    }
}
