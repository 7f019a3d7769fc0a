//! The kinds under which the monitor keeps its documents in the store.

/// A [`MetricAlarm`](crate::alarm::MetricAlarm), by name.
pub const METRIC_ALARM: &str = "metric-alarm";
/// A [`CompositeAlarm`](crate::alarm::CompositeAlarm), by name.
pub const COMPOSITE_ALARM: &str = "composite-alarm";
/// An [`AlarmMuteRule`](super::AlarmMuteRule), by name.
pub const ALARM_MUTE_RULE: &str = "alarm-mute-rule";
/// The state of an alarm of either kind, by the alarm's name.
pub const ALARM_STATE: &str = "alarm-state";
/// Rows of [`HistoryItem`](crate::alarm::HistoryItem), by the alarm's name.
pub const ALARM_HISTORY: &str = "alarm-history";
/// A [`CanaryRow`](super::CanaryRow), by name.
pub const CANARY: &str = "canary";
/// A [`HostedCanaryRow`](super::HostedCanaryRow), by name.
pub const HOSTED_CANARY: &str = "hosted-canary";
/// Rows of [`CanaryDryRunRow`](super::CanaryDryRunRow), by the canary's name.
pub const CANARY_DRY_RUN: &str = "canary-dry-run";
/// The slot of a canary that was run last, by the canary's name.
pub const CANARY_SLOT: &str = "canary-slot";
/// Rows of [`CanaryRunRow`](super::CanaryRunRow), by the canary's name.
pub const CANARY_RUN: &str = "canary-run";
/// A [`MetricFilterRow`](super::MetricFilterRow), by its group and its own name.
pub const METRIC_FILTER: &str = "metric-filter";
/// A [`SubscriptionRow`](super::SubscriptionRow), by its group and its own name.
pub const SUBSCRIPTION_FILTER: &str = "subscription-filter";
/// A [`DataProtectionRow`](super::DataProtectionRow), by its group and `policy`.
pub const DATA_PROTECTION: &str = "log-data-protection";
/// An [`AccountPolicyRow`](super::AccountPolicyRow), by its kind and its own name.
pub const LOG_ACCOUNT_POLICY: &str = "log-account-policy";
/// A [`DestinationRow`](super::DestinationRow), by name.
pub const LOG_DESTINATION: &str = "log-destination";
/// A [`LogDeliveryRow`](super::LogDeliveryRow) that is still to be delivered; names sort by time.
pub const LOG_DELIVERY: &str = "log-delivery";
/// An [`OutboxRow`](super::OutboxRow) that is still to be delivered; names sort by time.
pub const OUTBOX: &str = "outbox";
/// An [`OutboxRow`](super::OutboxRow) that was given up; names sort by time.
pub const DEAD_LETTER: &str = "dead-letter";
/// A [`MetricStreamRow`](super::MetricStreamRow), by name.
pub const METRIC_STREAM: &str = "metric-stream";
/// How far a metric stream has come, by its name.
pub const METRIC_STREAM_SENT: &str = "metric-stream-sent";
/// A [`Trail`](super::Trail), by name, in the scope of its home region.
pub const TRAIL: &str = "trail";
/// Rows of insights, as CloudTrail writes them.
pub const TRAIL_INSIGHT: &str = "trail-insight";
/// The [`TrailKey`](super::TrailKey) that digests of a scope are signed with.
pub const TRAIL_KEY: &str = "trail-key";
