use std::fmt::Write as _;

use crate::canary::report::Failure;
use crate::cli::ExitStatus;
use crate::cli::screen::Screen;
use crate::diagnostic::printable;
use crate::runner::{PlannedStep, RunPlan, RunRequest, Runner};

/// Shows what each run would send, in the order of the runs. Sends nothing.
pub(super) async fn show(screen: &Screen, runner: &Runner, requests: &[RunRequest]) -> ExitStatus {
    let mut status = ExitStatus::Passed;
    for request in requests {
        let plan = runner.plan(request).await;
        if let Some(failure) = plan.failure() {
            status = status.max(ExitStatus::of(failure.verdict));
        }
        screen.write(&told(&plan));
    }
    status
}

fn told(plan: &RunPlan) -> String {
    let parameters: Vec<String> =
        plan.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let of =
        if parameters.is_empty() { String::new() } else { format!(" [{}]", parameters.join(" ")) };
    let mut text = format!("{}{}  {}\n", plan.canary, printable(&of), plan.file);
    if let Some(failure) = &plan.failure {
        fault(&mut text, failure);
    }
    match &plan.steps {
        Some(steps) => {
            for (index, step) in steps.iter().enumerate() {
                told_step(&mut text, index + 1, step);
            }
        }
        None if plan.failure.is_none() => {
            text.push_str("  a script: its steps are known only when it runs\n");
        }
        None => {}
    }
    text.push('\n');
    text
}

fn told_step(text: &mut String, number: usize, step: &PlannedStep) {
    // Writing to a String cannot fail.
    let _ok = writeln!(text, "  step {number} {}", printable(&step.name));
    match &step.lines {
        Err(failure) => fault(text, failure),
        Ok(lines) => {
            for line in lines {
                let line = printable(line).replace('\n', "\\n");
                let _ok = writeln!(text, "    {line}");
            }
        }
    }
    for name in &step.needs {
        let _ok = writeln!(text, "    (captured-{name} stands for what is captured before)");
    }
}

fn fault(text: &mut String, failure: &Failure) {
    let place = failure.location.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
    let message = printable(&failure.message).replace('\n', "\\n");
    let _ok = writeln!(text, "    cannot be sent: {place}{message}");
}
