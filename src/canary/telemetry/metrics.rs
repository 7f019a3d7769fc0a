use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::canary::definition::Canary;
use crate::canary::observation::Phase;
use crate::canary::report::{
    AttemptReport, ExchangeReport, RunOutcome, RunReport, StepOutcome, StepReport,
};
use crate::telemetry::{Dimensions, MetricDatum, StandardUnit};
use crate::time::Timestamp;

/// Source: CloudWatch User Guide, "CloudWatch metrics published by canaries".
/// Differs: phases, certificates and page measures are ours.
pub(super) fn data(report: &RunReport, canary: &Canary) -> Vec<MetricDatum> {
    let mut sink = Sink { canary: &report.canary, at: report.started, data: Vec::new() };
    if report.outcome == RunOutcome::Cancelled {
        return sink.data;
    }
    for attempt in &report.attempts {
        of_attempt(attempt, &mut sink);
    }
    // AWS's `Failed`: the canary, not its target, is at fault.
    let is_broken = report.outcome == RunOutcome::Error;
    sink.both("Failed", f64::from(u8::from(is_broken)), StandardUnit::Count);
    if canary.retry.attempts > 1 && !is_broken {
        let passed = matches!(report.outcome, RunOutcome::Passed | RunOutcome::Flaky);
        sink.one("SuccessPercentWithRetries", percent(passed), StandardUnit::Percent);
    }
    let retries = report.attempts.len().saturating_sub(1);
    if retries > 0 {
        sink.one("RetryCount", count(retries), StandardUnit::Count);
    }
    requests(report, &mut sink);
    pictures(report, &mut sink);
    certificates(report, &mut sink);
    sink.data
}

struct Sink<'r> {
    canary: &'r Arc<str>,
    at: Timestamp,
    data: Vec<MetricDatum>,
}

impl Sink<'_> {
    fn push(
        &mut self,
        name: impl Into<Arc<str>>,
        dimensions: Dimensions,
        value: f64,
        unit: StandardUnit,
    ) {
        self.data.push(MetricDatum::sample(name, dimensions, self.at, (value, unit)));
    }

    fn dimensions(&self) -> Dimensions {
        Dimensions::of([(Arc::from("CanaryName"), Arc::clone(self.canary))])
    }

    /// By canary alone.
    fn one(&mut self, name: &'static str, value: f64, unit: StandardUnit) {
        self.push(name, self.dimensions(), value, unit);
    }

    /// By canary, and of all canaries together.
    fn both(&mut self, name: &'static str, value: f64, unit: StandardUnit) {
        self.push(name, Dimensions::none(), value, unit);
        self.one(name, value, unit);
    }

    fn with(
        &mut self,
        name: impl Into<Arc<str>>,
        by: (&str, &Arc<str>),
        value: (f64, StandardUnit),
    ) {
        let dimensions = Dimensions::of([
            (Arc::from("CanaryName"), Arc::clone(self.canary)),
            (Arc::from(by.0), Arc::clone(by.1)),
        ]);
        self.push(name, dimensions, value.0, value.1);
    }
}

fn of_attempt(attempt: &AttemptReport, sink: &mut Sink<'_>) {
    let judged =
        matches!(attempt.outcome, RunOutcome::Passed | RunOutcome::Flaky | RunOutcome::Failed);
    // Errors of execution do not lower the success of the target.
    if judged {
        let passed = attempt.outcome != RunOutcome::Failed;
        sink.both("SuccessPercent", percent(passed), StandardUnit::Percent);
        sink.both("Duration", millis(attempt.elapsed), StandardUnit::Milliseconds);
    }
    for step in &attempt.steps {
        of_step(step, sink);
    }
}

fn of_step(step: &StepReport, sink: &mut Sink<'_>) {
    let passed = match &step.outcome {
        StepOutcome::Passed => true,
        StepOutcome::Failed(_) => false,
        // Steps that were not reached emit nothing.
        StepOutcome::Skipped => return,
    };
    let by = ("StepName", &step.name);
    sink.with("SuccessPercent", by, (percent(passed), StandardUnit::Percent));
    sink.with("Duration", by, (millis(step.elapsed), StandardUnit::Milliseconds));
    for (phase, name) in PHASES {
        let took: Vec<Duration> =
            step.exchanges.iter().filter_map(|exchange| exchange.timings.phase(phase)).collect();
        if !took.is_empty() {
            let all = took.into_iter().sum();
            sink.with(name, by, (millis(all), StandardUnit::Milliseconds));
        }
    }
    for measure in &step.measures {
        sink.with(Arc::clone(&measure.name), by, (measure.value, measure.unit));
    }
}

/// All exchanges of a step together.
const PHASES: [(Phase, &str); 6] = [
    (Phase::Resolve, "ResolveDuration"),
    (Phase::Connect, "ConnectDuration"),
    (Phase::Tls, "TlsDuration"),
    (Phase::Send, "SendDuration"),
    (Phase::Wait, "WaitDuration"),
    (Phase::Receive, "ReceiveDuration"),
];

/// Redirects and informational answers are counted nowhere.
fn requests(report: &RunReport, sink: &mut Sink<'_>) {
    let (mut classes, mut failed, mut any) = ([0_u32; 3], 0_u32, false);
    for exchange in exchanges(report).filter(|exchange| exchange.url.starts_with("http")) {
        any = true;
        let [good, of_client, of_server] = &mut classes;
        match exchange.status {
            None => failed += 1,
            Some(200..=299) => *good += 1,
            Some(400..=499) => *of_client += 1,
            Some(500..=599) => *of_server += 1,
            Some(_) => {}
        }
    }
    if any {
        for (name, number) in ["2xx", "4xx", "5xx"].into_iter().zip(classes) {
            sink.both(name, f64::from(number), StandardUnit::Count);
        }
        // A space and a small r, as CloudWatch has it.
        sink.both("Failed requests", f64::from(failed), StandardUnit::Count);
    }
}

fn pictures(report: &RunReport, sink: &mut Sink<'_>) {
    let steps = report.deciding_attempt().map_or(&[][..], |attempt| &attempt.steps);
    let pictures: Vec<_> = steps.iter().flat_map(|step| &step.pictures).collect();
    if pictures.is_empty() {
        return;
    }
    let accepted = count(pictures.iter().filter(|picture| picture.accepted).count());
    let all = count(pictures.len());
    let share = accepted / all * 100.0;
    sink.one("VisualMonitoringSuccessPercent", share, StandardUnit::Percent);
    sink.one("VisualMonitoringTotalComparisons", all, StandardUnit::Count);
}

/// Days left of the certificate of each host, the fewest where several were shown.
fn certificates(report: &RunReport, sink: &mut Sink<'_>) {
    let mut days: BTreeMap<Arc<str>, f64> = BTreeMap::new();
    for exchange in exchanges(report) {
        let Some(certificate) = &exchange.certificate else { continue };
        let host = url::Url::parse(&exchange.url).ok();
        let host = host.as_ref().and_then(|url| url.host_str()).unwrap_or(&exchange.url);
        let left = certificate.not_after.as_secs_f64() - exchange.started.as_secs_f64();
        let least = days.entry(Arc::from(host)).or_insert(f64::INFINITY);
        *least = least.min((left / 86_400.0).floor());
    }
    for (host, left) in days {
        sink.with("CertificateDaysLeft", ("Host", &host), (left, StandardUnit::Count));
    }
}

fn exchanges(report: &RunReport) -> impl Iterator<Item = &ExchangeReport> {
    let steps = report.attempts.iter().flat_map(|attempt| &attempt.steps);
    steps.flat_map(|step| &step.exchanges)
}

fn percent(passed: bool) -> f64 {
    if passed { 100.0 } else { 0.0 }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}
