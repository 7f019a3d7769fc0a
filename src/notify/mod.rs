//! One notification to one channel: webhook, command or mail.
//!
//! Main types: [`Notification`], what a person needs to know at night; [`Notifier`], which sends it
//! once and says how that went; [`RetryPolicy`], when to try again. Remembering what is still to be
//! sent, and in which order, is `monitor`'s business: this module keeps nothing.

mod channel;
mod command;
mod email;
mod notification;
mod notifier;
mod outcome;
mod preset;
mod retry;
mod webhook;

pub use channel::{
    ChannelSettings, CommandSettings, EmailSecurity, EmailSettings, WebhookSettings,
};
pub use notification::{FailedCheck, FailedRun, Notification, NotificationKind};
pub(crate) use notifier::web_client;
pub use notifier::{Notifier, NotifierError};
pub use outcome::{DeliveryFault, DeliveryOutcome};
pub use preset::WebhookPreset;
pub use retry::{NextTry, RetryPolicy};
