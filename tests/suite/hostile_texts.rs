//! T27: everything that reads a text of others reads a few hundred broken ones: none panics, none
//! takes long.

use std::fs;
use std::path::Path;
use std::time::Duration;

use coalmine::alarm::{AlarmRule, Condition};
use coalmine::canary::import::{ImportOptions, curl, har, openapi, postman};
use coalmine::canary::load::{NoImports, load};
use coalmine::canary::schedule::Schedule;
use coalmine::canary::selection::Selection;
use coalmine::canary::xpath::XPath;
use coalmine::diagnostic::SourceFile;
use coalmine::pattern::EventPattern;
use coalmine::query::filter_pattern::FilterPattern;
use coalmine::query::insights::Query;
use coalmine::query::metric_math::Expression;
use coalmine::query::metric_search::MetricSearch;
use coalmine::query::trace::{EntitySelector, TraceFilter, read_document};
use coalmine::time::{Clock, SystemClock};

use crate::hostile_files::mutated;

/// Of each reader.
const TEXTS: u64 = 300;

/// Far above what a text takes, so that a busy machine passes.
const TIME_MAX: Duration = Duration::from_secs(5);

/// Reads a text; whether it was taken.
type Reader = fn(&str) -> bool;

const SHORT: &[(&str, &str, Reader)] = &[
    ("cron", "cron(0/5 8-18 ? * MON-FRI *)", |text| Schedule::parse(text, "Europe/Berlin").is_ok()),
    ("rate", "rate(5 minutes)", |text| Schedule::parse(text, "UTC").is_ok()),
    ("selection", "smoke and not (slow or flaky-*)", |text| Selection::parse(text).is_ok()),
    ("xpath", "//div[@class='a']/p[position() < 3]/text()", |text| XPath::parse(text).is_ok()),
    ("condition", "SuccessPercent < 100 for 2 of 3 periods of 1m", |text| {
        Condition::parse(text).is_ok()
    }),
    ("rule", "ALARM(a) AND (NOT OK(\"b c\") OR INSUFFICIENT_DATA(d))", |text| {
        AlarmRule::parse(text).is_ok()
    }),
    ("filter", "{ ($.a.b = \"x*\") && ($.n > 3) || ($.c IS NULL) }", |text| {
        FilterPattern::parse(text).is_ok()
    }),
    ("words", "[ip, user, status_code=4*, size > 10, ...]", |text| {
        FilterPattern::parse(text).is_ok()
    }),
    (
        "insights",
        "fields @timestamp, @message | parse @message \"a * b\" as x\n\
         | filter x like /re/ and n > 3 | stats count(*) as c by bin(5m) | sort c desc | limit 20",
        |text| Query::parse(text).is_ok(),
    ),
    ("math", "IF(m1 > 0, m2 / PERIOD(m1), FILL(METRICS(), 0))", |text| {
        Expression::parse(text).is_ok()
    }),
    ("search", "{AWS/EC2,InstanceId} MetricName=\"CPU\" (a OR NOT b)", |text| {
        MetricSearch::parse(text).is_ok()
    }),
    ("traces", "service(\"a\") { fault } AND annotation[x] = 3 OR responsetime > 5", |text| {
        TraceFilter::parse(text).is_ok()
    }),
    (
        "pattern",
        "{\"source\": [{\"prefix\": \"a\"}],\n\"detail\": {\"n\": [{\"numeric\": [\">\", 1]}]}}",
        |text| EventPattern::parse(text).is_ok(),
    ),
    ("selector", "edge(\"a\", \"b\")", |text| EntitySelector::parse(text).is_ok()),
    (
        "segment",
        "{\"trace_id\": \"1-5759e988-bd862e3fe1be46a994272793\", \"id\": \"53995c3f42cd8ad8\",\n\
         \"name\": \"a\", \"start_time\": 1.0, \"end_time\": 2.0, \"annotations\": {\"k\": 1}}",
        |text| read_document(text.into()).is_ok(),
    ),
];

#[test]
fn broken_expressions_are_refused_in_time() {
    for (name, seed, read) in SHORT {
        assert!(read(seed), "{name}: the seed itself is fine");
        let taken = |number: &u64| timed(name, *number, || read(&mutated(seed, *number)));
        assert!((0..TEXTS).any(|number| !taken(&number)), "{name}: something was refused");
    }
}

fn timed<T>(name: &str, number: u64, read: impl FnOnce() -> T) -> T {
    let begun = SystemClock.monotonic();
    let value = read();
    let took = SystemClock.monotonic().since(begun);
    assert!(took < TIME_MAX, "{name} {number} took {took:?}");
    value
}

#[test]
fn broken_recordings_are_imported_or_refused_in_time() {
    let options = ImportOptions::default();
    for (kind, file) in [
        ("har", "shop.har"),
        ("curl", "shop.curl"),
        ("openapi", "shop.openapi"),
        ("postman", "shop.postman"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/import").join(file);
        let seed = fs::read_to_string(path).unwrap();
        let mut drafts = 0;
        for number in 0..TEXTS {
            let text = mutated(&seed, number);
            let read = || match kind {
                "har" => har::draft(&text, &options).ok(),
                "curl" => curl::draft(&text, &options).ok(),
                "openapi" => openapi::draft(&text, &options).ok(),
                _ => postman::draft(&text, &options).ok(),
            };
            let Some(draft) = timed(kind, number, read) else { continue };
            drafts += 1;
            // The importer does so, too, and hands over none that has faults.
            let file = SourceFile::new("draft.yaml", draft.to_yaml());
            timed(kind, number, || load(&file, Path::new("."), &NoImports).is_ok());
        }
        assert!(drafts > 0, "{kind}: some mutations are harmless");
    }
}
