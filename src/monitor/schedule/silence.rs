use std::time::Duration;

use super::declared_alarms;
use crate::alarm::{
    AlarmActions, AlarmOrigin, ComparisonOperator, MetricAlarm, SingleMetric, Threshold,
    TreatMissingData, Watched,
};
use crate::canary::definition::{Canary, Silence};
use crate::canary::schedule::Schedule;
use crate::query::statistic::Statistic;
use crate::telemetry::{Dimensions, MetricId, Scope};
use crate::time::{Period, Timestamp};

/// The namespace of what the scheduler tells about itself.
pub(in crate::monitor) const NAMESPACE: &str = "Coalmine";
/// Has a sample for every run that is recorded, and for every one that a maintenance window took.
pub(in crate::monitor) const LATENESS: &str = "ScheduleLateness";

/// The dead man's alarm of a canary: ALARM when none of its runs is recorded for three periods.
///
/// It tells whoever the canary's other alarms tell on ALARM and on OK. A canary without a
/// schedule, with a longer stretch than a day between two runs, or whose file says `silence:
/// ignore`, has none.
pub(in crate::monitor) fn silence_alarm(
    canary: &Canary,
    scope: &Scope,
    configured: Timestamp,
) -> Option<MetricAlarm> {
    let stretch = canary.schedule.as_ref().and_then(longest_stretch)?;
    if canary.silence == Silence::Ignore {
        return None;
    }
    let minutes = u32::try_from(stretch.as_secs().div_ceil(60).max(1)).ok()?;
    let period = Period::new(minutes.checked_mul(60)?).ok()?;
    let mut told = Vec::new();
    for arn in declared_alarms(canary, scope, configured).into_iter().flat_map(|a| a.actions.alarm)
    {
        if !told.contains(&arn) {
            told.push(arn);
        }
    }
    let metric = MetricId {
        namespace: NAMESPACE.into(),
        metric_name: LATENESS.into(),
        dimensions: Dimensions::of([("CanaryName", std::sync::Arc::clone(&canary.name))]),
    };
    Some(MetricAlarm {
        name: format!("Synthetics-Alarm-{}-silent", canary.name).into(),
        description: Some(format!("no run is recorded for {} min", minutes.checked_mul(3)?).into()),
        actions: AlarmActions {
            enabled: true,
            ok: told.clone(),
            alarm: told,
            insufficient_data: Vec::new(),
        },
        watched: Watched::Metric(SingleMetric {
            metric,
            statistic: Statistic::SampleCount.into(),
            period,
            unit: None,
        }),
        // One of one looks at three periods: it alarms when all three are empty.
        evaluation_periods: 1,
        datapoints_to_alarm: Some(1),
        comparison: ComparisonOperator::LessThanThreshold,
        threshold: Threshold::Static(1.0),
        treat_missing_data: Some(TreatMissingData::Breaching),
        low_sample_count: None,
        origin: AlarmOrigin::CanaryFile { canary: std::sync::Arc::clone(&canary.name) },
        tags: Vec::new(),
        configured,
    })
}

/// The longest stretch between two runs; `None` when it is over a day or there are no two runs.
fn longest_stretch(schedule: &Schedule) -> Option<Duration> {
    const DAY: Duration = Duration::from_secs(86_400);
    let stretch = match schedule.period() {
        Some(period) => period,
        None => calendar_stretch(schedule)?,
    };
    (stretch <= DAY).then_some(stretch)
}

/// Looked for in a fixed fortnight, so that a file that did not change makes the same alarm.
fn calendar_stretch(schedule: &Schedule) -> Option<Duration> {
    let mut at = Timestamp::parse("2026-01-01T00:00:00Z").ok()?;
    let end = at.plus(Duration::from_secs(14 * 86_400));
    let mut longest = None;
    at = schedule.next_after(at, Duration::ZERO)?;
    while at < end {
        let next = schedule.next_after(at, Duration::ZERO)?;
        let stretch = u64::try_from(next.millis_since(at)).map(Duration::from_millis).ok()?;
        longest = longest.max(Some(stretch));
        at = next;
    }
    longest
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::canary::load::{NoImports, load};
    use crate::diagnostic::SourceFile;

    fn alarm(schedule: &str, more: &str) -> Option<MetricAlarm> {
        let text = format!(
            "canary: shop\nschedule: {schedule}\n{more}\nsteps:\n- step: s\n  \
             http: {{ get: 'http://h/' }}\n"
        );
        let file = SourceFile::new("f.yaml", text);
        let canary = load(&file, Path::new("."), &NoImports).unwrap();
        silence_alarm(&canary.canary, &Scope::default(), Timestamp::EPOCH)
    }

    #[test]
    fn the_alarm_is_as_wide_as_the_longest_stretch_between_two_runs() {
        for (schedule, minutes) in [
            ("rate(10 seconds)", Some(1)),
            ("rate(1 minute)", Some(1)),
            ("rate(90 seconds)", Some(2)),
            ("rate(1 hour)", Some(60)),
            ("rate(0 minute)", None),
            ("cron(0/5 * * * ? *)", Some(5)),
            // At night it does not run.
            ("cron(0/5 8-17 * * ? *)", Some(14 * 60 + 5)),
            ("cron(0 8 * * ? *)", Some(24 * 60)),
            // Over the weekend it does not run: longer than a day.
            ("cron(0/5 8-17 ? * MON-FRI *)", None),
        ] {
            let period = alarm(schedule, "").map(|alarm| alarm.period().as_secs() / 60);
            assert_eq!(period, minutes, "{schedule}");
        }
    }

    #[test]
    fn it_tells_whom_the_others_tell_and_can_be_declined() {
        let alarms = "alarms:\n- { when: Duration > 1s, notify: [a, b] }\n- { when: Failed > 0, \
                      notify: b }";
        let found = alarm("rate(1 minute)", alarms).unwrap();
        let topic = |name: &str| Scope::default().arn("sns", name).into();
        assert_eq!(found.actions.alarm, [topic("a"), topic("b")]);
        assert_eq!(alarm("rate(1 minute)", "silence: ignore"), None);
    }
}
