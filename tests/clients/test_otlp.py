"""OpenTelemetry SDKs, Prometheus remote write and the X-Ray SDK, as they are."""

import gzip
import json
import os
import socket
import struct
import time
import unittest
import urllib.error
import urllib.request

from coalmine_client import ENDPOINT, ClientTest, client

try:
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
        OTLPMetricExporter as GrpcMetrics)
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
        OTLPMetricExporter as HttpMetrics)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.trace import SpanKind, Status, StatusCode
except ImportError:
    HttpSpans = None

GRPC = ENDPOINT.removeprefix("http://")
DEFAULT_ACCOUNT = "123456789012"


def soon(read, wanted):
    """What `read` gives once `wanted` is true of it: datagrams are not answered."""
    deadline = time.time() + 10
    while True:
        got = read()
        if wanted(got) or time.time() > deadline:
            return got
        time.sleep(0.05)


def send(path, body, **headers):
    """Posts a body: (status, headers, body)."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(ENDPOINT + path, data=body, headers=names, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, refused.read()


class Otlp(ClientTest):
    """Senders that sign nothing are of the default account, so each test has its own service."""

    def setUp(self):
        super().setUp()
        self.service = f"shop-{os.urandom(4).hex()}"
        self.window = {"StartTime": time.time() - 300, "EndTime": time.time() + 300}

    def traces(self, expression):
        return client("xray", DEFAULT_ACCOUNT).get_trace_summaries(
            **self.window, FilterExpression=expression)["TraceSummaries"]

    def metric(self, name, statistic="Sum"):
        """All of one metric: its dimensions, and its statistics over all time."""
        cloudwatch = client("cloudwatch", DEFAULT_ACCOUNT)
        listed = cloudwatch.list_metrics(Namespace=self.service, MetricName=name)["Metrics"]
        self.assertEqual(len(listed), 1, listed)
        options = {"ExtendedStatistics": [statistic]} if statistic.startswith("p") else {
            "Statistics": ["Sum", "SampleCount", "Minimum", "Maximum"]}
        points = cloudwatch.get_metric_statistics(
            Namespace=self.service, MetricName=name, Dimensions=listed[0]["Dimensions"],
            Period=3600, **self.window, **options)["Datapoints"]
        dimensions = {one["Name"]: one["Value"] for one in listed[0]["Dimensions"]}
        return dimensions, points

    def resource(self):
        return Resource.create({"service.name": self.service, "service.version": "1.2",
                                "deployment.environment.name": "test"})

    def check_spans(self, exporter):
        provider = TracerProvider(resource=self.resource())
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        tracer = provider.get_tracer("test")
        with tracer.start_as_current_span("GET /cart", kind=SpanKind.SERVER, attributes={
                "http.request.method": "GET", "url.full": "http://shop/cart", "tenant": "blue",
                "http.response.status_code": 200}):
            with tracer.start_as_current_span("query", kind=SpanKind.CLIENT, attributes={
                    "peer.service": f"{self.service}-db"}) as call:
                call.record_exception(ValueError("no such row"))
                call.set_status(Status(StatusCode.ERROR, "no such row"))
        provider.shutdown()
        found = self.traces(f'service("{self.service}")')
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0]["Http"]["HttpStatus"], 200)
        self.assertEqual(found[0]["Annotations"]["tenant"][0]["AnnotationValue"],
                         {"StringValue": "blue"})
        edge = f'edge("{self.service}", "{self.service}-db")'
        self.assertEqual(len(self.traces(edge + " { fault }")), 1)
        self.assertEqual(len(self.traces(f'service("{self.service}") AND message CONTAINS "row"')),
                         1)
        trace = client("xray", DEFAULT_ACCOUNT).batch_get_traces(TraceIds=[found[0]["Id"]])
        document = json.loads(trace["Traces"][0]["Segments"][0]["Document"])
        self.assertEqual(document["subsegments"][0]["cause"]["exceptions"][0]["type"], "ValueError")

    def check_metrics(self, exporter):
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
        meter = MeterProvider([reader], resource=self.resource())
        instruments = meter.get_meter("lib")
        counter = instruments.create_counter("orders", unit="1")
        latency = instruments.create_histogram("latency", unit="ms")
        depth = instruments.create_up_down_counter("depth")
        counter.add(3, {"route": "/cart"})
        depth.add(5)
        for value in (12.0, 40.0, 900.0):
            latency.record(value)
        self.assertTrue(reader.force_flush())
        counter.add(4, {"route": "/cart"})
        depth.add(-2)
        self.assertTrue(reader.force_flush())
        meter.shutdown()
        dimensions, points = self.metric("orders")
        self.assertEqual(dimensions["route"], "/cart")
        self.assertEqual(dimensions["OTelLib"], "lib")
        self.assertEqual(dimensions["service.name"], self.service)
        # Counted since the process began, kept as what was added.
        self.assertEqual(sum(point["Sum"] for point in points), 7)
        _, points = self.metric("latency")
        self.assertEqual([(p["SampleCount"], p["Sum"], p["Minimum"], p["Maximum"], p["Unit"])
                          for p in points], [(3.0, 952.0, 12.0, 900.0, "Milliseconds")])
        _, points = self.metric("latency", "p50")
        self.assertTrue(25 <= points[0]["ExtendedStatistics"]["p50"] <= 50, points)
        _, points = self.metric("depth")
        self.assertEqual(min(point["Minimum"] for point in points), 3.0)

    @unittest.skipIf(HttpSpans is None, "no OpenTelemetry SDK")
    def test_spans_over_http_and_over_grpc(self):
        self.check_spans(HttpSpans(ENDPOINT + "/v1/traces", compression=Compression.Gzip))
        self.service += "-grpc"
        self.check_spans(GrpcSpans(GRPC, insecure=True))

    @unittest.skipIf(HttpSpans is None, "no OpenTelemetry SDK")
    def test_metrics_over_http_and_over_grpc(self):
        self.check_metrics(HttpMetrics(ENDPOINT + "/v1/metrics"))
        self.service += "-grpc"
        self.check_metrics(GrpcMetrics(GRPC, insecure=True))

    def logs(self, group):
        events = client("logs", DEFAULT_ACCOUNT).filter_log_events(logGroupName=group)["events"]
        return [json.loads(event["message"]) for event in events]

    def log_request(self):
        now = str(time.time_ns())
        return json.dumps({"resourceLogs": [{
            "resource": {"attributes": [
                {"key": "service.name", "value": {"stringValue": self.service}}]},
            "scopeLogs": [{"scope": {"name": "lib"}, "logRecords": [
                {"timeUnixNano": now, "severityNumber": 17, "severityText": "ERROR",
                 "body": {"stringValue": "cart is \"empty\""}, "traceId": "07" * 16,
                 "attributes": [{"key": "n", "value": {"intValue": "3"}}]}]}]}]}).encode()

    def test_logs_go_to_a_group_of_their_service_or_to_the_one_that_is_named(self):
        body = self.log_request()
        for _ in range(2):
            # Sent again, as after an answer that was lost: it counts once.
            status, headers, answer = send("/v1/logs", body, Content_Type="application/json")
            self.assertEqual((status, json.loads(answer)), (200, {}))
            self.assertEqual(headers["Content-Type"], "application/json")
        found = self.logs(f"/otlp/{self.service}")
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0]["body"], 'cart is "empty"')
        self.assertEqual((found[0]["severityNumber"], found[0]["traceId"], found[0]["attributes"]),
                         (17, "07" * 16, {"n": 3}))
        self.assertEqual(found[0]["resource"]["attributes"]["service.name"], self.service)
        group = f"named-{self.service}"
        status, _, _ = send("/v1/logs", gzip.compress(self.log_request()),
                            Content_Type="application/json", Content_Encoding="gzip",
                            x_aws_log_group=group, x_aws_log_stream="one")
        self.assertEqual(status, 200)
        self.assertEqual(len(self.logs(group)), 1)

    def test_log_records_become_metrics_as_log_events_do(self):
        group = f"/otlp/{self.service}"
        logs = client("logs", DEFAULT_ACCOUNT)
        logs.create_log_group(logGroupName=group)
        logs.put_metric_filter(
            logGroupName=group, filterName="errors", filterPattern="{ $.severityNumber >= 17 }",
            metricTransformations=[{"metricName": "Errors", "metricNamespace": self.service,
                                    "metricValue": "1"}])
        self.assertEqual(
            send("/v1/logs", self.log_request(), Content_Type="application/json")[0], 200)
        now = time.time()
        found = client("cloudwatch", DEFAULT_ACCOUNT).get_metric_statistics(
            Namespace=self.service, MetricName="Errors", StartTime=now - 3600, EndTime=now + 60,
            Period=3600, Statistics=["Sum"])["Datapoints"]
        self.assertEqual(sum(point["Sum"] for point in found), 1)

    def test_what_is_wrong_is_refused_and_what_is_partly_wrong_partly(self):
        for path in ("/v1/traces", "/v1/metrics", "/v1/logs"):
            for body, headers, expected in [
                    (b"{", {"Content_Type": "application/json"}, 400),
                    (b"[" * 100_000, {"Content_Type": "application/json"}, 400),
                    (b"\xff", {"Content_Type": "application/x-protobuf"}, 400),
                    (b"{}", {"Content_Type": "text/plain"}, 415),
                    (b"{}", {"Content_Type": "application/json", "Content_Encoding": "br"}, 415),
                    (b"x", {"Content_Type": "application/json", "Content_Encoding": "gzip"}, 400),
                    (gzip.compress(bytes(100_000_000)),
                     {"Content_Type": "application/x-protobuf", "Content_Encoding": "gzip"}, 400)]:
                status, _, answer = send(path, body, **headers)
                self.assertEqual(status, expected, (path, body[:20]))
                if headers["Content_Type"] == "application/json":
                    self.assertIn("message", json.loads(answer))
        spans = {"resourceSpans": [{"scopeSpans": [{"spans": [
            {"traceId": "00" * 16, "spanId": "01" * 8, "name": "x",
             "startTimeUnixNano": "1", "endTimeUnixNano": "2"}]}]}]}
        status, _, answer = send("/v1/traces", json.dumps(spans).encode(),
                                 Content_Type="application/json")
        partial = json.loads(answer)["partialSuccess"]
        self.assertEqual((status, partial["rejectedSpans"]), (200, "1"))
        self.assertIn("trace_id", partial["errorMessage"])


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def sample(value, millis):
    return (b"\x09" + struct.pack("<d", value) if isinstance(value, float) else
            b"\x09" + struct.pack("<Q", value)) + b"\x10" + varint(millis)


def snappy(body):
    """Snappy's block format with nothing but literals."""
    out = varint(len(body))
    for at in range(0, len(body), 60):
        part = body[at:at + 60]
        out += bytes([len(part) - 1 << 2]) + part
    return out


class RemoteWrite(ClientTest):
    STALE = 0x7FF0000000000002

    def setUp(self):
        super().setUp()
        self.name = f"up_{os.urandom(4).hex()}"

    def write(self, body, **headers):
        return send("/api/v1/write", body, **{
            "Content_Type": "application/x-protobuf", "Content_Encoding": "snappy", **headers})

    def series(self, *samples):
        labels = [("__name__", self.name), ("job", "shop")]
        pairs = b"".join(field(1, field(1, name.encode()) + field(2, value.encode()))
                         for name, value in labels)
        return field(1, pairs + b"".join(field(2, one) for one in samples))

    def sum(self):
        now = time.time()
        points = client("cloudwatch", DEFAULT_ACCOUNT).get_metric_statistics(
            Namespace="Prometheus", MetricName=self.name, Period=3600, Statistics=["Sum"],
            Dimensions=[{"Name": "job", "Value": "shop"}],
            StartTime=now - 7200, EndTime=now + 3600)["Datapoints"]
        return sum(point["Sum"] for point in points)

    def test_samples_are_written_once_and_the_end_of_a_series_is_no_sample(self):
        now = time.time_ns() // 1_000_000
        body = snappy(self.series(sample(1.5, now - 1000), sample(2.0, now),
                                  sample(self.STALE, now + 1)))
        for _ in range(2):
            status, headers, _ = self.write(body)
            self.assertEqual(status, 204)
            self.assertEqual(headers["X-Prometheus-Remote-Write-Samples-Written"], "2")
        self.assertEqual(self.sum(), 3.5)

    def test_the_second_version_reads_its_symbols(self):
        symbols = b"".join(field(4, text.encode())
                           for text in ("", "__name__", self.name, "job", "shop"))
        series = field(1, bytes([1, 2, 3, 4])) + field(2, sample(7.0, time.time_ns() // 1_000_000))
        status, _, _ = self.write(
            snappy(symbols + field(5, series)),
            Content_Type="application/x-protobuf;proto=io.prometheus.write.v2.Request")
        self.assertEqual(status, 204)
        self.assertEqual(self.sum(), 7.0)

    def histogram(self, counts, total, millis):
        """Schema 0, buckets (1, 2] and (2, 4]."""
        zigzag = lambda number: number << 1 if number >= 0 else (-number << 1) - 1
        deltas = b"".join(varint(zigzag(one - before))
                          for before, one in zip([0] + counts, counts))
        span = b"\x08" + varint(zigzag(1)) + b"\x10" + varint(len(counts))
        return (b"\x08" + varint(sum(counts)) + b"\x19" + struct.pack("<d", total) +
                field(11, span) + field(12, deltas) + b"\x78" + varint(millis))

    def test_native_histograms_are_kept_by_what_came_since_the_one_before(self):
        now = time.time_ns() // 1_000_000
        labels = field(1, field(1, b"__name__") + field(2, self.name.encode()))
        labels += field(1, field(1, b"job") + field(2, b"shop"))
        body = field(1, labels + field(4, self.histogram([1, 1], 4.5, now - 1000)) +
                     field(4, self.histogram([3, 2], 10.5, now)))
        status, headers, answer = self.write(snappy(body))
        self.assertEqual((status, headers["X-Prometheus-Remote-Write-Histograms-Written"]),
                         (204, "2"), answer)
        self.assertAlmostEqual(self.sum(), 6.0)
        bad = field(1, labels + field(4, b"\x11" + struct.pack("<d", 0.5)))
        status, _, answer = self.write(snappy(bad))
        self.assertEqual((status, answer), (400, b"a native histogram counts in fractions"))

    def test_what_must_not_be_sent_again_is_refused_as_such(self):
        for body, headers, expected in [
                (b"\xff\xff\xff\xff\x7f", {}, 400), (varint(10 ** 10) + b"x", {}, 400),
                (snappy(b"\xff"), {}, 400), (b"x", {"Content_Encoding": "gzip"}, 415),
                (b"x", {"Content_Type": "application/json"}, 415)]:
            status, _, _ = self.write(body, **headers)
            self.assertEqual(status, expected, body)


@unittest.skipUnless("COALMINE_DAEMON" in os.environ, "no X-Ray daemon")
class Daemon(ClientTest):
    def setUp(self):
        super().setUp()
        host, port = os.environ["COALMINE_DAEMON"].rsplit(":", 1)
        self.address = (host, int(port))
        self.service = f"shop-{os.urandom(4).hex()}"
        self.xray = client("xray", DEFAULT_ACCOUNT)

    def found(self):
        now = time.time()
        return self.xray.get_trace_summaries(
            StartTime=now - 60, EndTime=now + 60,
            FilterExpression=f'service("{self.service}")')["TraceSummaries"]

    def test_datagrams_with_a_right_header_are_kept_and_none_is_answered(self):
        now = time.time()
        def document(**more):
            return json.dumps({
                "name": self.service, "id": os.urandom(8).hex(), "start_time": now - 1,
                "end_time": now, "trace_id": f"1-{int(now):08x}-{os.urandom(12).hex()}", **more},
                indent=1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0.2)
            for datagram in [
                    '{"format": "json", "version": 1}\n' + document(),
                    '{"Format":"JSON","Version":1}\n' + document(),
                    '{"format": "json", "version": 2}\n' + document(),
                    '{"format": "json", "version": 1}' + document().replace("\n", ""),
                    '{"format": "json", "version": 1}\n', "", "nonsense\n" + document(),
                    '{"format": "json", "version": 1}\n' + document(metadata="x" * 60_000)]:
                sender.sendto(datagram.encode(), self.address)
            found = soon(self.found, lambda found: len(found) >= 3)
            self.assertEqual(len(found), 3)
            with self.assertRaises(TimeoutError):
                sender.recv(1)

    def test_the_x_ray_sdk_samples_by_our_rules_and_sends_its_segments(self):
        try:
            from aws_xray_sdk.core import AWSXRayRecorder
            from aws_xray_sdk.core.sampling.connector import ServiceConnector
        except ImportError:
            self.skipTest("no X-Ray SDK")
        host, port = self.address
        recorder = AWSXRayRecorder()
        recorder.configure(service=self.service, daemon_address=f"{host}:{port}", sampling=False,
                           context_missing="LOG_ERROR")
        with recorder.in_segment(self.service) as segment:
            segment.put_annotation("tenant", "blue")
            with recorder.in_subsegment("inner"):
                pass
        found = soon(self.found, len)
        self.assertEqual(found[0]["Annotations"]["tenant"][0]["AnnotationValue"],
                         {"StringValue": "blue"})
        connector = ServiceConnector()
        connector.setup_xray_client(ip=host, port=port, client=None)
        rules = connector.fetch_sampling_rules()
        self.assertIn("Default", [rule.name for rule in rules])
        default = next(rule for rule in rules if rule.name == "Default")
        default.increment_request_count()
        default.increment_sampled_count()
        targets, _ = connector.fetch_sampling_target([default])
        self.assertEqual(targets["Default"]["rate"], 0.05)
        self.assertGreaterEqual(targets["Default"]["quota"], 0)


if __name__ == "__main__":
    unittest.main()
