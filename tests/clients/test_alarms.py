"""CloudWatch alarms with boto3, in each of the three protocols that the service speaks."""

import unittest

from coalmine_client import ClientTest


class Alarms:
    protocol = None

    def setUp(self):
        super().setUp()
        self.cloudwatch = self.client("cloudwatch", protocol=self.protocol)

    def put(self, name, **more):
        alarm = dict(AlarmName=name, MetricName="Latency", Namespace="App", Statistic="Average",
                     Period=60, EvaluationPeriods=1, Threshold=5.0,
                     ComparisonOperator="GreaterThanThreshold")
        self.cloudwatch.put_metric_alarm(**{**alarm, **more})

    def arn(self, name):
        return f"arn:aws:cloudwatch:us-east-1:{self.account}:alarm:{name}"

    def names(self, **query):
        answer = self.cloudwatch.describe_alarms(**query)
        return ([alarm["AlarmName"] for alarm in answer["MetricAlarms"]],
                [alarm["AlarmName"] for alarm in answer["CompositeAlarms"]])

    def test_an_alarm_is_described_as_it_was_put(self):
        self.put("cpu", Dimensions=[{"Name": "Page", "Value": "home"}],
                 AlarmActions=["arn:aws:sns:us-east-1:1:x"], AlarmDescription="too slow")
        alarm = self.cloudwatch.describe_alarms()["MetricAlarms"][0]
        for timestamp in ("AlarmConfigurationUpdatedTimestamp", "StateUpdatedTimestamp",
                          "StateTransitionedTimestamp"):
            self.assertIsNotNone(alarm.pop(timestamp).tzinfo)
        self.assertEqual(alarm, {
            "AlarmName": "cpu", "AlarmArn": self.arn("cpu"), "AlarmDescription": "too slow",
            "ActionsEnabled": True, "OKActions": [],
            "AlarmActions": ["arn:aws:sns:us-east-1:1:x"], "InsufficientDataActions": [],
            "StateValue": "INSUFFICIENT_DATA",
            "StateReason": "Unchecked: Initial alarm creation", "MetricName": "Latency",
            "Namespace": "App", "Statistic": "Average",
            "Dimensions": [{"Name": "Page", "Value": "home"}], "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 5.0,
            "ComparisonOperator": "GreaterThanThreshold"})

    def test_an_alarm_on_math_keeps_its_queries(self):
        metric = {"Metric": {"Namespace": "App", "MetricName": "m"}, "Period": 60, "Stat": "p99"}
        self.cloudwatch.put_metric_alarm(
            AlarmName="math", EvaluationPeriods=3, DatapointsToAlarm=2, Threshold=1.0,
            ComparisonOperator="LessThanThreshold", TreatMissingData="breaching",
            Metrics=[{"Id": "m1", "MetricStat": metric, "ReturnData": False},
                     {"Id": "e1", "Expression": "m1 * 2", "Label": "double"}])
        alarm = self.cloudwatch.describe_alarms()["MetricAlarms"][0]
        self.assertEqual(alarm["DatapointsToAlarm"], 2)
        self.assertEqual(alarm["TreatMissingData"], "breaching")
        self.assertNotIn("MetricName", alarm)
        self.assertEqual([query["Id"] for query in alarm["Metrics"]], ["m1", "e1"])
        self.assertEqual(alarm["Metrics"][0]["MetricStat"]["Stat"], "p99")

    def test_alarms_are_found_by_name_type_state_and_action(self):
        for name in ("web-1", "web-2", "db-1"):
            self.put(name)
        self.put("paged", AlarmActions=["arn:aws:sns:us-east-1:1:page"])
        self.cloudwatch.put_composite_alarm(
            AlarmName="all", AlarmRule='ALARM("web-1") OR ALARM("web-2")')
        self.assertEqual(self.names(), (["db-1", "paged", "web-1", "web-2"], []))
        both = ["MetricAlarm", "CompositeAlarm"]
        self.assertEqual(self.names(AlarmTypes=both)[1], ["all"])
        self.assertEqual(self.names(AlarmNamePrefix="web"), (["web-1", "web-2"], []))
        self.assertEqual(self.names(AlarmNames=["web-2", "none", "db-1"])[0], ["db-1", "web-2"])
        self.assertEqual(self.names(ActionPrefix="arn:aws:sns")[0], ["paged"])
        self.assertEqual(self.names(StateValue="ALARM")[0], [])
        self.assertEqual(self.names(ChildrenOfAlarmName="all")[0], ["web-1", "web-2"])
        self.assertEqual(self.names(ParentsOfAlarmName="web-1")[1], ["all"])
        pages = self.cloudwatch.get_paginator("describe_alarms").paginate(
            AlarmTypes=both, PaginationConfig={"PageSize": 2})
        sizes = [len(page["MetricAlarms"]) + len(page["CompositeAlarms"]) for page in pages]
        self.assertEqual(sizes, [2, 2, 1])
        found = self.cloudwatch.describe_alarms_for_metric(MetricName="Latency", Namespace="App")
        self.assertEqual(len(found["MetricAlarms"]), 4)

    def test_an_update_replaces_the_whole_and_keeps_the_state(self):
        self.put("cpu", AlarmDescription="old", Tags=[{"Key": "team", "Value": "web"}])
        before = self.cloudwatch.describe_alarms()["MetricAlarms"][0]
        self.put("cpu", Threshold=7.0, Tags=[{"Key": "ignored", "Value": "x"}])
        after = self.cloudwatch.describe_alarms()["MetricAlarms"][0]
        self.assertNotIn("AlarmDescription", after)
        self.assertEqual(after["Threshold"], 7.0)
        self.assertEqual(after["StateUpdatedTimestamp"], before["StateUpdatedTimestamp"])
        tags = self.cloudwatch.list_tags_for_resource(ResourceARN=self.arn("cpu"))["Tags"]
        self.assertEqual(tags, [{"Key": "team", "Value": "web"}])

    def test_actions_are_switched_off_and_on(self):
        self.put("cpu")
        self.cloudwatch.disable_alarm_actions(AlarmNames=["cpu", "none"])
        self.assertFalse(self.cloudwatch.describe_alarms()["MetricAlarms"][0]["ActionsEnabled"])
        self.cloudwatch.enable_alarm_actions(AlarmNames=["cpu"])
        self.assertTrue(self.cloudwatch.describe_alarms()["MetricAlarms"][0]["ActionsEnabled"])

    def test_deleting_tells_of_alarms_that_are_not_there(self):
        self.put("cpu")
        code, _, status = self.refused(self.cloudwatch.delete_alarms, AlarmNames=["cpu", "none"])
        self.assertEqual(code, "ResourceNotFound")
        self.assertEqual(status, 404)
        self.assertEqual(self.names(), ([], []))

    def test_tags_of_an_alarm_that_is_not_there_are_refused(self):
        code, _, status = self.refused(self.cloudwatch.list_tags_for_resource,
                                       ResourceARN=self.arn("none"))
        self.assertEqual((code, status), ("ResourceNotFoundException", 404))

    def test_a_state_set_by_hand_is_told_in_the_history(self):
        self.put("cpu")
        self.cloudwatch.set_alarm_state(
            AlarmName="cpu", StateValue="ALARM", StateReason="a drill",
            StateReasonData='{"by": "hand"}')
        alarm = self.cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"][0]
        self.assertEqual((alarm["StateReason"], alarm["StateReasonData"]),
                         ("a drill", '{"by": "hand"}'))
        self.put("other")
        history = self.cloudwatch.describe_alarm_history
        items = history(AlarmName="cpu")["AlarmHistoryItems"]
        self.assertEqual([(i["HistoryItemType"], i["HistorySummary"]) for i in items],
                         [("StateUpdate", "Alarm updated from INSUFFICIENT_DATA to ALARM"),
                          ("ConfigurationUpdate", 'Alarm "cpu" created')])
        self.assertEqual(len(history()["AlarmHistoryItems"]), 3)
        updates = history(HistoryItemType="StateUpdate", ScanBy="TimestampAscending")
        self.assertEqual(len(updates["AlarmHistoryItems"]), 1)
        pages = self.cloudwatch.get_paginator("describe_alarm_history").paginate(
            PaginationConfig={"PageSize": 2})
        self.assertEqual([len(page["AlarmHistoryItems"]) for page in pages], [2, 1])
        code, message, status = self.refused(
            self.cloudwatch.set_alarm_state, AlarmName="none", StateValue="OK", StateReason="x")
        self.assertEqual((code, status), ("ResourceNotFound", 404))
        code, _, _ = self.refused(
            self.cloudwatch.set_alarm_state, AlarmName="cpu", StateValue="OK", StateReason="x",
            StateReasonData="{")
        self.assertEqual(code, "InvalidFormat")
        code, message, _ = self.refused(
            self.cloudwatch.set_alarm_state, AlarmName="cpu", StateValue="BAD", StateReason="x")
        self.assertEqual(code, "ValidationError")
        self.assertEqual(message, "1 validation error detected: Value 'BAD' at 'stateValue' failed "
                         "to satisfy constraint: Member must satisfy enum value set: "
                         "[OK, ALARM, INSUFFICIENT_DATA]")

    def test_refusals_have_awss_codes_and_words(self):
        code, message, _ = self.refused(
            self.cloudwatch.put_composite_alarm, AlarmName="all", AlarmRule="ALARM(none)")
        self.assertEqual(code, "ValidationError")
        self.assertIn("none", message)
        code, message, _ = self.refused(self.put, name="x", Period=45)
        self.assertEqual((code, message),
                         ("ValidationError", "Period must be 10, 30 or a multiple of 60"))
        code, message, _ = self.refused(self.put, name="x", TreatMissingData="maybe")
        self.assertIn("The value maybe is not supported for TreatMissingData parameter", message)
        code, message, _ = self.refused(self.cloudwatch.describe_alarms, MaxRecords=101)
        self.assertEqual(code, "ValidationError")
        self.assertIn("less than or equal to 100", message)


class AlarmsInQuery(Alarms, ClientTest):
    protocol = "query"


class AlarmsInJson(Alarms, ClientTest):
    protocol = "json"


class AlarmsInCbor(Alarms, ClientTest):
    protocol = "smithy-rpc-v2-cbor"


if __name__ == "__main__":
    unittest.main()
