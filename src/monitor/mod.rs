//! What happens while nobody looks: schedule, record, evaluate, deliver.
//!
//! Main type: [`Monitor`]. It is the only place where engines meet: runs come from `runner`, are
//! kept by `store`, are judged by `alarm`, and are told by `notify`. What is run comes from a
//! [`library`] of canary files. It speaks no wire protocol and decides no alarm itself.
//!
//! ```text
//! schedule   which canary is due          -> runner
//! record     what a run left              -> store, then alarms
//! alarms     which state its data means   -> history and outbox, in one append
//! logs       what log events are worth     -> metrics, in the same append
//! hosted     canaries that clients made    -> runner, then record
//! trails     what calls were made          -> files and digests in a bucket
//! metric_streams   each minute of metrics      -> files in a bucket
//! deliver    what the outbox holds        -> notify, until it is taken or given up
//! ```

mod alarms;
pub mod backtest;
mod brought;
mod deliver;
mod handle;
mod hosted;
pub mod kind;
pub mod library;
mod logs;
mod memory;
mod metric_streams;
mod record;
mod run_row;
mod schedule;
mod settings;
mod start;
mod trails;
mod watch;

pub use alarms::{
    ActionsSwitch, AlarmCallError, AlarmCondition, AlarmDefinition, AlarmHandle, AlarmMuteRule,
    AlarmSnapshot, ForcedState, MuteFault, MuteStatus, PutMuteRule,
};
pub use brought::{BringError, BroughtRun};
pub use deliver::{ActionText, OutboxRow};
pub use handle::MonitorHandle;
pub use hosted::{
    Bundle, BundleFault, CanaryConfig, CanaryDryRunRow, CanaryRetry, CanaryRunConfig, CanaryTiming,
    DryRunOrder, DryRunRow, HostedCanaries, HostedCanaryRow, HostedFault, HostedState,
};
pub use logs::{
    Absorbed, AccountPolicyRow, DataProtectionRow, DestinationRow, Distribution, GroupSelection,
    LogDeliveryRow, LogMask, LogRules, MetricFilterRow, OUTGOING_BUCKET, SubscriptionRow, Tail,
    TailedLines, TargetKind, control_message, filter_name, filter_prefix, protection_name,
    target_kind,
};
pub use metric_streams::{MetricStreamFilter, MetricStreamRow, StreamFormat};
pub use run_row::{ArtifactRow, CanaryRow, CanaryRunRow, CanaryState};
pub use schedule::{Switched, declared_alarms};
pub use settings::{MonitorSettings, RunFollower};
pub use start::{Monitor, MonitorError, MonitorParts};
pub use trails::{
    AdvancedSelector, DataResource, EventSelector, FieldSelector, InsightType, ReadWriteType,
    Selectors, Trail, TrailError, TrailHandle, TrailKey, TrailSettings, TrailState,
};
