use crate::alarm::{MetricAlarm, TreatMissingData};
use crate::canary::definition::MaintenanceWindow;
use crate::time::Timestamp;

/// When the alarms of a canary file rest because its canary does.
///
/// A resting alarm keeps its state, unless a run is recorded all the same: what is missing is
/// missing on purpose.
#[derive(Clone, Debug)]
pub(in crate::monitor) struct CanaryRest {
    /// Since when the canary is on its schedule; `None` while it is paused.
    pub(in crate::monitor) scheduled: Option<Timestamp>,
    /// Windows in which no run starts.
    pub(in crate::monitor) maintenance: Vec<MaintenanceWindow>,
}

impl CanaryRest {
    /// Whether time alone may judge `alarm` at `at`, in a process that began at `started`.
    ///
    /// After a pause, a window or a restart, or when it is new, a canary first gets the chance to
    /// run. Where missing data is what alarms, that takes the whole evaluation range.
    pub(super) fn lets_judge(
        &self,
        alarm: &MetricAlarm,
        (started, at): (Timestamp, Timestamp),
    ) -> bool {
        let Some(scheduled) = self.scheduled else { return false };
        let period = alarm.period().as_duration();
        let chance = match alarm.treat_missing_data() {
            TreatMissingData::Breaching => period.saturating_mul(alarm.evaluation_range()),
            _ => period,
        };
        let closed = self.maintenance.iter().filter_map(|window| window.closes(at));
        let since = match alarm.treat_missing_data() {
            TreatMissingData::Breaching => started.max(scheduled).max(alarm.configured),
            _ => started,
        };
        let since = closed.fold(since, Timestamp::max);
        at >= since.plus(chance)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::canary::schedule::Schedule;

    fn at(minute: i64) -> Timestamp {
        Timestamp::parse("2026-11-22T00:00:00Z").unwrap().plus_millis(minute * 60_000)
    }

    #[test]
    fn an_alarm_on_silence_waits_for_its_whole_window_after_every_rest() {
        // Sundays, two to three; 22 November 2026 is one.
        let starts = Schedule::parse("cron(0 2 ? * SUN *)", "UTC").unwrap();
        let window = MaintenanceWindow { starts, lasts: Duration::from_secs(3_600) };
        let rest = CanaryRest { scheduled: Some(at(0)), maintenance: vec![window] };
        let alarm = MetricAlarm { configured: at(0), ..MetricAlarm::example() }.with_periods(1, 1);
        let silence = alarm.treating(TreatMissingData::Breaching);
        for (minute, plain, on_silence) in [
            (0, false, false),
            (1, true, false),
            (2, true, false),
            (3, true, true),
            (119, true, true),
            (120, false, false),
            (179, false, false),
            (180, false, false),
            (181, true, false),
            (183, true, true),
        ] {
            let judged = |alarm| rest.lets_judge(alarm, (at(0), at(minute)));
            assert_eq!((judged(&alarm), judged(&silence)), (plain, on_silence), "{minute}");
        }
        let paused = CanaryRest { scheduled: None, ..rest };
        assert!(!paused.lets_judge(&alarm, (at(0), at(1_000))));
    }
}
