use super::{Context, InsightsError, Pointer, Query, Record};
use crate::time::{TimeRange, Timestamp};

const MINUTE: i64 = 60_000;

fn context() -> Context {
    Context {
        range: TimeRange::new(Timestamp::EPOCH, Timestamp::from_millis(60 * MINUTE)),
        now: Timestamp::from_millis(61 * MINUTE),
        limit: None,
    }
}

/// The result as lines of `field=value`, event rows without their `@ptr`.
fn run_on(query: &str, messages: &[(i64, &str)]) -> Vec<String> {
    let query = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error:?}"));
    let mut execution = query.start(context());
    for (millis, message) in messages {
        let record = Record {
            timestamp: Timestamp::from_millis(*millis),
            ingestion_time: Timestamp::from_millis(*millis + 5),
            body: message,
            log: "123456789012:/app",
            stream: "s",
            pointer: Pointer(&"p"),
        };
        execution.push(&record).unwrap();
    }
    let rows = execution.finish().unwrap().rows;
    let shown = |row: Vec<(String, String)>| {
        let pairs = row.into_iter().filter(|(name, _)| name != "@ptr");
        pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    rows.into_iter().map(shown).collect()
}

/// The value of one expression over one empty message.
fn value(expression: &str) -> String {
    let rows = run_on(&format!("fields {expression} as x"), &[(0, "")]);
    rows[0].strip_prefix("x=").unwrap_or("null").to_owned()
}

const REQUESTS: [(i64, &str); 5] = [
    (0, r#"{"path":"/a","status":200,"ms":10,"user":{"id":"u1"},"tags":["x","y"]}"#),
    (MINUTE, r#"{"path":"/b","status":500,"ms":30,"user":{"id":"u2"}}"#),
    (2 * MINUTE, r#"{"path":"/a","status":200,"ms":20,"user":{"id":"u1"}}"#),
    (6 * MINUTE, r#"{"path":"/a","status":404,"ms":40}"#),
    (7 * MINUTE, "not JSON at all"),
];

#[test]
fn raw_rows_come_newest_first_with_time_and_message() {
    let rows = run_on("limit 2", &[(0, "a"), (2000, "c"), (1000, "b")]);
    assert_eq!(
        rows,
        [
            "@timestamp=1970-01-01 00:00:02.000 @message=c",
            "@timestamp=1970-01-01 00:00:01.000 @message=b"
        ]
    );
}

#[test]
fn filters_see_discovered_fields() {
    for (filter, expected) in [
        ("status = 200", 2),
        ("status = \"200\"", 2),
        ("status != 200", 2),
        ("status >= 400 and path = \"/a\"", 1),
        ("status > 400 or ms < 15", 3),
        ("not (status = 200)", 3),
        ("user.id = 'u1'", 2),
        ("tags.1 = 'y'", 1),
        ("path in [\"/a\", \"/c\"]", 3),
        ("path not in ['/a']", 2),
        ("@message like /JSON/", 1),
        ("@message like \"JSON\"", 1),
        ("@message not like /\\d/", 1),
        ("@message =~ /(?i)json/", 1),
        ("ispresent(user.id)", 3),
        ("not ispresent(status)", 1),
        ("missing = 1", 0),
        ("missing != 1", 0),
        ("ms / 0 = 1", 0),
        ("ms * 2 + 1 > 60", 2),
        ("2 ^ 3 = 8 and 10 % 3 = 1", 5),
    ] {
        let rows = run_on(&format!("filter {filter} | stats count(*) as n"), &REQUESTS);
        assert_eq!(rows, [format!("n={expected}")], "{filter}");
    }
}

#[test]
fn stats_group_name_and_combine() {
    assert_eq!(
        run_on("stats count(*), avg(ms) by path", &REQUESTS),
        [
            "count(*)=1",
            "path=/a count(*)=3 avg(ms)=23.333333333333332",
            "path=/b count(*)=1 avg(ms)=30"
        ]
    );
    assert_eq!(
        run_on("filter ispresent(ms) | stats count(*) as n by bin(5m) as t | sort t", &REQUESTS),
        ["t=1970-01-01 00:00:00.000 n=3", "t=1970-01-01 00:05:00.000 n=1"]
    );
    assert_eq!(
        run_on(
            "stats max(ms) as a, min(ms) as b, a - b as d, sum(status>=500)/count(status)*100 as p",
            &REQUESTS
        ),
        ["a=40 b=10 d=30 p=25"]
    );
    assert_eq!(
        run_on("filter status = 999 | stats count(*) as n, avg(ms) as a", &REQUESTS),
        ["n=0"]
    );
    assert_eq!(
        run_on(
            "stats count(*) as c by bin(5m) as t, path | stats max(c) as peak by path \
             | sort peak desc | limit 1",
            &REQUESTS
        ),
        ["path=/a peak=2"]
    );
}

#[test]
fn aggregates_follow_the_reference() {
    for (aggregate, expected) in [
        ("count(user.id)", "3"),
        ("count_distinct(path)", "2"),
        ("sum(ms)", "100"),
        ("pct(ms, 50)", "25"),
        ("pct(ms, 100)", "40"),
        ("stddev(ms)", "11.180339887498949"),
        ("variance(ms)", "125"),
        ("earliest(path)", "/a"),
        ("latest(status)", "404"),
        ("sortsFirst(path)", "/a"),
        ("sortsLast(path)", "/b"),
        ("values(path)", "[\"/a\",\"/b\",\"/a\",\"/a\"]"),
        ("topk(1, path)", "[\"/a\"]"),
        ("rate(ms, 1h)", "100"),
        ("histogram(ms, 2)", "{\"10\":2,\"25\":2}"),
        ("max(@timestamp)", "1970-01-01 00:07:00.000"),
    ] {
        let rows = run_on(&format!("stats {aggregate} as x"), &REQUESTS);
        assert_eq!(rows, [format!("x={expected}")], "{aggregate}");
    }
}

#[test]
fn parse_takes_globs_and_regexes() {
    let lines = [(0, "[ERROR] user=ann, method:GET, latency := 12"), (1, "nothing")];
    let parse = "parse @message \"[*] user=*, method:*, latency := *\" as level, u, m, l";
    assert_eq!(
        run_on(&format!("{parse} | filter level = \"ERROR\" | display u, m, l"), &lines),
        ["u=ann m=GET l=12"]
    );
    assert_eq!(
        run_on("parse @message /user=(?<who>\\w+)/ | display who | sort @timestamp", &lines),
        ["who=ann", ""]
    );
    assert_eq!(run_on("parse \"user=*,\" as who | stats count(who) as n", &lines), ["n=1"]);
}

#[test]
fn sort_is_natural_in_both_directions() {
    let sample = [
        "!:",
        "#",
        "*%04",
        "0#",
        "5A",
        "111A",
        "2345_",
        "@",
        "@_",
        "A",
        "A9876fghj",
        "a12345hfh",
        "0",
        "01",
        "1",
        "2",
        "3",
    ];
    let mut shuffled: Vec<(i64, &str)> = (0..).zip(sample).collect();
    shuffled.reverse();
    shuffled.rotate_left(5);
    let sorted = run_on("display @message | sort @message", &shuffled);
    let expected: Vec<String> = sample.iter().map(|text| format!("@message={text}")).collect();
    assert_eq!(sorted, expected);
    let mut reversed = run_on("display @message | sort @message desc", &shuffled);
    reversed.reverse();
    assert_eq!(reversed, expected);
}

#[test]
fn dedup_keeps_the_first_of_the_order_and_all_without_a_key() {
    assert_eq!(
        run_on("display path, status | sort @timestamp desc | dedup path", &REQUESTS),
        ["", "path=/a status=404", "path=/b status=500"]
    );
}

#[test]
fn functions_follow_the_reference() {
    for (expression, expected) in [
        ("abs(-2.5)", "2.5"),
        ("round(2.345, 2)", "2.35"),
        ("round(-2.5)", "-3"),
        ("greatest(1, 3, 2)", "3"),
        ("least(4, '3')", "3"),
        ("toInt('12.9')", "12"),
        ("toNumber('x')", "null"),
        ("floor(haversine(52.52, 13.405, 48.137, 11.575))", "504"),
        ("coalesce(nope, '', 'b')", ""),
        ("if(1 > 2, 'a', 'b')", "b"),
        ("case(1 > 2, 'a', 2 > 1, 'b', 'c')", "b"),
        ("case(1 > 2, 'a', 'c')", "c"),
        ("isNumeric('1e3')", "true"),
        ("isempty(nope)", "1"),
        ("isblank('  ')", "1"),
        ("concat('a', nope, 1)", "a1"),
        ("trim('xyZxyfooxyxyZ', 'xyZ')", "foo"),
        ("ltrim('  a ')", "a "),
        ("strlen('a😀é')", "3"),
        ("substr('xyZfooxyZ', 3, 3)", "foo"),
        ("substr('abc', 9)", ""),
        ("replace('aXbX', 'X', '-')", "a-b-"),
        ("regexReplace('a1b22', /\\d+/, '#')", "a#b#"),
        ("strcontains('HELLO', 'ell', true)", "1"),
        ("startsWith('abc', 'ab')", "true"),
        ("toupper('abc')", "ABC"),
        ("urlencode('a b/ü')", "a%20b%2F%C3%BC"),
        ("urldecode('a%20b')", "a b"),
        ("base64decode(base64encode('hi'))", "hi"),
        ("hexToDec('ff')", "255"),
        ("decToHex(255)", "ff"),
        ("md5('')", "d41d8cd98f00b204e9800998ecf8427e"),
        ("jsonParse('{\"a\":[1,{\"b\":2}]}').a[1].b", "2"),
        ("jsonArraySize(split('a,b,c', ','))", "3"),
        ("jsonArrayContains(jsonParse('[1,2]'), 2)", "true"),
        ("isValidIpV4('1.2.3.4')", "true"),
        ("isIpv4InSubnet('192.0.2.7', '192.0.2.0/24')", "true"),
        ("isIpInSubnet('192.0.3.7', '192.0.2.0/24')", "false"),
        ("isPrivateIP('10.0.0.1')", "true"),
        ("isPublicIP('8.8.8.8')", "true"),
        ("ipv4ToNumber('1.0.0.0')", "16777216"),
        ("datefloor(fromMillis(3723004), 1h)", "1970-01-01 01:00:00.000"),
        ("dateceil(fromMillis(3723004), 1h)", "1970-01-01 02:00:00.000"),
        ("toMillis(fromMillis(5))", "5"),
        ("now()", "3660"),
        ("queryTimeRange()", "3600000"),
        ("parseDate('02/Jan/1970 00:00:01', 'dd/MMM/yyyy HH:mm:ss')", "86401000"),
        ("parseDate('1970-01-01 01:00', 'yyyy-MM-dd HH:mm', 'Europe/Berlin')", "0"),
        ("formatDate(fromMillis(0), '%Y/%m/%d')", "1970/01/01"),
        ("formatDate(fromMillis(0), '%Q')", "null"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn a_period_above_its_cap_is_clamped() {
    let clamped = "stats count(*) as n by bin(300s) as t | stats count(*) as buckets";
    assert_eq!(run_on(clamped, &REQUESTS), ["buckets=5"]);
    let months = "fields datefloor(parseDate('1970-02-15', 'yyyy-MM-dd'), 1mo) as m";
    assert_eq!(run_on(months, &[(0, "")]), ["m=1970-02-01 00:00:00.000"]);
}

#[test]
fn lists_unnest_into_rows() {
    let lines = [(0, r#"{"items":[{"n":1},{"n":2}]}"#)];
    let query = "fields jsonParse(@message) as j | unnest j.items into i | display i.n | sort i.n";
    assert_eq!(run_on(query, &lines), ["i.n=1", "i.n=2"]);
}

#[test]
fn shapes_work_on_finished_rows() {
    let by_path = "filter ispresent(path) | stats sum(ms) as a, count(*) as b by path";
    assert_eq!(
        run_on(&format!("{by_path} | addtotals col=true"), &REQUESTS),
        ["path=/a a=70 b=3 Total=73", "path=/b a=30 b=1 Total=31", "a=100 b=4"]
    );
    assert_eq!(
        run_on(&format!("{by_path} | accum a as so_far | autoregress b"), &REQUESTS),
        ["path=/a a=70 b=3 so_far=70", "path=/b a=30 b=1 so_far=100 b_p1=3"]
    );
    assert_eq!(run_on("countFrequent path | limit 1", &REQUESTS), ["path=/a _approxcount=3"]);
    assert_eq!(
        run_on(
            "filter status = 200 | stats count(*) as n by bin(1m) as t \
             | fillmissing with 0 for n | limit 3",
            &REQUESTS
        ),
        [
            "t=1970-01-01 00:00:00.000 n=1",
            "t=1970-01-01 00:02:00.000 n=1",
            "t=1970-01-01 00:04:00.000 n=0"
        ]
    );
}

#[test]
fn similar_messages_form_one_pattern() {
    let lines = [
        (0, "user 17 logged in from 10.0.0.1"),
        (1, "user 4 logged in from 10.0.0.2"),
        (2, "ERROR disk full"),
    ];
    assert_eq!(
        run_on("pattern @message", &lines),
        [
            "@pattern=user <Number-1> logged in from <IP-2> @ratio=0.6667 @sampleCount=2 \
             @severityLabel=INFO",
            "@pattern=ERROR disk full @ratio=0.3333 @sampleCount=1 @severityLabel=ERROR"
        ]
    );
}

#[test]
fn lambda_reports_are_understood() {
    let report = "REPORT RequestId: 8f5 \tDuration: 102.5 ms\tBilled Duration: 103 ms\t\
                  Memory Size: 128 MB\tMax Memory Used: 64 MB\t";
    assert_eq!(
        run_on(
            "filter @type = \"REPORT\" \
             | display @requestId, @duration, @memorySize/1000/1000 as mb",
            &[(0, report)]
        ),
        ["@requestId=8f5 @duration=102.5 mb=128"]
    );
}

#[test]
fn field_201_is_absent_but_reachable() {
    let pairs: Vec<String> = (0..201).map(|i| format!("\"f{i:03}\":{i}")).collect();
    let message = format!("{{{}}}", pairs.join(","));
    let lines = [(0, message.as_str())];
    let query = "display f199, f200, jsonParse(@message).f200 as parsed";
    assert_eq!(run_on(query, &lines), ["f199=199 parsed=200"]);
}

#[test]
fn wrong_queries_say_where_and_what() {
    for (query, place, message) in [
        ("filer x = 1", "filer", "unknown command filer; did you mean filter?"),
        ("filter", "", "expected a value"),
        ("filter x = ", "", "expected a value"),
        ("fields strlne(x)", "strlne", "unknown function strlne; did you mean strlen?"),
        ("filter count(*) > 1", "count", "count belongs into a stats command"),
        ("stats ms", "ms", "stats needs an aggregate such as count(*)"),
        ("limit 0", "0", "expected a whole number from 1 to 100000"),
        ("dedup a | sort b", "sort", "only limit may follow dedup"),
        ("diff", "diff", "the command diff is not supported"),
        ("filter x like /(/", "/(/", "regular expression: error: unclosed group"),
        (
            "parse @message \"a * b\" as x, y",
            "\"a * b\"",
            "the pattern needs as many * as there are names",
        ),
        ("fields 'open", "'", "a string is not closed"),
        ("fields a | ", "", "expected a command"),
    ] {
        match Query::parse(query) {
            Err(InsightsError::Malformed { span, message: actual }) => {
                assert_eq!(actual, message, "{query}");
                assert_eq!(&query[span.start..span.end], place, "{query}");
            }
            other => panic!("{query}: {other:?}"),
        }
    }
    let deep = format!("filter {}1{}", "(".repeat(4000), ")".repeat(4000));
    assert!(Query::parse(&deep).is_err());
}

#[test]
fn statistics_count_what_was_read_and_what_passed() {
    let query = Query::parse("filter @message like /a/").unwrap();
    let mut execution = query.start(context());
    for message in ["abc", "xyz"] {
        let at = Timestamp::EPOCH;
        let record = Record {
            timestamp: at,
            ingestion_time: at,
            body: &message,
            log: "l",
            stream: "s",
            pointer: Pointer(&"p"),
        };
        execution.push(&record).unwrap();
    }
    let outcome = execution.finish().unwrap();
    assert_eq!(
        (outcome.records_scanned, outcome.records_matched, outcome.bytes_scanned),
        (2, 1, 6)
    );
    assert_eq!(outcome.rows[0].last(), Some(&("@ptr".to_owned(), "p".to_owned())));
}
