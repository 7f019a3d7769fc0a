use std::fmt::Write as _;
use std::time::Duration;

use crate::canary::observation::Phase;
use crate::canary::report::{ExchangeReport, StepReport};
use crate::report::failure::shown_duration;
use crate::report::untrusted::shortened;
use crate::report::visual::escaped;

/// Phases in the order they happen, with the class that colours them.
const PHASES: [(Phase, &str); 6] = [
    (Phase::Resolve, "resolve"),
    (Phase::Connect, "connect"),
    (Phase::Tls, "tls"),
    (Phase::Send, "send"),
    (Phase::Wait, "wait"),
    (Phase::Receive, "receive"),
];

/// Longest address that is shown; its title has more.
const URL_MAX: usize = 90;

/// What a step asked for, each exchange a row, on one scale of time.
pub(super) fn waterfall(step: &StepReport) -> String {
    let Some(first) = step.exchanges.iter().map(|exchange| exchange.started).min() else {
        return String::new();
    };
    let offset = |exchange: &ExchangeReport| {
        let millis = exchange.started.as_millis().saturating_sub(first.as_millis());
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    };
    let ends = step.exchanges.iter().map(|exchange| offset(exchange) + lasted(exchange));
    let scale = ends.max().unwrap_or_default().as_secs_f64().max(0.001);
    let legend: String =
        PHASES.iter().map(|(_, name)| format!("<i class=\"{name}\"></i>{name} ")).collect();
    let mut out = format!(
        "<table class=\"waterfall\"><caption>{} over {} <span class=\"legend\">{legend}</span>\
         </caption>\n",
        match step.exchanges.len() {
            1 => "1 request".to_owned(),
            count => format!("{count} requests"),
        },
        shown_duration(Duration::from_secs_f64(scale))
    );
    for exchange in &step.exchanges {
        let percent = |time: Duration| time.as_secs_f64() / scale * 100.0;
        out.push_str(&row(exchange, percent(offset(exchange)), &percent));
    }
    out.push_str("</table>\n");
    out
}

fn row(exchange: &ExchangeReport, start: f64, percent: &dyn Fn(Duration) -> f64) -> String {
    let mut bars = String::new();
    let mut left = start;
    let mut told = Vec::new();
    for (phase, name) in PHASES {
        let Some(took) = exchange.timings.phase(phase) else { continue };
        told.push(format!("{name} {}", shown_duration(took)));
        let wide = percent(took);
        write!(bars, "<i class=\"{name}\" style=\"--at:{left:.2};--wide:{wide:.2}\"></i>")
            .unwrap_or(());
        left += wide;
    }
    if told.is_empty() {
        let wide = percent(exchange.elapsed);
        write!(bars, "<i class=\"wait\" style=\"--at:{start:.2};--wide:{wide:.2}\"></i>")
            .unwrap_or(());
    }
    let (class, end) = match (exchange.status, &exchange.error) {
        (Some(status), None) if status < 400 => ("passed", status.to_string()),
        (Some(status), _) => ("failed", status.to_string()),
        (None, Some(_)) => ("failed", "no answer".to_owned()),
        (None, None) => ("passed", String::new()),
    };
    let error = exchange.error.as_deref().map(|error| format!(" · {error}")).unwrap_or_default();
    let title = format!("{}\n{}{error}", exchange.url, told.join(", "));
    format!(
        "<tr title=\"{}\"><td>{}</td><td class=\"url\">{}</td><td class=\"{class}\">{end}</td>\
         <td class=\"number\">{}</td><td class=\"number\">{}</td>\
         <td class=\"bars\">{bars}</td></tr>\n",
        escaped(&title),
        escaped(&exchange.method),
        escaped(&shortened(&exchange.url, URL_MAX)),
        bytes(exchange.wire_bytes),
        shown_duration(lasted(exchange)),
    )
}

/// A browser tells phases before it tells that an answer is complete.
fn lasted(exchange: &ExchangeReport) -> Duration {
    let phases = PHASES.iter().filter_map(|(phase, _)| exchange.timings.phase(*phase));
    exchange.elapsed.max(phases.sum())
}

fn bytes(count: u64) -> String {
    match count {
        0 => String::new(),
        1..=1023 => format!("{count} B"),
        1024..=1_048_575 => format!("{} KiB", count / 1024),
        _ => format!("{} MiB", count / 1_048_576),
    }
}
