//! What happens to log events as they are taken: they become metrics, they are delivered to who
//! subscribed, and live tails see them.
//!
//! Main type: [`LogRules`]. Whoever appends log events has it absorb the batch first, so that
//! events and what follows from them are durable together: a crash neither loses nor doubles
//! one of them. It speaks no wire protocol; the documents it reads are written by the API.

mod deliver;
mod document;
mod mask;
mod rules;
mod selection;
mod subscription;
mod tail;

pub(super) use deliver::LogDeliverer;
pub use deliver::{OUTGOING_BUCKET, TargetKind, target_kind};
pub use document::{
    AccountPolicyRow, DataProtectionRow, DestinationRow, Distribution, LogDeliveryRow,
    MetricFilterRow, SubscriptionRow, filter_name, filter_prefix, protection_name,
};
pub use mask::LogMask;
pub use rules::{Absorbed, LogRules};
pub use selection::GroupSelection;
pub use subscription::control_message;
pub use tail::{Tail, TailedLines};
