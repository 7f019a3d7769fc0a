"""CloudWatch metrics with boto3, in each of the three protocols that the service speaks."""

import datetime
import unittest

from coalmine_client import ClientTest

UTC = datetime.timezone.utc


class Metrics:
    protocol = None

    def setUp(self):
        super().setUp()
        self.cloudwatch = self.client("cloudwatch", protocol=self.protocol)
        now = datetime.datetime.now(UTC)
        self.hour = now.replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=1)

    def at(self, minute, second=0):
        return self.hour + datetime.timedelta(minutes=minute, seconds=second)

    def put(self, *data, namespace="App"):
        self.cloudwatch.put_metric_data(Namespace=namespace, MetricData=list(data))

    def statistics(self, **query):
        defaults = dict(Namespace="App", MetricName="Latency", StartTime=self.at(0),
                        EndTime=self.at(60), Period=60, Statistics=["Sum"])
        answer = self.cloudwatch.get_metric_statistics(**{**defaults, **query})
        return sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])

    def data(self, *queries, **options):
        defaults = dict(StartTime=self.at(0), EndTime=self.at(60), ScanBy="TimestampAscending")
        return self.cloudwatch.get_metric_data(
            MetricDataQueries=list(queries), **{**defaults, **options})

    def stat(self, id="m1", name="Latency", stat="Sum", period=60, dimensions=(), **more):
        metric = {"Namespace": "App", "MetricName": name, "Dimensions": list(dimensions)}
        unit = {"Unit": more.pop("Unit")} if "Unit" in more else {}
        return {"Id": id, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat, **unit},
                **more}

    def test_what_is_put_is_read_back_at_once(self):
        self.put({"MetricName": "Latency", "Value": 1.5, "Unit": "Milliseconds",
                  "Timestamp": self.at(1, 10)},
                 {"MetricName": "Latency", "Value": 2.5, "Unit": "Milliseconds",
                  "Timestamp": self.at(1, 50)})
        points = self.statistics(
            Statistics=["SampleCount", "Average", "Sum", "Minimum", "Maximum"])
        self.assertEqual(points, [{
            "Timestamp": self.at(1), "SampleCount": 2.0, "Average": 2.0, "Sum": 4.0,
            "Minimum": 1.5, "Maximum": 2.5, "Unit": "Milliseconds"}])

    def test_distributions_and_statistic_sets_add_up(self):
        self.put({"MetricName": "Latency", "Values": [1.0, 2.0, 10.0], "Counts": [5.0, 3.0, 2.0],
                  "Timestamp": self.at(2)})
        points = self.statistics(Statistics=["Sum"], ExtendedStatistics=["p50", "p90", "tm80"])
        self.assertEqual(points[0]["Sum"], 31.0)
        self.assertEqual(points[0]["ExtendedStatistics"], {"p50": 1.0, "p90": 10.0, "tm80": 1.375})
        self.put({"MetricName": "Latency", "Timestamp": self.at(3), "StatisticValues": {
            "SampleCount": 4.0, "Sum": 10.0, "Minimum": 1.0, "Maximum": 5.0}})
        points = self.statistics(Statistics=["Average", "SampleCount"], StartTime=self.at(3))
        self.assertEqual((points[0]["Average"], points[0]["SampleCount"]), (2.5, 4.0))

    def test_many_data_are_sent_compressed(self):
        self.put(*[{"MetricName": "Latency", "Value": float(value), "Timestamp": self.at(4),
                    "Dimensions": [{"Name": "Page", "Value": f"page-{value % 10}"}]}
                   for value in range(1000)])
        points = self.statistics(Dimensions=[{"Name": "Page", "Value": "page-7"}])
        self.assertEqual([point["Sum"] for point in points],
                         [float(sum(range(7, 1000, 10)))])

    def test_high_resolution_is_read_by_the_second(self):
        now = datetime.datetime.now(UTC).replace(microsecond=0) - datetime.timedelta(seconds=30)
        self.put(*[{"MetricName": "Fast", "Value": 1.0, "StorageResolution": 1,
                    "Timestamp": now + datetime.timedelta(seconds=second)}
                   for second in range(3)])
        answer = self.cloudwatch.get_metric_data(
            MetricDataQueries=[self.stat(name="Fast", period=1)],
            StartTime=now, EndTime=now + datetime.timedelta(seconds=3),
            ScanBy="TimestampAscending")
        self.assertEqual(answer["MetricDataResults"][0]["Values"], [1.0, 1.0, 1.0])

    def test_units_are_separate_datapoints(self):
        for unit in ("Seconds", "Milliseconds"):
            self.put({"MetricName": "Latency", "Value": 1.0, "Unit": unit,
                      "Timestamp": self.at(5)})
        self.assertEqual(sorted(point["Unit"] for point in self.statistics()),
                         ["Milliseconds", "Seconds"])
        self.assertEqual(len(self.statistics(Unit="Seconds")), 1)
        self.assertEqual(self.statistics(Unit="Bytes"), [])
        result = self.data(self.stat())["MetricDataResults"][0]
        self.assertEqual(result["Values"], [1.0])
        self.assertEqual(result["Messages"], [{
            "Code": "MultipleUnits",
            "Value": "Multiple units returned: '[Milliseconds, Seconds]'"}])

    def test_metrics_are_listed_by_filters(self):
        self.put({"MetricName": "A", "Value": 1.0},
                 {"MetricName": "A", "Value": 1.0,
                  "Dimensions": [{"Name": "Page", "Value": "home"},
                                 {"Name": "Zone", "Value": "z"}]},
                 {"MetricName": "B", "Value": 1.0,
                  "Dimensions": [{"Name": "Page", "Value": "cart"}]})
        self.put({"MetricName": "A", "Value": 1.0}, namespace="Other")

        def found(**filters):
            metrics = self.cloudwatch.list_metrics(**filters)["Metrics"]
            return sorted((metric["Namespace"], metric["MetricName"],
                           "".join(d["Value"] for d in metric["Dimensions"]))
                          for metric in metrics)

        self.assertEqual(len(found()), 4)
        self.assertEqual(found(Namespace="Other"), [("Other", "A", "")])
        self.assertEqual(found(Namespace="App", MetricName="A"),
                         [("App", "A", ""), ("App", "A", "homez")])
        self.assertEqual(found(Dimensions=[{"Name": "Page"}]),
                         [("App", "A", "homez"), ("App", "B", "cart")])
        self.assertEqual(found(Dimensions=[{"Name": "Page", "Value": "cart"}]),
                         [("App", "B", "cart")])
        self.assertEqual(len(found(RecentlyActive="PT3H")), 4)

    def test_listing_pages_by_500(self):
        for start in (0, 600):
            self.put(*[{"MetricName": f"m{number:04d}", "Value": 1.0}
                       for number in range(start, start + 600)])
        pages = list(self.cloudwatch.get_paginator("list_metrics").paginate(Namespace="App"))
        self.assertEqual([len(page["Metrics"]) for page in pages], [500, 500, 200])
        names = {metric["MetricName"] for page in pages for metric in page["Metrics"]}
        self.assertEqual(len(names), 1200)
        self.assertNotIn("NextToken", pages[-1])

    def test_a_metric_without_data_is_empty_and_complete(self):
        result = self.data(self.stat(name="Nothing"))["MetricDataResults"][0]
        self.assertEqual((result["Label"], result["Values"], result["StatusCode"]),
                         ("Nothing", [], "Complete"))

    def test_math_and_labels(self):
        for minute, value in enumerate((10.0, 20.0, 40.0)):
            self.put({"MetricName": "Requests", "Value": value, "Timestamp": self.at(minute)},
                     {"MetricName": "Errors", "Value": minute, "Timestamp": self.at(minute)})
        answer = self.data(
            self.stat("m1", "Requests", ReturnData=False),
            self.stat("m2", "Errors"),
            {"Id": "e1", "Expression": "100 * m2 / m1", "Label": "rate ${MAX}"},
            {"Id": "e2", "Expression": "e1 * 2"})
        results = {result["Id"]: result for result in answer["MetricDataResults"]}
        self.assertEqual(list(results), ["m2", "e1", "e2"])
        self.assertEqual(results["e1"]["Values"], [0.0, 5.0, 5.0])
        self.assertEqual(results["e1"]["Label"], "rate 5")
        self.assertEqual(results["e2"]["Values"], [0.0, 10.0, 10.0])
        self.assertEqual(results["e2"]["Label"], "e2")

    def test_searches_and_sql_find_their_metrics(self):
        for page, value in (("home", 1.0), ("cart", 5.0)):
            self.put({"MetricName": "Hits", "Value": value, "Timestamp": self.at(1),
                      "Dimensions": [{"Name": "Page", "Value": page}]})
        search = "SEARCH('{App,Page} MetricName=\"Hits\"', 'Sum', 60)"
        found = self.data({"Id": "s1", "Expression": search},
                          {"Id": "e1", "Expression": f"SUM({search})"})["MetricDataResults"]
        self.assertEqual([(r["Id"], r["Label"], r["Values"]) for r in found],
                         [("s1", "cart", [5.0]), ("s1", "home", [1.0]), ("e1", "e1", [6.0])])
        query = 'SELECT SUM(Hits) FROM SCHEMA("App", Page) GROUP BY Page ORDER BY SUM() DESC'
        found = self.data({"Id": "q1", "Expression": query, "Period": 60})["MetricDataResults"]
        self.assertEqual([(r["Label"], r["Values"]) for r in found],
                         [("cart", [5.0]), ("home", [1.0])])

    def test_pages_of_data_join_to_the_whole(self):
        for minute in range(10):
            self.put({"MetricName": "Latency", "Value": float(minute),
                      "Timestamp": self.at(minute)},
                     {"MetricName": "Other", "Value": float(minute),
                      "Timestamp": self.at(minute)})
        paginator = self.cloudwatch.get_paginator("get_metric_data")
        pages = list(paginator.paginate(
            MetricDataQueries=[self.stat(), self.stat("m2", "Other")], StartTime=self.at(0),
            EndTime=self.at(60), MaxDatapoints=7))
        self.assertEqual(len(pages), 3)
        joined = {"m1": [], "m2": []}
        for page in pages:
            for result in page["MetricDataResults"]:
                joined[result["Id"]] += result["Values"]
        newest_first = [float(minute) for minute in reversed(range(10))]
        self.assertEqual(joined, {"m1": newest_first, "m2": newest_first})

    def test_refusals_have_awss_codes_and_words(self):
        put = self.cloudwatch.put_metric_data
        self.assertEqual(
            self.refused(put, Namespace="App", MetricData=[
                {"MetricName": "m", "Value": 1.0, "Values": [1.0]}]),
            ("InvalidParameterCombination",
             "The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually"
             " exclusive and you have specified both.", 400))
        self.assertEqual(
            self.refused(put, Namespace="App", MetricData=[
                {"MetricName": "m", "Value": float("nan")}])[:2],
            ("InvalidParameterValue",
             "The value NaN for parameter MetricData.member.1.Value is invalid."))
        self.assertEqual(
            self.refused(self.cloudwatch.get_metric_statistics, Namespace="App", MetricName="m",
                         StartTime=self.at(0), EndTime=self.at(0), Period=60,
                         Statistics=["Sum"])[:2],
            ("InvalidParameterValue",
             "The parameter StartTime must be less than the parameter EndTime."))
        self.assertEqual(
            self.refused(self.cloudwatch.get_metric_statistics, Namespace="App", MetricName="m",
                         StartTime=self.at(0) - datetime.timedelta(days=2), EndTime=self.at(0),
                         Period=60, Statistics=["Sum"])[:2],
            ("InvalidParameterCombination",
             "You have requested up to 2880 datapoints, which exceeds the limit of 1440. You may "
             "reduce the datapoints requested by increasing Period, or decreasing the time range."))
        self.assertEqual(
            self.refused(self.cloudwatch.get_metric_data, MetricDataQueries=[self.stat()],
                         StartTime=self.at(1), EndTime=self.at(0))[:2],
            ("ValidationError", "The parameter EndTime must be greater than StartTime."))
        code, message, _ = self.refused(
            self.cloudwatch.get_metric_data, StartTime=self.at(0), EndTime=self.at(1),
            MetricDataQueries=[{"Id": "e1", "Expression": "nope + 1"}])
        self.assertEqual(code, "ValidationError")
        self.assertIn("nope", message)

    def test_what_is_not_supported_is_refused_by_name(self):
        code, message, _ = self.refused(
            self.cloudwatch.get_insight_rule_report, RuleName="r", StartTime=self.at(0),
            EndTime=self.at(1), Period=60)
        self.assertIn(code, ("UnknownOperationException", "InvalidAction"))
        self.assertIn("GetInsightRuleReport", message)

    def test_accounts_and_regions_share_nothing(self):
        self.put({"MetricName": "Latency", "Value": 1.0})
        elsewhere = self.client("cloudwatch", region="eu-west-1", protocol=self.protocol)
        self.assertEqual(elsewhere.list_metrics()["Metrics"], [])
        self.account = "000000000001"
        other = self.client("cloudwatch", protocol=self.protocol)
        self.assertEqual(other.list_metrics(Namespace="App")["Metrics"], [])


class MetricsInQuery(Metrics, ClientTest):
    protocol = "query"


class MetricsInJson(Metrics, ClientTest):
    protocol = "json"


class MetricsInCbor(Metrics, ClientTest):
    protocol = "smithy-rpc-v2-cbor"


if __name__ == "__main__":
    unittest.main()
