"""Dashboards, widget pictures, tags and other documents of CloudWatch, with boto3."""

import json
import struct
import time
import unittest
import zlib
from datetime import datetime, timedelta, timezone

from coalmine_client import ClientTest

BODY = json.dumps({"widgets": [{
    "type": "metric", "x": 0, "y": 0, "width": 6, "height": 6,
    "properties": {"region": "us-east-1", "metrics": [["N", "m"]]}}]})
PROTOCOLS = ("json", "query", "smithy-rpc-v2-cbor")


def pixels(png):
    """Width, height and the set of RGB pixels of an 8-bit PNG without interlacing."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n"), png[:20]
    at, data = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        chunk = png[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", chunk[:10])
            assert (depth, colour) == (8, 2)
        elif kind == b"IDAT":
            data += chunk
        at += 12 + length
    raw, stride, out, previous = zlib.decompress(data), width * 3, set(), bytearray(width * 3)
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            a, b = (line[i - 3] if i >= 3 else 0), previous[i]
            c = previous[i - 3] if i >= 3 else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[i] = (line[i] + (0, a, b, (a + b) // 2, paeth)[kind]) & 255
        out.update(tuple(line[i:i + 3]) for i in range(0, stride, 3))
        previous = line
    return width, height, out


class Dashboards(ClientTest):
    def setUp(self):
        super().setUp()
        self.metrics = self.client("cloudwatch")

    def test_dashboards_are_put_got_listed_and_deleted_in_three_protocols(self):
        for protocol in PROTOCOLS:
            client = self.client("cloudwatch", protocol=protocol)
            put = client.put_dashboard(DashboardName="a-1", DashboardBody=BODY)
            self.assertEqual(put["DashboardValidationMessages"], [])
            got = client.get_dashboard(DashboardName="a-1")
            self.assertEqual(got["DashboardBody"], BODY)
            self.assertEqual(got["DashboardArn"],
                             f"arn:aws:cloudwatch::{self.account}:dashboard/a-1")
            client.put_dashboard(DashboardName="b", DashboardBody=BODY)
            entries = client.list_dashboards(DashboardNamePrefix="a")["DashboardEntries"]
            self.assertEqual([(e["DashboardName"], e["Size"]) for e in entries],
                             [("a-1", len(BODY))])
            self.assertLess(abs(entries[0]["LastModified"].timestamp() - time.time()), 60)
            code, message, status = self.refused(client.delete_dashboards,
                                                 DashboardNames=["a-1", "none"])
            self.assertEqual((code, status), ("ResourceNotFound", 404))
            self.assertEqual(message, "The specified dashboard does not exist. [none]")
            client.delete_dashboards(DashboardNames=["a-1", "b"])
            self.assertEqual(client.list_dashboards()["DashboardEntries"], [])
            self.assertEqual(self.refused(client.get_dashboard, DashboardName="a-1")[:2],
                             ("ResourceNotFound", "Dashboard a-1 does not exist"))

    def test_dashboards_are_of_all_regions(self):
        self.metrics.put_dashboard(DashboardName="d", DashboardBody=BODY)
        other = self.client("cloudwatch", region="eu-west-1")
        self.assertEqual(len(other.list_dashboards()["DashboardEntries"]), 1)

    def test_a_body_that_does_not_hold_is_refused_with_every_place(self):
        put = self.metrics.put_dashboard
        code, message, _ = self.refused(put, DashboardName="d", DashboardBody="{")
        self.assertEqual((code, message), ("InvalidParameterInput",
                                           "The field DashboardBody must be a valid JSON object"))
        bad = json.dumps({"widgets": [{"type": "metric", "properties": {"metrics": [["N"]]}}]})
        with self.assertRaises(self.metrics.exceptions.DashboardInvalidInputError) as caught:
            put(DashboardName="d", DashboardBody=bad)
        response = caught.exception.response
        self.assertIn("there are 2 validation errors", response["Error"]["Message"])
        self.assertEqual([m["DataPath"] for m in response["dashboardValidationMessages"]],
                         ["/widgets/0/properties", "/widgets/0/properties/metrics/0"])
        strange = json.dumps({"widgets": [], "colour": 1})
        answer = put(DashboardName="d", DashboardBody=strange)
        self.assertEqual(answer["DashboardValidationMessages"][0]["DataPath"], "/colour")
        code, message, _ = self.refused(put, DashboardName="a b", DashboardBody=BODY)
        self.assertEqual(code, "InvalidParameterValue")
        self.assertIn("can only contain", message)

    def test_a_widget_is_drawn_in_three_protocols(self):
        now = datetime.now(timezone.utc).replace(second=0, microsecond=0)
        self.metrics.put_metric_data(Namespace="N", MetricData=[
            {"MetricName": name, "Timestamp": now - timedelta(minutes=5 * n), "Value": n * k}
            for k, name in ((1, "up"), (3, "down")) for n in range(20)])
        widget = json.dumps({
            "title": "Two lines", "width": 320, "height": 200, "period": 300, "stat": "Maximum",
            "metrics": [["N", "up", {"color": "#0000ff", "label": "going up"}],
                        [".", "down", {"color": "#ff00ff", "yAxis": "right"}],
                        [{"expression": "m * 2", "id": "e", "color": "#00ffff"}],
                        ["N", "up", {"id": "m", "visible": False}]],
            "annotations": {"horizontal": [{"value": 10, "color": "#00ff00", "label": "limit"}]}})
        for protocol in PROTOCOLS:
            client = self.client("cloudwatch", protocol=protocol)
            image = client.get_metric_widget_image(MetricWidget=widget)["MetricWidgetImage"]
            width, height, seen = pixels(image)
            self.assertEqual((width, height), (320, 200))
            for colour in ((0, 0, 255), (255, 0, 255), (0, 255, 255), (0, 255, 0)):
                self.assertIn(colour, seen)
        for bad, place in (('{"metrics": []}', "/metrics"), ('{', "/"),
                           ('{"metrics": [["N", "m"]], "view": "pie"}', "/view")):
            code, message, _ = self.refused(self.metrics.get_metric_widget_image,
                                            MetricWidget=bad)
            self.assertEqual(code, "ValidationError")
            self.assertIn(place, message)


class Documents(ClientTest):
    def setUp(self):
        super().setUp()
        self.metrics = self.client("cloudwatch")

    def alarm(self, name, **more):
        self.metrics.put_metric_alarm(
            AlarmName=name, MetricName="m", Namespace="N", Period=60, EvaluationPeriods=1,
            Threshold=1, ComparisonOperator="GreaterThanThreshold", Statistic="Sum", **more)

    def tags(self, arn):
        tags = self.metrics.list_tags_for_resource(ResourceARN=arn)["Tags"]
        return {tag["Key"]: tag["Value"] for tag in tags}

    def test_what_can_be_tagged_is_tagged(self):
        own = f"arn:aws:cloudwatch:us-east-1:{self.account}"
        first = [{"Key": "a", "Value": "1"}]
        self.alarm("x", Tags=first)
        self.metrics.put_dashboard(DashboardName="d", DashboardBody=BODY, Tags=first)
        self.metrics.put_metric_stream(
            Name="s", OutputFormat="json", RoleArn="arn:aws:iam::1:role/r", Tags=first,
            FirehoseArn="arn:aws:firehose:us-east-1:1:deliverystream/f")
        for arn in (f"{own}:alarm:x", f"arn:aws:cloudwatch::{self.account}:dashboard/d",
                    f"{own}:metric-stream/s"):
            self.assertEqual(self.tags(arn), {"a": "1"}, arn)
            self.metrics.tag_resource(ResourceARN=arn, Tags=[
                {"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
            self.assertEqual(self.tags(arn), {"a": "2", "b": ""}, arn)
            self.metrics.untag_resource(ResourceARN=arn, TagKeys=["a", "none"])
            self.assertEqual(self.tags(arn), {"b": ""}, arn)
        self.alarm("x", Tags=first)
        self.assertEqual(self.tags(f"{own}:alarm:x"), {"b": ""})
        code, _, _ = self.refused(self.metrics.tag_resource, ResourceARN=f"{own}:alarm:none",
                                  Tags=first)
        self.assertEqual(code, "ResourceNotFoundException")

    def test_the_history_of_all_alarms_holds_those_that_are_gone(self):
        self.alarm("gone")
        self.alarm("kept")
        self.metrics.delete_alarms(AlarmNames=["gone"])
        items = self.metrics.describe_alarm_history(
            HistoryItemType="ConfigurationUpdate")["AlarmHistoryItems"]
        self.assertEqual([item["AlarmName"] for item in items], ["gone", "kept", "gone"])

    def test_anomaly_detectors_are_kept(self):
        metric = {"Namespace": "N", "MetricName": "m", "Stat": "Average",
                  "Dimensions": [{"Name": "d", "Value": "v"}]}
        first = self.metrics.put_anomaly_detector(SingleMetricAnomalyDetector=metric)
        again = self.metrics.put_anomaly_detector(
            **metric, Configuration={"MetricTimezone": "UTC"})
        self.assertEqual(first["AnomalyDetectorId"], again["AnomalyDetectorId"])
        found = self.metrics.describe_anomaly_detectors(Namespace="N")["AnomalyDetectors"]
        self.assertEqual(len(found), 1)
        self.assertEqual((found[0]["StateValue"], found[0]["MetricName"],
                          found[0]["SingleMetricAnomalyDetector"]["Stat"]),
                         ("PENDING_TRAINING", "m", "Average"))
        self.assertEqual(found[0]["Configuration"]["MetricTimezone"], "UTC")
        math = {"MetricDataQueries": [
            {"Id": "m1", "ReturnData": False, "MetricStat": {
                "Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}},
            {"Id": "e1", "Expression": "m1 * 2"}]}
        self.metrics.put_anomaly_detector(MetricMathAnomalyDetector=math)
        found = self.metrics.describe_anomaly_detectors(AnomalyDetectorTypes=["METRIC_MATH"])
        self.assertEqual(len(found["AnomalyDetectors"]), 1)
        self.metrics.delete_anomaly_detector(SingleMetricAnomalyDetector=metric)
        self.assertEqual(self.refused(self.metrics.delete_anomaly_detector, **metric)[0],
                         "ResourceNotFoundException")
        self.assertEqual(self.refused(self.metrics.put_anomaly_detector, Namespace="N",
                                      MetricName="m")[0], "MissingParameter")
        self.assertEqual(self.refused(self.metrics.put_anomaly_detector, **metric,
                                      MetricMathAnomalyDetector=math)[0],
                         "InvalidParameterCombination")

    def test_metric_streams_are_kept(self):
        stream = {"Name": "s", "OutputFormat": "opentelemetry1.0",
                  "RoleArn": "arn:aws:iam::1:role/r",
                  "FirehoseArn": "arn:aws:firehose:us-east-1:1:deliverystream/f"}
        arn = self.metrics.put_metric_stream(
            **stream, IncludeFilters=[{"Namespace": "N", "MetricNames": ["m"]}])["Arn"]
        self.assertEqual(arn, f"arn:aws:cloudwatch:us-east-1:{self.account}:metric-stream/s")
        got = self.metrics.get_metric_stream(Name="s")
        self.assertEqual((got["State"], got["IncludeFilters"]),
                         ("running", [{"Namespace": "N", "MetricNames": ["m"]}]))
        self.metrics.stop_metric_streams(Names=["s"])
        self.metrics.put_metric_stream(**stream)
        entries = self.metrics.list_metric_streams()["Entries"]
        self.assertEqual([(e["Name"], e["State"]) for e in entries], [("s", "stopped")])
        self.metrics.delete_metric_stream(Name="s")
        self.metrics.delete_metric_stream(Name="s")
        self.assertEqual(self.refused(self.metrics.get_metric_stream, Name="s")[0],
                         "ResourceNotFoundException")

    def test_insight_rules_are_kept_and_reports_refused(self):
        definition = json.dumps({
            "Schema": {"Name": "CloudWatchLogRule", "Version": 1}, "LogFormat": "JSON",
            "LogGroupNames": ["/app"], "Contribution": {"Keys": ["$.ip"]}})
        self.metrics.put_insight_rule(RuleName="r", RuleDefinition=definition)
        rule = self.metrics.describe_insight_rules()["InsightRules"][0]
        self.assertEqual((rule["Name"], rule["State"], rule["Definition"]),
                         ("r", "ENABLED", definition))
        self.metrics.disable_insight_rules(RuleNames=["r"])
        rule = self.metrics.describe_insight_rules()["InsightRules"][0]
        self.assertEqual(rule["State"], "DISABLED")
        failures = self.metrics.delete_insight_rules(RuleNames=["r", "none"])["Failures"]
        self.assertEqual([f["FailureResource"] for f in failures], ["none"])
        now = datetime.now(timezone.utc)
        code, message, _ = self.refused(
            self.metrics.get_insight_rule_report, RuleName="r", StartTime=now, EndTime=now,
            Period=60)
        self.assertIn("not supported", message)


if __name__ == "__main__":
    unittest.main()
