use std::sync::Arc;

use super::put::{alarm_period, span_secs_max};
use super::{
    AlarmActions, AlarmCare, AlarmOrigin, ComparisonOperator, MetricAlarm, SingleMetric, Threshold,
    TreatMissingData, Watched,
};
use crate::diagnostic::{Diagnostic, Span, did_you_mean};
use crate::query::statistic::Statistic;
use crate::telemetry::{Dimensions, MetricId, StandardUnit};
use crate::time::{Period, Timestamp};

/// The namespace of canary metrics.
const NAMESPACE: &str = "CloudWatchSynthetics";

/// A metric that every canary may emit.
struct CanaryMetric {
    name: &'static str,
    unit: StandardUnit,
    /// The statistic that means something.
    usual: Statistic,
}

impl CanaryMetric {
    const fn new(name: &'static str, unit: StandardUnit, usual: Statistic) -> Self {
        Self { name, unit, usual }
    }
}

/// Source: CloudWatch User Guide, "CloudWatch metrics published by canaries".
const CANARY_METRICS: &[CanaryMetric] = &[
    CanaryMetric::new("SuccessPercent", StandardUnit::Percent, Statistic::Average),
    CanaryMetric::new("SuccessPercentWithRetries", StandardUnit::Percent, Statistic::Average),
    CanaryMetric::new("VisualMonitoringSuccessPercent", StandardUnit::Percent, Statistic::Average),
    CanaryMetric::new("Duration", StandardUnit::Milliseconds, Statistic::Average),
    CanaryMetric::new("RetryCount", StandardUnit::Count, Statistic::Sum),
    CanaryMetric::new("2xx", StandardUnit::Count, Statistic::Sum),
    CanaryMetric::new("4xx", StandardUnit::Count, Statistic::Sum),
    CanaryMetric::new("5xx", StandardUnit::Count, Statistic::Sum),
    CanaryMetric::new("Failed requests", StandardUnit::Count, Statistic::Sum),
    CanaryMetric::new("Failed", StandardUnit::Count, Statistic::Sum),
];

const GRAMMAR: &str = "METRIC < NUMBER for M of N periods of 1m, \
     such as `SuccessPercent < 100 for 2 of 3 periods of 1m` or `p99 Duration > 2s`";

/// The one-line condition of a canary file's alarm.
///
/// ```text
/// [STATISTIC] METRIC [of step STEP] OPERATOR NUMBER[UNIT] [for [M of] N periods [of WIDTH]]
/// SuccessPercent < 100 for 2 of 3 periods of 1m
/// p99 Duration of step "log in" > 300ms for 3 periods of 5m
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The metric's name, one of the canary's own.
    pub metric: Arc<str>,
    /// The step it is measured for; `None` for the whole run.
    pub step: Option<Arc<str>>,
    /// Which statistic of it.
    pub statistic: Statistic,
    /// How it is compared.
    pub comparison: ComparisonOperator,
    /// With what, in the metric's unit.
    pub threshold: f64,
    /// M.
    pub datapoints_to_alarm: u32,
    /// N.
    pub evaluation_periods: u32,
    /// The width of a datapoint.
    pub period: Period,
}

/// What a canary file says of an alarm beside its condition.
#[derive(Clone, Debug)]
pub struct ConditionAlarm<'a> {
    /// The alarm's name.
    pub name: Arc<str>,
    /// The canary.
    pub canary: &'a Arc<str>,
    /// The condition as it was written; becomes the description.
    pub text: &'a str,
    /// What a missing datapoint counts as.
    pub missing: TreatMissingData,
    /// ARNs of what is told on ALARM and on OK.
    pub notify: Vec<Arc<str>>,
    /// How often people are told.
    pub care: AlarmCare,
    /// When the file was read.
    pub configured: Timestamp,
}

impl Condition {
    /// Reads a condition. Spans count from the start of `text`.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        Parser { words: words(text), text, at: 0 }.condition()
    }

    /// The alarm it stands for.
    pub fn alarm(&self, declared: ConditionAlarm<'_>) -> MetricAlarm {
        let canary = [("CanaryName", Arc::clone(declared.canary))];
        let step = self.step.iter().map(|step| ("StepName", Arc::clone(step)));
        let metric = MetricId {
            namespace: NAMESPACE.into(),
            metric_name: Arc::clone(&self.metric),
            dimensions: Dimensions::of(canary.into_iter().chain(step)),
        };
        MetricAlarm {
            name: declared.name,
            description: Some(declared.text.into()),
            actions: AlarmActions {
                enabled: true,
                ok: declared.notify.clone(),
                alarm: declared.notify,
                insufficient_data: Vec::new(),
            },
            watched: Watched::Metric(SingleMetric {
                metric,
                statistic: self.statistic.into(),
                period: self.period,
                unit: None,
            }),
            evaluation_periods: self.evaluation_periods,
            datapoints_to_alarm: Some(self.datapoints_to_alarm),
            comparison: self.comparison,
            threshold: Threshold::Static(self.threshold),
            treat_missing_data: Some(declared.missing),
            low_sample_count: None,
            origin: AlarmOrigin::CanaryFile { canary: Arc::clone(declared.canary) },
            tags: declared.care.tags(),
            configured: declared.configured,
        }
    }
}

/// One word of a condition, without its quotes.
#[derive(Clone, Copy, Debug)]
struct Word<'a> {
    text: &'a str,
    span: Span,
    quoted: bool,
}

/// Splits at spaces and around comparison signs; quotes keep a name together.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let space = rest.len() - rest.trim_start().len();
        if space > 0 {
            at += space;
            continue;
        }
        let is_sign = |c: char| matches!(c, '<' | '>' | '=' | '!');
        let quoted = rest.starts_with('"');
        let length = if quoted {
            rest.get(1..).and_then(|inner| inner.find('"')).map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with(is_sign) {
            rest.find(|c| !is_sign(c)).unwrap_or(rest.len())
        } else {
            rest.find(|c: char| c.is_whitespace() || is_sign(c)).unwrap_or(rest.len())
        };
        let word = rest.get(..length).unwrap_or("");
        found.push(Word { text: word.trim_matches('"'), span: Span::new(at, at + length), quoted });
        at += length;
    }
    found
}

struct Parser<'a> {
    text: &'a str,
    words: Vec<Word<'a>>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn condition(mut self) -> Result<Condition, Diagnostic> {
        let statistic = self.statistic();
        let (metric, known) = self.metric()?;
        let step = self.step()?;
        let comparison = self.comparison()?;
        let threshold = self.threshold(known.map(|metric| metric.unit))?;
        let (datapoints_to_alarm, evaluation_periods, period) = self.periods()?;
        if let Some(word) = self.peek() {
            let fault = Diagnostic::error(
                "alarm-condition",
                format!("`{}` does not belong here", word.text),
                word.span,
            );
            return Err(fault.help(format!("a condition is {GRAMMAR}")));
        }
        let usual = known.map_or(Statistic::Average, |metric| metric.usual);
        let statistic = statistic.unwrap_or(usual);
        Ok(Condition {
            metric,
            step,
            statistic,
            comparison,
            threshold,
            datapoints_to_alarm,
            evaluation_periods,
            period,
        })
    }

    /// A leading statistic, when another word that can be the metric follows it.
    fn statistic(&mut self) -> Option<Statistic> {
        let word = self.peek().filter(|word| !word.quoted)?;
        let follows = self.words.get(self.at + 1)?;
        if follows.text.starts_with(['<', '>', '=', '!']) || follows.text == "of" {
            return None;
        }
        let found = match word.text {
            "min" | "minimum" => Statistic::Minimum,
            "max" | "maximum" => Statistic::Maximum,
            "avg" | "average" => Statistic::Average,
            "sum" => Statistic::Sum,
            "count" => Statistic::SampleCount,
            other => other.parse().ok()?,
        };
        self.at += 1;
        Some(found)
    }

    fn metric(&mut self) -> Result<(Arc<str>, Option<&'static CanaryMetric>), Diagnostic> {
        let Some(word) = self.next().filter(|word| !word.text.starts_with(['<', '>', '=', '!']))
        else {
            return Err(self.expected("alarm-metric", "a metric's name"));
        };
        let known = CANARY_METRICS.iter().find(|metric| metric.name == word.text);
        if known.is_none() && !word.quoted {
            let names = CANARY_METRICS.iter().map(|metric| metric.name);
            if let Some(meant) = did_you_mean(word.text, names) {
                let message = format!("canaries emit no metric `{}`", word.text);
                let fault = Diagnostic::error("alarm-metric", message, word.span)
                    .label(format!("did you mean `{meant}`?"));
                return Err(fault.help("a metric of your own with such a name goes in quotes"));
            }
        }
        Ok((word.text.into(), known))
    }

    fn step(&mut self) -> Result<Option<Arc<str>>, Diagnostic> {
        if !self.word("of") {
            return Ok(None);
        }
        if !self.word("step") {
            return Err(self.expected("alarm-condition", "`step` and the step's name"));
        }
        match self.next() {
            Some(name) => Ok(Some(name.text.into())),
            None => Err(self.expected("alarm-condition", "the step's name, in quotes")),
        }
    }

    fn comparison(&mut self) -> Result<ComparisonOperator, Diagnostic> {
        let Some(word) = self.next() else {
            return Err(self.expected("alarm-operator", "`<`, `<=`, `>` or `>=`"));
        };
        match word.text {
            "<" => Ok(ComparisonOperator::LessThanThreshold),
            "<=" => Ok(ComparisonOperator::LessThanOrEqualToThreshold),
            ">" => Ok(ComparisonOperator::GreaterThanThreshold),
            ">=" => Ok(ComparisonOperator::GreaterThanOrEqualToThreshold),
            other => {
                let message = format!("`{other}` is no comparison that alarms know");
                let fault = Diagnostic::error("alarm-operator", message, word.span);
                Err(fault.help("write `<`, `<=`, `>` or `>=`"))
            }
        }
    }

    /// A number, with a unit that is turned into the metric's.
    fn threshold(&mut self, unit: Option<StandardUnit>) -> Result<f64, Diagnostic> {
        let Some(word) = self.next() else {
            return Err(self.expected("alarm-threshold", "a number"));
        };
        let end = word.text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')));
        let (digits, suffix) = word.text.split_at(end.unwrap_or(word.text.len()));
        let number = digits.parse::<f64>().ok().filter(|number| number.is_finite());
        let Some(number) = number else {
            let message = format!("`{}` is no number", word.text);
            return Err(Diagnostic::error("alarm-threshold", message, word.span));
        };
        let factor = match (suffix, unit) {
            ("", _) | ("%", Some(StandardUnit::Percent)) => 1.0,
            ("ms", Some(StandardUnit::Milliseconds)) => 1.0,
            ("s", Some(StandardUnit::Milliseconds)) => 1_000.0,
            ("m", Some(StandardUnit::Milliseconds)) => 60_000.0,
            _ => {
                let message = format!("`{suffix}` is no unit of this metric");
                let measured = match unit {
                    Some(unit) => format!("the metric is in {unit}"),
                    None => "a metric of your own takes a bare number, in its own unit".to_owned(),
                };
                return Err(Diagnostic::error("alarm-threshold", message, word.span).help(measured));
            }
        };
        Ok(number * factor)
    }

    /// M, N and the width; `1 of 1 periods of 1m` unless said.
    fn periods(&mut self) -> Result<(u32, u32, Period), Diagnostic> {
        if !self.word("for") {
            return Ok((1, 1, Period::MINUTE));
        }
        let from = self.peek().map_or(Span::point(self.text.len()), |word| word.span);
        let first = self.count()?;
        let (to_alarm, evaluated) =
            if self.word("of") { (first, self.count()?) } else { (first, first) };
        let counted = from.to(self.last_span());
        if to_alarm > evaluated {
            let message = format!("{to_alarm} of {evaluated} periods can never be reached");
            return Err(Diagnostic::error("alarm-periods", message, counted));
        }
        if !(self.word("periods") || self.word("period")) {
            return Err(self.expected("alarm-periods", "`periods`"));
        }
        let period = if self.word("of") { self.width()? } else { Period::MINUTE };
        let max_secs = span_secs_max(period);
        if u64::from(evaluated) * u64::from(period.as_secs()) > u64::from(max_secs) {
            let most = if max_secs == 86_400 { "a day" } else { "a week" };
            let message = format!("{evaluated} periods of {period} are more than {most}");
            let fault = Diagnostic::error("alarm-periods", message, from.to(self.last_span()));
            return Err(fault.help("an alarm looks back a day; a week with periods of 1h or more"));
        }
        Ok((to_alarm, evaluated, period))
    }

    fn count(&mut self) -> Result<u32, Diagnostic> {
        match self.peek().map(|word| (word, word.text.parse::<u32>())) {
            Some((_, Ok(count))) if count > 0 => {
                self.at += 1;
                Ok(count)
            }
            _ => Err(self.expected("alarm-periods", "a number of periods, 1 or more")),
        }
    }

    fn width(&mut self) -> Result<Period, Diagnostic> {
        let Some(word) = self.next() else {
            return Err(self.expected("alarm-period", "the width of a period, such as `1m`"));
        };
        let end = word.text.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.text.len());
        let (digits, unit) = word.text.split_at(end);
        let unit_secs = match unit {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3_600),
            "d" => Some(86_400),
            _ => None,
        };
        let seconds = digits.parse::<u32>().ok().zip(unit_secs).and_then(|(n, s)| n.checked_mul(s));
        seconds.and_then(|seconds| alarm_period(seconds).ok()).ok_or_else(|| {
            let message = format!("`{}` is no width of a period", word.text);
            let fault = Diagnostic::error("alarm-period", message, word.span);
            fault.help("write 10s, 20s, 30s or whole minutes: 1m, 5m, 1h")
        })
    }

    fn peek(&self) -> Option<Word<'a>> {
        self.words.get(self.at).copied()
    }

    fn next(&mut self) -> Option<Word<'a>> {
        let word = self.peek()?;
        self.at += 1;
        Some(word)
    }

    fn word(&mut self, text: &str) -> bool {
        let found = self.peek().is_some_and(|word| !word.quoted && word.text == text);
        self.at += usize::from(found);
        found
    }

    fn last_span(&self) -> Span {
        let last = self.at.checked_sub(1).and_then(|at| self.words.get(at));
        last.map_or(Span::point(self.text.len()), |word| word.span)
    }

    fn expected(&self, code: &'static str, what: &str) -> Diagnostic {
        let end = Span::point(self.text.trim_end().len());
        let (span, found) = match self.peek() {
            Some(word) => (word.span, format!("found `{}`", word.text)),
            None => (end, "the condition ends here".to_owned()),
        };
        Diagnostic::error(code, format!("expected {what}"), span)
            .label(found)
            .help(format!("a condition is {GRAMMAR}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief(text: &str) -> String {
        let c = Condition::parse(text).unwrap();
        let step = c.step.map(|step| format!(" of {step}")).unwrap_or_default();
        format!(
            "{} {}{step} {} {} {}/{} {}",
            c.statistic,
            c.metric,
            c.comparison,
            c.threshold,
            c.datapoints_to_alarm,
            c.evaluation_periods,
            c.period
        )
    }

    #[test]
    fn conditions_are_read_with_their_defaults() {
        for (text, expected) in [
            (
                "SuccessPercent < 100 for 2 of 3 periods of 1m",
                "Average SuccessPercent LessThanThreshold 100 2/3 1m",
            ),
            ("SuccessPercent<90%", "Average SuccessPercent LessThanThreshold 90 1/1 1m"),
            (
                "p99 Duration of step \"log in\" > 1.5s for 3 periods of 5m",
                "p99 Duration of log in GreaterThanThreshold 1500 3/3 5m",
            ),
            ("max Duration >= 300ms", "Maximum Duration GreaterThanOrEqualToThreshold 300 1/1 1m"),
            ("5xx > 0 for 1 period of 10s", "Sum 5xx GreaterThanThreshold 0 1/1 10s"),
            ("\"Failed requests\" > 2", "Sum Failed requests GreaterThanThreshold 2 1/1 1m"),
            (
                "LoginBytes <= 5 for 2 periods",
                "Average LoginBytes LessThanOrEqualToThreshold 5 2/2 1m",
            ),
            ("\"SucessPercent\" < 1", "Average SucessPercent LessThanThreshold 1 1/1 1m"),
        ] {
            assert_eq!(brief(text), expected, "{text}");
        }
    }

    #[test]
    fn a_fault_marks_the_word_and_says_what_to_write() {
        for (text, code, marked, message) in [
            ("", "alarm-metric", "", "expected a metric's name"),
            (
                "SucessPercent < 1",
                "alarm-metric",
                "SucessPercent",
                "canaries emit no metric `SucessPercent`",
            ),
            ("Duration == 5", "alarm-operator", "==", "`==` is no comparison that alarms know"),
            ("Duration >", "alarm-threshold", "", "expected a number"),
            ("Duration > fast", "alarm-threshold", "fast", "`fast` is no number"),
            ("SuccessPercent < 5s", "alarm-threshold", "5s", "`s` is no unit of this metric"),
            (
                "Duration > 5 for 3 of 2 periods",
                "alarm-periods",
                "3 of 2",
                "3 of 2 periods can never be reached",
            ),
            (
                "Duration > 5 for ever",
                "alarm-periods",
                "ever",
                "expected a number of periods, 1 or more",
            ),
            ("Duration > 5 for 2 times", "alarm-periods", "times", "expected `periods`"),
            (
                "Duration > 5 for 2 periods of 45s",
                "alarm-period",
                "45s",
                "`45s` is no width of a period",
            ),
            (
                "Duration > 5 for 25 periods of 1m please",
                "alarm-condition",
                "please",
                "`please` does not belong here",
            ),
            (
                "Duration > 5 for 289 periods of 5m",
                "alarm-periods",
                "289 periods of 5m",
                "289 periods of 5m are more than a day",
            ),
        ] {
            let fault = Condition::parse(text).unwrap_err();
            let span = fault.span().unwrap();
            assert_eq!(fault.code, code, "{text}");
            assert_eq!(&text[span.start..span.end], marked, "{text}");
            assert_eq!(fault.message, message, "{text}");
        }
    }

    #[test]
    fn a_condition_becomes_an_alarm_on_the_canarys_metric() {
        let text = "SuccessPercent < 100 for 2 of 3 periods of 1m";
        let canary: Arc<str> = "shop".into();
        let alarm = Condition::parse(text).unwrap().alarm(ConditionAlarm {
            name: "Synthetics-Alarm-shop-1".into(),
            canary: &canary,
            text,
            missing: TreatMissingData::Breaching,
            notify: vec!["arn:aws:sns:us-east-1:123456789012:oncall".into()],
            care: AlarmCare::default(),
            configured: Timestamp::EPOCH,
        });
        let Watched::Metric(single) = &alarm.watched else { panic!("not on a metric") };
        assert_eq!(&*single.metric.namespace, "CloudWatchSynthetics");
        assert_eq!(single.metric.dimensions, Dimensions::of([("CanaryName", "shop")]));
        assert_eq!(alarm.datapoints_to_alarm(), 2);
        assert_eq!(alarm.actions.alarm.len(), 1);
        assert_eq!(alarm.origin, AlarmOrigin::CanaryFile { canary });
    }
}
