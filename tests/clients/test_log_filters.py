"""Metric filters and embedded metrics of CloudWatch Logs, with boto3."""

import json
import time
import unittest
from datetime import datetime, timedelta, timezone

from coalmine_client import ClientTest


class MetricFilters(ClientTest):
    def setUp(self):
        super().setUp()
        self.logs = self.client("logs")
        self.metrics = self.client("cloudwatch")
        self.now = int(time.time() * 1000)
        self.logs.create_log_group(logGroupName="/app")
        self.logs.create_log_stream(logGroupName="/app", logStreamName="s")

    def put(self, *messages, at=None):
        at = self.now if at is None else at
        self.logs.put_log_events(logGroupName="/app", logStreamName="s", logEvents=[
            {"timestamp": at, "message": message} for message in messages])

    def filter(self, name, pattern, group="/app", **transformation):
        transformation = {"metricName": "m", "metricNamespace": "App", "metricValue": "1",
                          **transformation}
        self.logs.put_metric_filter(logGroupName=group, filterName=name, filterPattern=pattern,
                                    metricTransformations=[transformation])

    def sums(self, dimensions=(), name="m", **more):
        start = datetime.fromtimestamp(self.now / 1000, timezone.utc) - timedelta(minutes=10)
        answer = self.metrics.get_metric_statistics(
            Namespace="App", MetricName=name, StartTime=start,
            EndTime=start + timedelta(minutes=20), Period=1200,
            Dimensions=[{"Name": n, "Value": v} for n, v in dimensions],
            Statistics=["Sum", "SampleCount", "Maximum"], **more)
        return [(p["Sum"], p["SampleCount"], p["Maximum"], p["Unit"])
                for p in answer["Datapoints"]]

    def test_events_that_match_are_counted(self):
        self.put("ERROR before the filter")
        self.filter("errors", "ERROR")
        self.put("ERROR one", "INFO two", "ERROR three")
        self.assertEqual(self.sums(), [(2.0, 2.0, 1.0, "None")])

    def test_values_are_read_from_json_and_from_columns(self):
        self.filter("json", "{ $.ms > 0 }", metricValue="$.ms", unit="Milliseconds")
        self.filter("columns", "[level, size, path]", metricValue="$size", metricName="size",
                    unit="Bytes")
        self.put('{"ms": 20}', '{"ms": 30.5}', '{"ms": "slow"}', "INFO 512 /x", "INFO no /x")
        self.assertEqual(self.sums(), [(50.5, 2.0, 30.5, "Milliseconds")])
        self.assertEqual(self.sums(name="size"), [(512.0, 1.0, 512.0, "Bytes")])

    def test_dimensions_are_metrics_of_their_own(self):
        self.filter("pages", "{ $.ms > 0 }", metricValue="$.ms",
                    dimensions={"Page": "$.page", "Verb": "$.verb"})
        self.put(json.dumps({"ms": 1, "page": "/a", "verb": "GET"}),
                 json.dumps({"ms": 2, "page": "/a", "verb": "GET"}),
                 json.dumps({"ms": 4, "page": "/b", "verb": "GET"}), '{"ms": 8}')
        self.assertEqual(self.sums([("Page", "/a"), ("Verb", "GET")])[0][:2], (3.0, 2.0))
        self.assertEqual(self.sums([("Page", "/b"), ("Verb", "GET")])[0][:2], (4.0, 1.0))
        self.assertEqual(self.sums(), [])

    def test_a_default_value_stands_for_minutes_without_a_match(self):
        self.filter("errors", "ERROR", defaultValue=0)
        self.put("INFO")
        self.assertEqual(self.sums()[0][:2], (0.0, 1.0))

    def test_a_filter_is_replaced_and_deleted_with_effect_at_once(self):
        self.filter("f", "ERROR")
        self.put("ERROR")
        self.filter("f", "WARN", metricValue="10")
        self.put("ERROR", "WARN")
        self.assertEqual(self.sums()[0][0], 11.0)
        self.logs.delete_metric_filter(logGroupName="/app", filterName="f")
        self.put("WARN")
        self.assertEqual(self.sums()[0][0], 11.0)
        self.assertEqual(
            self.refused(self.logs.delete_metric_filter, logGroupName="/app", filterName="f")[:2],
            ("ResourceNotFoundException", "The specified metric filter does not exist."))

    def test_filters_are_described(self):
        self.logs.create_log_group(logGroupName="/other")
        self.filter("b", "ERROR", unit="Count")
        self.filter("a1", "{ $.x = 1 }", dimensions={"X": "$.x"})
        self.filter("a2", "", metricName="n", group="/other")
        describe = self.logs.describe_metric_filters
        names = lambda **filters: [f["filterName"] for f in describe(**filters)["metricFilters"]]
        self.assertEqual(names(), ["a1", "a2", "b"])
        self.assertEqual(names(logGroupName="/app"), ["a1", "b"])
        self.assertEqual(names(logGroupName="/app", filterNamePrefix="a"), ["a1"])
        self.assertEqual(names(metricName="n", metricNamespace="App"), ["a2"])
        one = describe(logGroupName="/app", filterNamePrefix="b")["metricFilters"][0]
        self.assertGreaterEqual(one.pop("creationTime"), self.now - 1000)
        self.assertEqual(one, {
            "filterName": "b", "filterPattern": "ERROR", "logGroupName": "/app",
            "applyOnTransformedLogs": False, "metricTransformations": [
                {"metricName": "m", "metricNamespace": "App", "metricValue": "1",
                 "unit": "Count"}]})
        pages = self.logs.get_paginator("describe_metric_filters").paginate(
            PaginationConfig={"PageSize": 2})
        self.assertEqual([len(page["metricFilters"]) for page in pages], [2, 1])
        group = self.logs.describe_log_groups(logGroupNamePrefix="/app")["logGroups"][0]
        self.assertEqual(group["metricFilterCount"], 2)
        self.logs.delete_log_group(logGroupName="/app")
        self.assertEqual(names(), ["a2"])
        self.logs.create_log_group(logGroupName="/app")
        self.assertEqual(names(logGroupName="/app"), [])

    def test_what_cannot_be_a_filter_is_refused(self):
        def refused(pattern="ERROR", **transformation):
            return self.refused(self.filter, name="f", pattern=pattern, **transformation)[:2]

        self.assertEqual(refused(group="/none"), (
            "ResourceNotFoundException", "The specified log group does not exist."))
        self.assertEqual(refused(pattern="{ $.x = 1 }", defaultValue=0, dimensions={"X": "$.x"}), (
            "InvalidParameterException",
            "Invalid metric transformation: dimensions and default value are mutually exclusive "
            "properties."))
        for code, message in [
                refused(pattern="{ $.x"), refused(metricValue="many"), refused(metricName="a:b"),
                refused(unit="Parsecs"), refused(dimensions={"X": "$.x"}),
                refused(pattern="{ $.x = 1 }", dimensions={str(n): "$.x" for n in range(4)})]:
            self.assertEqual(code, "InvalidParameterException", message)
        for n in range(5):
            self.filter(f"f{n}", "%E[0-9]%")
        self.assertEqual(refused(pattern="%W[0-9]%")[0], "LimitExceededException")
        self.assertEqual(
            self.refused(self.logs.describe_metric_filters, metricName="m")[:2],
            ("InvalidParameterException",
             "If you include the metricName parameter in your request, you must also include "
             "the metricNamespace parameter."))

    def test_embedded_metrics_need_no_filter(self):
        self.put(json.dumps({
            "_aws": {"Timestamp": self.now, "CloudWatchMetrics": [{
                "Namespace": "App", "Dimensions": [["page"]],
                "Metrics": [{"Name": "m", "Unit": "Milliseconds"}, {"Name": "set"}]}]},
            "page": "/a", "m": [1, 2, 3], "set": {"Min": 1, "Max": 3, "Sum": 4, "Count": 2}}))
        self.assertEqual(self.sums([("page", "/a")]), [(6.0, 3.0, 3.0, "Milliseconds")])
        self.assertEqual(self.sums([("page", "/a")], name="set"), [(4.0, 2.0, 3.0, "None")])

    def test_filters_are_tried_on_up_to_fifty_messages(self):
        matches = self.logs.test_metric_filter(
            filterPattern="{ $.a = 1 }", logEventMessages=['{"a": 1}', '{"a": 2}'])["matches"]
        self.assertEqual(matches, [{"eventNumber": 0, "eventMessage": '{"a": 1}',
                                    "extractedValues": {"$.a": "1"}}])
        code, _, _ = self.refused(self.logs.test_metric_filter, filterPattern="",
                                  logEventMessages=["x"] * 51)
        self.assertEqual(code, "InvalidParameterException")


if __name__ == "__main__":
    unittest.main()
