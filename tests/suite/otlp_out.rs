//! Runs that tell an OpenTelemetry collector what they measured: a collector that decodes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use coalmine::task::TaskGroup;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;

use crate::program::{Finished, coalmine};
use crate::target::{Target, answer, ok};

#[derive(Clone, Default)]
struct Shared {
    /// The statuses of the next answers; 200 once there is none.
    answers: Arc<Mutex<Vec<u16>>>,
    /// How many spans are said to be rejected.
    rejected: i64,
    taken: Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>,
}

struct Collector {
    address: SocketAddr,
    shared: Shared,
    tasks: TaskGroup,
}

async fn take(
    State(shared): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let status = shared.answers.lock().unwrap().pop().unwrap_or(200);
    if status == 200 {
        shared.taken.lock().unwrap().push((uri.path().to_owned(), headers, body));
    }
    let partial_success = (shared.rejected > 0 && uri.path() == "/v1/traces").then(|| {
        ExportTracePartialSuccess { rejected_spans: shared.rejected, error_message: "full".into() }
    });
    let answer = ExportTraceServiceResponse { partial_success }.encode_to_vec();
    (StatusCode::from_u16(status).unwrap(), answer)
}

impl Collector {
    async fn start(answers: &[u16], rejected: i64) -> Self {
        let answers = Arc::new(Mutex::new(answers.to_vec()));
        let shared = Shared { answers, rejected, ..Shared::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take).with_state(shared.clone());
        let tasks = TaskGroup::new();
        tasks.spawn("collector", |stop| async move {
            let serving = axum::serve(listener, router);
            serving.with_graceful_shutdown(stop.cancelled_owned()).await.unwrap();
        });
        Self { address, shared, tasks }
    }

    /// Runs a canary of one request, which tells this collector.
    async fn run(&self, target: &Target) -> Finished {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "canary: shop\nsteps:\n  - step: ask\n    http: {{ get: \"{}\" }}\n    \
             expect: {{ status: 200 }}\n",
            target.url("/")
        );
        std::fs::write(folder.path().join("shop.yaml"), text).unwrap();
        let endpoint = format!("http://{}", self.address);
        let arguments =
            ["run", "shop.yaml", "--otlp", &endpoint, "--otlp-header", "x-api-key=lamplight"];
        let mut command = coalmine(folder.path(), &arguments);
        tokio::task::spawn_blocking(move || {
            let finished = command.output().unwrap();
            drop(folder);
            finished.into()
        })
        .await
        .unwrap()
    }

    fn taken(&self, path: &str) -> Vec<Bytes> {
        let taken = self.shared.taken.lock().unwrap();
        let of_path = taken.iter().filter(|(known, _, _)| known == path);
        of_path.map(|(_, _, body)| body.clone()).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let [body] = self.taken("/v1/traces").try_into().expect("one request of spans");
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let resources = request.resource_spans.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    async fn stop(self) {
        self.tasks.shutdown(std::time::Duration::from_secs(5)).await;
    }
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_the_spans_metrics_and_lines_of_a_run() {
    let target = Target::http(|_head| ok("fine")).await;
    let collector = Collector::start(&[], 0).await;
    let finished = collector.run(&target).await;
    assert_eq!(finished.code, 0, "{}{}", finished.out, finished.err);
    let [run, step, request] = collector.spans().try_into().expect("a run, a step, a request");
    assert_eq!(
        (run.name.as_str(), step.name.as_str(), request.name.as_str()),
        ("shop", "ask", "GET")
    );
    assert_eq!(text(&run.attributes, "test.suite.run.status"), "success");
    assert_eq!(text(&step.attributes, "test.case.result.status"), "pass");
    assert_eq!(text(&request.attributes, "url.full"), target.url("/"));
    assert_eq!(text(&request.attributes, "http.response.status_code"), "200");
    assert_eq!((run.trace_id.len(), run.parent_span_id.len()), (16, 0));
    assert_eq!((&step.parent_span_id, &request.parent_span_id), (&run.span_id, &step.span_id));
    assert!(run.start_time_unix_nano <= request.start_time_unix_nano);
    let [metrics] = collector.taken("/v1/metrics").try_into().expect("one request of metrics");
    let metrics = ExportMetricsServiceRequest::decode(metrics).unwrap();
    let resource = metrics.resource_metrics.first().unwrap();
    assert_eq!(text(&resource.resource.as_ref().unwrap().attributes, "service.name"), "coalmine");
    let names = resource.scope_metrics.iter().flat_map(|scope| &scope.metrics);
    assert!(names.map(|metric| metric.name.as_str()).any(|name| name == "SuccessPercent"));
    let [logs] = collector.taken("/v1/logs").try_into().expect("one request of log records");
    let logs = ExportLogsServiceRequest::decode(logs).unwrap();
    assert!(!logs.resource_logs[0].scope_logs[0].log_records.is_empty());
    for (_, headers, _) in collector.shared.taken.lock().unwrap().iter() {
        assert_eq!(headers["x-api-key"], "lamplight");
        assert_eq!(headers["content-type"], "application/x-protobuf");
    }
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_busy_is_asked_again_and_one_that_refuses_is_told_of() {
    let target = Target::http(|_head| answer("500 Oops", "", b"broken")).await;
    let busy = Collector::start(&[503, 429], 0).await;
    let finished = busy.run(&target).await;
    assert_eq!(finished.code, 1, "{}{}", finished.out, finished.err);
    let run = busy.spans().into_iter().next().unwrap();
    assert_eq!(text(&run.attributes, "test.suite.run.status"), "failure");
    assert_eq!(run.events.len(), 1);
    busy.stop().await;
    let refusing = Collector::start(&[400], 0).await;
    let finished = refusing.run(&target).await;
    assert!(finished.err.contains("/v1/traces answered 400"), "{}", finished.err);
    assert!(!finished.err.contains("lamplight"), "{}", finished.err);
    // The other signals are sent all the same.
    assert_eq!(refusing.taken("/v1/metrics").len(), 1);
    refusing.stop().await;
    let full = Collector::start(&[], 3).await;
    let finished = full.run(&target).await;
    assert!(finished.err.contains("rejected 3 items: full"), "{}", finished.err);
    full.stop().await;
}
