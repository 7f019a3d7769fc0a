//! Canaries and runs as the Synthetics API shows what the monitor keeps.

use coalmine::canary::report::{RunId, RunOutcome};
use coalmine::monitor::{CanaryRow, CanaryRunRow, CanaryState, kind};
use coalmine::store::{ResourceChanges, SortKey};
use coalmine::telemetry::Scope;
use coalmine::time::Timestamp;
use serde_json::{Value, json};

use crate::aws_server::Server;

fn canary(name: &str) -> CanaryRow {
    CanaryRow {
        id: format!("id-{name}").as_str().into(),
        name: name.into(),
        description: None,
        file: format!("{name}.yaml"),
        schedule: Some("rate(1 minute)".into()),
        timeout_secs: 60,
        attempts: 2,
        tags: vec!["smoke".into()],
        state: CanaryState::Running,
        created: Timestamp::from_secs(1),
        modified: Timestamp::from_secs(2),
        started: Some(Timestamp::from_secs(3)),
        stopped: None,
        paused: false,
    }
}

fn run(second: i64, outcome: RunOutcome) -> CanaryRunRow {
    CanaryRunRow {
        id: RunId(format!("run-{second}").as_str().into()),
        canary: "shop".into(),
        parameters: Default::default(),
        scheduled: Timestamp::from_secs(second),
        started: Timestamp::from_secs(second),
        completed: Timestamp::from_secs(second + 1),
        outcome,
        attempts: 1,
        trace: None,
        reason: (!outcome.is_good()).then(|| "status is 500, expected 200".to_owned()),
        failed_step: None,
        failure: None,
        artifacts: Vec::new(),
    }
}

async fn asked(server: &Server, path: &str, body: &Value) -> (u16, Value) {
    let kind = [("content-type", "application/json")];
    let answer = server.post(path, &kind, body.to_string().as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).expect("JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn canaries_and_runs_are_shown_in_awss_shapes_and_pages() {
    let server = Server::start().await;
    let mut changes = ResourceChanges::new();
    for name in ["cart", "shop"] {
        changes = changes.put(kind::CANARY, name, &canary(name)).unwrap();
    }
    let outcomes = [RunOutcome::Passed, RunOutcome::Failed, RunOutcome::Skipped, RunOutcome::Flaky];
    for (second, outcome) in (100..).zip(outcomes) {
        let (row, sort) = (run(second, outcome), SortKey::at(Timestamp::from_secs(second), second));
        changes = changes.put_row(kind::CANARY_RUN, "shop", sort, &row).unwrap();
    }
    server.store.resources().apply(&Scope::default(), changes).await.unwrap();

    let (_, page) = asked(&server, "/canaries", &json!({"MaxResults": 1})).await;
    assert_eq!(page["Canaries"][0]["Name"], "cart");
    let next = json!({"MaxResults": 1, "NextToken": page["NextToken"]});
    let (_, page) = asked(&server, "/canaries", &next).await;
    let shop = json!({
        "Id": "id-shop", "Name": "shop", "Code": {"Handler": "shop.yaml"},
        "Schedule": {"Expression": "rate(1 minute)", "DurationInSeconds": 0,
            "RetryConfig": {"MaxRetries": 1}},
        "RunConfig": {"TimeoutInSeconds": 60, "ActiveTracing": true},
        "SuccessRetentionPeriodInDays": 31, "FailureRetentionPeriodInDays": 31,
        "Status": {"State": "RUNNING"},
        "Timeline": {"Created": 1.0, "LastModified": 2.0, "LastStarted": 3.0},
        "RuntimeVersion": concat!("coalmine-", env!("CARGO_PKG_VERSION")),
        "Tags": {"smoke": ""},
    });
    assert_eq!(page, json!({"Canaries": [shop]}));

    let (_, page) = asked(&server, "/canary/shop/runs", &json!({"MaxResults": 2})).await;
    let run = |page: &Value, index: usize| {
        let run = &page["CanaryRuns"][index];
        (run["Id"].clone(), run["Status"]["State"].clone(), run["Status"]["TestResult"].clone())
    };
    assert_eq!(run(&page, 0), ("run-103".into(), "PASSED".into(), "PASSED".into()));
    assert_eq!(run(&page, 1), ("run-101".into(), "FAILED".into(), "FAILED".into()));
    let failed = &page["CanaryRuns"][1]["Status"];
    assert_eq!(failed["StateReason"], "status is 500, expected 200");
    assert_eq!(failed["StateReasonCode"], "CANARY_FAILURE");
    let next = json!({"NextToken": page["NextToken"]});
    let (_, page) = asked(&server, "/canary/shop/runs", &next).await;
    assert_eq!(run(&page, 0), ("run-100".into(), "PASSED".into(), "PASSED".into()));
    assert_eq!(page.get("NextToken"), None);

    let (_, last) = asked(&server, "/canaries/last-run", &json!({})).await;
    assert_eq!(last["CanariesLastRun"][0]["CanaryName"], "shop");
    assert_eq!(last["CanariesLastRun"][0]["LastRun"]["Id"], "run-103");
    assert_eq!(last["CanariesLastRun"].as_array().map(Vec::len), Some(1));
    let (status, refused) = asked(&server, "/canary/none/runs", &json!({})).await;
    assert_eq!(status, 404);
    assert!(refused["Message"].as_str().is_some_and(|message| message.contains("canary:none")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_on_the_same_port() {
    let server = Server::start().await;
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = server.raw(request).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with(r#"{"status":"ok","read_only":false}"#), "{answer}");
    server.stop().await;
}
