use std::time::Duration;

use super::untrusted::{harmless, one_line, shortened};
use crate::canary::report::{
    ArtifactKind, ExchangeReport, FailedAssertion, Failure, FileLocation, PictureReport, RunReport,
    StepReport, Verdict,
};

/// What a line about a failure says; decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    /// One sentence: what went wrong.
    Headline,
    /// What should have been.
    Expected,
    /// What was.
    Actual,
    /// A line of a difference: gone, or come.
    Removed,
    Added,
    /// Everything else: where, what was sent, a trace.
    Context,
    /// Whose fault it is, in a few words.
    Reason,
    /// What to do now.
    Next,
}

/// One line about a failure, harmless already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) kind: LineKind,
    pub(super) text: String,
}

/// Everything a report tells about a failed step, as lines; the same for every kind of report.
///
/// Shape: the headline, then for each assertion expected, actual and where; the last exchange; the
/// pictures; the reason; the next step. At most a screenful: long values are cut.
pub(super) fn told(run: &RunReport, step: Option<&StepReport>, failure: &Failure) -> Vec<Line> {
    let mut telling = Telling { lines: Vec::new() };
    telling.say(LineKind::Headline, &one_line(&failure.message));
    for assertion in &failure.assertions {
        telling.assertion(assertion, failure);
    }
    if let Some(detail) = &failure.detail {
        telling.block(LineKind::Context, detail);
    }
    if let Some(step) = step {
        for picture in step.pictures.iter().filter(|picture| !picture.accepted) {
            telling.picture(picture);
        }
        // What was asked last explains an answer; it does not explain a picture.
        if let Some(exchange) = step.exchanges.last()
            && matches!(failure.verdict, Verdict::Target | Verdict::NoAnswer)
        {
            telling.say(LineKind::Context, &exchange_line(exchange, &failure.message));
        }
    }
    telling.say(LineKind::Reason, reason(failure.verdict));
    telling.say(LineKind::Next, &next_step(run, step, failure));
    telling.lines
}

/// Where a failure is to be shown: in the canary's file, or in one that it uses.
pub(super) fn location<'a>(
    step: Option<&'a StepReport>,
    failure: &'a Failure,
) -> Option<&'a FileLocation> {
    let of_assertion = || failure.assertions.iter().find_map(|each| each.location.as_ref());
    let of_step = || step.and_then(|step| step.location.as_ref());
    failure.location.as_ref().or_else(of_assertion).or_else(of_step)
}

/// A duration at the precision people compare: `12 ms`, `1.84 s`, `2 m 05 s`.
pub(super) fn shown_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    match duration.as_secs() {
        0 => format!("{millis} ms"),
        1..=59 => format!("{:.2} s", duration.as_secs_f64()),
        seconds => format!("{} m {:02} s", seconds / 60, seconds % 60),
    }
}

/// A run's name with its parameters: `checkout [currency=eur]`.
pub(super) fn run_name(run: &RunReport) -> String {
    let parameters: Vec<String> =
        run.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let name = match parameters.as_slice() {
        [] => run.canary.to_string(),
        some => format!("{} [{}]", run.canary, some.join(" ")),
    };
    one_line(&name)
}

struct Telling {
    lines: Vec<Line>,
}

impl Telling {
    fn say(&mut self, kind: LineKind, text: &str) {
        self.lines.push(Line { kind, text: text.to_owned() });
    }

    /// Several lines, at most a screenful.
    fn block(&mut self, kind: LineKind, text: &str) {
        const LINES_MAX: usize = 40;
        let harmless = harmless(text);
        let lines: Vec<&str> = harmless.lines().collect();
        for line in lines.iter().take(LINES_MAX) {
            self.say(kind, &shortened(line, 200));
        }
        if lines.len() > LINES_MAX {
            self.say(kind, &format!("… ({} more lines)", lines.len() - LINES_MAX));
        }
    }

    fn assertion(&mut self, assertion: &FailedAssertion, failure: &Failure) {
        const VALUE_MAX: usize = 400;
        let FailedAssertion { subject, expected, actual, place, diff, location } = assertion;
        // One assertion is already the headline; of several each needs its name.
        if failure.assertions.len() > 1 {
            self.say(LineKind::Context, &format!("{}:", one_line(subject)));
        }
        let expected = one_line(&shortened(expected, VALUE_MAX));
        let actual = one_line(&shortened(actual, VALUE_MAX));
        self.say(LineKind::Expected, &format!("expected  {expected}"));
        self.say(LineKind::Actual, &format!("actual    {actual}"));
        let place = place.as_deref().map(one_line);
        let line = location.as_ref().map(|at| format!("line {}", at.line));
        let wheres: Vec<String> = place.into_iter().chain(line).collect();
        if !wheres.is_empty() {
            self.say(LineKind::Context, &format!("at        {}", wheres.join(", ")));
        }
        const DIFF_LINES_MAX: usize = 24;
        let diff: Vec<&str> = diff.iter().flat_map(|diff| diff.lines()).collect();
        for line in diff.iter().take(DIFF_LINES_MAX) {
            let kind = match line.chars().next() {
                Some('-') => LineKind::Removed,
                Some('+') => LineKind::Added,
                _ => LineKind::Context,
            };
            self.block(kind, line);
        }
        if diff.len() > DIFF_LINES_MAX {
            let more = format!("… ({} more lines)", diff.len() - DIFF_LINES_MAX);
            self.say(LineKind::Context, &more);
        }
    }

    fn picture(&mut self, picture: &PictureReport) {
        let PictureReport { name, summary, artifacts, .. } = picture;
        // One picture is already the headline; of several each needs its name.
        let told = self.lines.first().is_some_and(|line| line.text.contains(summary.as_str()));
        if !told {
            self.say(LineKind::Context, &one_line(&format!("picture `{name}`: {summary}")));
        }
        if !artifacts.is_empty() {
            let files = format!("files     {}", artifacts.join(", "));
            self.say(LineKind::Context, &one_line(&files));
        }
    }
}

/// What was asked and what came; what `said` already tells is not told twice.
fn exchange_line(exchange: &ExchangeReport, said: &str) -> String {
    let ExchangeReport { method, url, status, elapsed, error, .. } = exchange;
    let end = match (status, error) {
        (Some(status), _) => format!("-> {status}"),
        (None, Some(error)) if error != said => format!("-> {error}"),
        (None, Some(_)) => "gave up".to_owned(),
        (None, None) => "done".to_owned(),
    };
    one_line(&format!("{method} {url} {end} after {}", shown_duration(*elapsed)))
}

/// Whose fault it is, said to who was paged.
pub(super) const fn reason(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Target => "the target answered, and the answer was wrong",
        Verdict::NoAnswer => "the target gave no usable answer",
        Verdict::Visual => "the page does not look as it was approved",
        Verdict::Canary => "the canary itself is broken, not its target",
        Verdict::Policy => "policy does not allow what the canary asked for",
        Verdict::Runner => "this machine could not do it; nothing is known about the target",
    }
}

fn next_step(run: &RunReport, step: Option<&StepReport>, failure: &Failure) -> String {
    let file = &run.file;
    let place = location(step, failure)
        .map_or_else(|| file.to_string(), |at| format!("{}:{}", at.file, at.line));
    let step = match failure.verdict {
        Verdict::Target | Verdict::NoAnswer => {
            let curl = step.and_then(|step| step.exchanges.last()?.curl.as_deref());
            match (curl, screenshot(run)) {
                (Some(curl), _) => format!("ask by hand: {curl}"),
                (None, Some(name)) => format!("look at {name}"),
                (None, None) => format!("look at the step: {place}"),
            }
        }
        Verdict::Visual => "look at it and decide: coalmine baselines review".to_owned(),
        Verdict::Canary => format!("mend {place}, then: coalmine check {file}"),
        Verdict::Policy => {
            "if you trust the canary, allow it: --allow-net HOST:PORT, --allow-env NAME".to_owned()
        }
        Verdict::Runner => "coalmine doctor".to_owned(),
    };
    one_line(&step)
}

fn screenshot(run: &RunReport) -> Option<&str> {
    let mut pictures =
        run.artifacts.iter().filter(|artifact| artifact.kind == ArtifactKind::FailureScreenshot);
    pictures.next().map(|artifact| artifact.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_precision_that_people_compare() {
        for (millis, shown) in
            [(0, "0 ms"), (999, "999 ms"), (1_844, "1.84 s"), (125_000, "2 m 05 s")]
        {
            assert_eq!(shown_duration(Duration::from_millis(millis)), shown);
        }
    }
}
