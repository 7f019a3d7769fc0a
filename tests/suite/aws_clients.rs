//! Unmodified AWS clients against the API over real sockets: `tests/clients/*.py`.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::aws_server::Server;

/// The interpreter of a virtual environment with `tests/clients/requirements.txt`, set by
/// `scripts/test.sh`.
const PYTHON: &str = "COALMINE_PYTHON";

#[expect(clippy::print_stderr, reason = "a test that is not run must say so")]
async fn passes(file: &str) {
    #[expect(clippy::disallowed_methods, reason = "how the test script tells where boto3 is")]
    let python = std::env::var(PYTHON);
    let Ok(python) = python else {
        eprintln!("{file} is not run: {PYTHON} names no interpreter with boto3");
        return;
    };
    let server = Server::start().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let ran = Command::new(python)
        .args(["-B", "-m", "unittest", file])
        .current_dir(folder)
        .env("COALMINE_ENDPOINT", server.url())
        .env("COALMINE_DAEMON", server.daemon())
        .env("COALMINE_DATA", server.folder())
        .env("COALMINE_PROGRAM", env!("CARGO_BIN_EXE_coalmine"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("the interpreter starts");
    let said = String::from_utf8_lossy(&ran.stderr);
    server.stop().await;
    assert!(ran.status.success(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_puts_and_reads_metrics_in_three_protocols() {
    passes("test_metrics").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_writes_and_filters_logs() {
    passes("test_logs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_makes_metrics_of_log_events() {
    passes("test_log_filters").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_subscribes_to_tails_masks_and_exports_logs() {
    passes("test_log_delivery").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_keeps_dashboards_and_has_widgets_drawn() {
    passes("test_dashboards").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_leads_canaries_through_their_life() {
    passes("test_canary_lifecycle").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_puts_events_and_looks_up_what_was_called() {
    passes("test_events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_command_line_works_as_it_is() {
    passes("test_cli").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_puts_and_describes_alarms_in_three_protocols() {
    passes("test_alarms").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_mutes_alarms_and_hears_of_their_changes() {
    passes("test_mute_rules").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_hears_of_alarms_by_topics() {
    passes("test_alarm_actions").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_outlive_kills_and_failing_receivers() {
    passes("test_outbox").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_asks_for_canaries() {
    passes("test_canaries").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_sends_and_reads_traces() {
    passes("test_traces").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_puts_rules_and_receives_what_they_match() {
    passes("test_rules").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_sends_and_receives_messages_in_two_protocols() {
    passes("test_queues").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_archives_events_and_replays_them() {
    passes("test_archives").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_publishes_to_topics_and_reaches_http_receivers() {
    passes("test_topics").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opentelemetry_prometheus_and_x_ray_senders_are_taken_as_they_are() {
    passes("test_otlp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_keeps_and_discovers_schemas() {
    passes("test_schemas").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_makes_trails_and_the_cli_confirms_their_files() {
    passes("test_trails").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_sends_events_to_streams_and_reads_what_rules_count() {
    passes("test_streams").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watchtower_and_the_embedded_metrics_library_write_logs() {
    passes("test_log_senders").await;
}
