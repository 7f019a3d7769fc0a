//! Insights over the store gives what the same query gives over the same lines one by one.

use coalmine::query::insights::{Context, Outcome, Pointer, Query, Record};
use coalmine::store::{Direction, LineMask, LogSearch, QueriedGroup, StreamSelection};
use coalmine::telemetry::{LogBatch, LogEvent, TelemetryBatch};
use coalmine::time::TimeRange;
use proptest::prelude::*;

use super::support::{NOON, TempStore, scope};

const QUERIES: &[&str] = &[
    r#"filter @message like "slow" | stats count(*) by bin(1s)"#,
    r#"filter @message like "a-1" | fields @timestamp, @message"#,
    r#"filter @message like ":1" | stats count(*)"#,
    r#"filter @message like "s\":\"" | stats count(*)"#,
    "filter @message like /b.*[0-9]/ | stats count(*) by s",
    "filter n = 5 | stats count(*), sum(n), min(n), max(s) by bin(2s)",
    r#"filter s = "slow" | fields @message, n | sort @timestamp desc | limit 3"#,
    r#"filter s = "a\"b" or s = "5" | fields s"#,
    r#"filter s = "nA\n" | fields @message"#,
    r#"filter b = "true" and s = "x" | stats count(*) by s"#,
    r#"filter o.q.r = "slow" | fields n"#,
    r#"filter l = "[1,\"x\",[]]" or s = "a-7" | fields @message"#,
    "filter s in [\"x\", \"slow\", 5] | stats count(*) by s",
    "filter not ispresent(n) | stats count(*) as c by s | sort c desc",
    "filter o.p > 2 and n < 50 | stats count(*), avg(n), pct(n, 50) by o.p, s",
    "filter ispresent(o) or ispresent(l.1) | fields o, l, l.1, o.q.r | limit 4",
    "filter b = true | stats count(*) by b, z",
    "stats count(*), count(n), sum(n), max(n), min(n), count_distinct(s) by s",
    "stats sum(n) as total by o.p | filter total > 3 | sort total",
    "fields n * 2 as d, s | filter d > 8 | sort d desc | limit 5",
    "parse @message /\"n\":(?<x>[0-9.]+)/ | filter x > 4 | stats count(*) by x",
    "limit 5",
    "fields @timestamp, n | sort n desc | limit 7",
    "filter @timestamp >= 0 and strlen(s) > 1 | dedup s",
    "filter bin(2s) > 0 | stats count(*) by bin(2s) as t | sort t",
    "fields @@own, @ingestionTime, @logStream, @log | filter ispresent(@@own)",
];

fn line() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        (0..12i32).prop_map(|n| n.to_string()),
        (0..40i32).prop_map(|n| format!("{:?}", f64::from(n) / 4.0)),
        Just("1e1".to_owned()),
        Just("-0".to_owned()),
        Just("\"5\"".to_owned()),
    ];
    let text = prop_oneof![
        Just("slow".to_owned()),
        Just("x".to_owned()),
        Just("5".to_owned()),
        Just(r#"a\"b"#.to_owned()),
        Just(r"n\u0041\n".to_owned()),
        (0..300u32).prop_map(|n| format!("a-{n}")),
    ];
    prop_oneof![
        (number.clone(), text.clone()).prop_map(|(n, s)| format!(r#"{{"n":{n},"s":"{s}"}}"#)),
        (number.clone(), number.clone(), text.clone()).prop_map(|(n, p, s)| format!(
            r#"{{"s":"{s}","o":{{"p":{p},"q":{{"r":"{s}"}}}},"n":{n},"b":true,"z":null}}"#
        )),
        (0..9i32, text.clone())
            .prop_map(|(n, s)| format!(r#"{{"l":[{n},"{s}",[]],"@own":{n}, "b" : false}}"#)),
        (number, text.clone()).prop_map(|(n, s)| format!(r#"{{"n":{n},"n":7,"o.p":3,"s":"{s}"}}"#)),
        text.prop_map(|s| format!("plain {s} b7")),
        Just("{\"n\":5".to_owned()),
        Just("{}".to_owned()),
    ]
}

/// Pieces of a group's lines; each but the last is flushed, and then all but it compacted or not.
async fn store_of(pieces: &[Vec<(i64, String)>]) -> TempStore {
    let store = TempStore::new().await;
    for (number, piece) in pieces.iter().enumerate() {
        let mut events: Vec<LogEvent> = piece
            .iter()
            .map(|(millis, message)| LogEvent {
                timestamp: NOON.plus_millis(*millis),
                message: message.clone(),
            })
            .collect();
        events.sort_by_key(|event| event.timestamp);
        let stream = if number % 2 == 0 { "even" } else { "odd" };
        let logs = vec![LogBatch { group: "/g".into(), stream: stream.into(), events }];
        store.store.append(TelemetryBatch { logs, ..TelemetryBatch::new(scope()) }).await.unwrap();
        if number + 1 < pieces.len() {
            store.store.flush().await.unwrap();
        }
    }
    store.store.tidy().await.unwrap();
    store
}

fn context() -> Context {
    let range = TimeRange::new(NOON.plus_millis(500), NOON.plus_millis(9_500));
    Context { range, now: NOON, limit: None }
}

fn group(mask: Option<LineMask>) -> QueriedGroup {
    QueriedGroup { name: "/g".into(), pointer_start: "p.".to_owned(), mask }
}

async fn one_by_one(store: &TempStore, query: &Query) -> Outcome {
    let mut execution = query.start(context());
    let search = LogSearch {
        group: "/g",
        streams: StreamSelection::All,
        range: context().range,
        direction: Direction::OldestFirst,
        token: None,
        limit: 10_000,
    };
    let found = store.store.logs().filter_events(&scope(), &search, &|_| true).await.unwrap();
    let log = format!("{}:/g", scope().account);
    for event in found.events {
        let id = format!("p.{}", event.id());
        let record = Record {
            timestamp: event.timestamp,
            ingestion_time: event.ingestion_time,
            body: &&*event.message,
            log: &log,
            stream: &event.stream,
            pointer: Pointer(&id),
        };
        execution.push(&record).unwrap();
    }
    execution.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_scan_of_columns_finds_what_reading_every_line_finds(
        pieces in proptest::collection::vec(
            proptest::collection::vec((0..10_000i64, line()), 1..60), 1..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = store_of(&pieces).await;
            for text in QUERIES {
                let query = Query::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
                let expected = one_by_one(&store, &query).await;
                let groups = [group(None)];
                let scope = scope();
                let found = store.store.logs().query(&scope, &groups, &query, context());
                let found = found.await.unwrap().unwrap();
                assert_eq!(found.rows, expected.rows, "{text}");
            }
        });
    }
}

#[tokio::test]
async fn lines_come_back_byte_for_byte_from_columns() {
    let texts = [
        r#"{"level":"INFO","ms":35.20,"n":1}"#,
        r#"{"level":"WARN","ms":35.0,"n":-7}"#,
        r#"{"level":"a\"b","ms":1e3,"n":9223372036854775808}"#,
        r#"{ "level" : "INFO", "ms":null, "list":[1, 2,{"x":"]"}] }"#,
        "{}",
        "no JSON, but a hole: \u{1a}",
    ];
    let lines = texts.iter().enumerate().map(|(n, text)| (1000 + n as i64, (*text).to_owned()));
    let lines: Vec<(i64, String)> = lines.collect();
    let store = store_of(&[lines, vec![(5_000, "last".to_owned())]]).await;
    let query = Query::parse("fields @message | sort @timestamp").unwrap();
    let rows = one_by_one(&store, &query).await.rows;
    let seen: Vec<&str> = rows.iter().map(|row| row[0].1.as_str()).collect();
    let expected: Vec<&str> = texts.iter().copied().chain(["last"]).collect();
    assert_eq!(seen, expected);
    let groups = [group(None)];
    let found = store.store.logs().query(&scope(), &groups, &query, context()).await.unwrap();
    assert_eq!(found.unwrap().rows, rows);
}

#[tokio::test]
async fn a_masked_group_is_searched_and_shown_as_masked() {
    let cut = vec![(1000, r#"{"user":"ann","n":1}"#.to_owned())];
    let store = store_of(&[cut, vec![(2000, "ann was here".to_owned())]]).await;
    let mask = LineMask::new(|_, text: &str| text.replace("ann", "***"));
    for (text, expected) in [
        (r#"filter @message like "ann" | stats count(*)"#, "0"),
        (r#"filter user = "ann" | stats count(*)"#, "0"),
        (r#"filter user = "***" | stats count(*)"#, "1"),
        (r#"filter @message like "***" | stats count(*)"#, "2"),
    ] {
        let (query, scope) = (Query::parse(text).unwrap(), scope());
        let groups = [group(Some(mask.clone()))];
        let found = store.store.logs().query(&scope, &groups, &query, context()).await;
        assert_eq!(found.unwrap().unwrap().rows[0][0].1, expected, "{text}");
    }
}
