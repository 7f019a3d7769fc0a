"""Mute rules of alarms, and the events of changed alarms, with boto3."""

import datetime
import json
import unittest

import test_rules


def just_now():
    """The expression of a window that opened a minute ago."""
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
    return f"at({at:%Y-%m-%dT%H:%M})"


class MuteTest(test_rules.RuleTest):
    def setUp(self):
        super().setUp()
        self.cloudwatch = self.client("cloudwatch")

    def put_alarm(self, name, **more):
        alarm = dict(AlarmName=name, MetricName="Latency", Namespace="App", Statistic="Average",
                     Period=60, EvaluationPeriods=1, Threshold=5.0,
                     ComparisonOperator="GreaterThanThreshold")
        self.cloudwatch.put_metric_alarm(**{**alarm, **more})

    def mute(self, name, expression, targets, duration="PT1H", **more):
        schedule = {"Expression": expression, "Duration": duration}
        if "Timezone" in more:
            schedule["Timezone"] = more.pop("Timezone")
        self.cloudwatch.put_alarm_mute_rule(
            Name=name, Rule={"Schedule": schedule}, MuteTargets={"AlarmNames": targets}, **more)

    def arn(self, name):
        return f"arn:aws:cloudwatch:us-east-1:{self.account}:alarm-mute-rule:{name}"

    def actions(self, alarm):
        items = self.cloudwatch.describe_alarm_history(AlarmName=alarm, HistoryItemType="Action")
        return items["AlarmHistoryItems"]

    def changes(self, kind):
        """A queue that is sent the events of that kind."""
        url, arn = self.queue("changes")
        self.events.put_rule(Name="changes", EventPattern=json.dumps({"detail-type": [kind]}))
        self.events.put_targets(Rule="changes", Targets=[{"Id": "1", "Arn": arn}])
        return url


class MuteRules(MuteTest):
    def test_a_rule_is_described_as_it_was_put(self):
        self.put_alarm("cpu")
        self.mute("night", "cron(0 2 * * SUN)", ["cpu"], "P1DT2H", Timezone="Europe/Berlin",
                  Description="backups", Tags=[{"Key": "team", "Value": "web"}],
                  ExpireDate=datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc))
        rule = self.cloudwatch.get_alarm_mute_rule(AlarmMuteRuleName="night")
        self.assertIsNotNone(rule.pop("LastUpdatedTimestamp").tzinfo)
        del rule["ResponseMetadata"]
        self.assertEqual(rule.pop("ExpireDate").year, 2099)
        self.assertEqual(rule.pop("Status") in ("SCHEDULED", "ACTIVE"), True)
        self.assertEqual(rule, {
            "Name": "night", "AlarmMuteRuleArn": self.arn("night"), "Description": "backups",
            "Rule": {"Schedule": {"Expression": "cron(0 2 * * SUN)", "Duration": "P1DT2H",
                                  "Timezone": "Europe/Berlin"}},
            "MuteTargets": {"AlarmNames": ["cpu"]}, "MuteType": "RECURRING"})
        tags = self.cloudwatch.list_tags_for_resource
        self.cloudwatch.tag_resource(ResourceARN=self.arn("night"),
                                     Tags=[{"Key": "on", "Value": "call"}])
        self.cloudwatch.untag_resource(ResourceARN=self.arn("night"), TagKeys=["team"])
        self.assertEqual(tags(ResourceARN=self.arn("night"))["Tags"],
                         [{"Key": "on", "Value": "call"}])
        self.cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName="night")
        self.cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName="night")
        code, _, status = self.refused(self.cloudwatch.get_alarm_mute_rule,
                                       AlarmMuteRuleName="night")
        self.assertEqual((code, status), ("ResourceNotFoundException", 404))

    def test_rules_are_listed_by_alarm_and_status(self):
        for name in ("cpu", "disk"):
            self.put_alarm(name)
        self.mute("a", "at(2098-01-01T00:00)", ["cpu"])
        self.mute("b", just_now(), ["cpu", "disk"])
        self.mute("c", "at(2020-01-01T00:00)", ["disk"])
        def listed(**query):
            rules = self.cloudwatch.list_alarm_mute_rules(**query)["AlarmMuteRuleSummaries"]
            return [(r["AlarmMuteRuleArn"].rsplit(":")[-1], r["Status"]) for r in rules]
        self.assertEqual(listed(), [("a", "SCHEDULED"), ("b", "ACTIVE"), ("c", "EXPIRED")])
        self.assertEqual(listed(AlarmName="cpu"), [("a", "SCHEDULED"), ("b", "ACTIVE")])
        self.assertEqual(listed(Statuses=["EXPIRED"]), [("c", "EXPIRED")])
        pages = self.cloudwatch.get_paginator("list_alarm_mute_rules").paginate(
            PaginationConfig={"PageSize": 2})
        self.assertEqual([len(page["AlarmMuteRuleSummaries"]) for page in pages], [2, 1])

    def test_what_would_not_mute_as_meant_is_refused(self):
        self.put_alarm("cpu")
        for expression, duration, targets, why in (
                ("cron(0 2 * * ? *)", "PT1H", ["cpu"], "five fields"),
                ("cron(0 2 * * *)", "PT30S", ["cpu"], "PT1M and P15D"),
                ("cron(0 2 * * *)", "PT1H", ["cpu", "typo"], "alarms [typo] do not exist"),
                ("cron(0 2 * * *)", "PT1H", ["cpu"] * 101, "less than or equal to 100")):
            code, message, _ = self.refused(self.mute, name="x", expression=expression,
                                            targets=targets, duration=duration)
            self.assertEqual(code, "ValidationError")
            self.assertIn(why, message)
        code, message, _ = self.refused(self.mute, name="x", expression="cron(0 2 * * *)",
                                        targets=["cpu"], Timezone="Mars/Base")
        self.assertIn("Mars/Base", message)

    def test_actions_are_held_and_done_once_the_rule_is_gone(self):
        url = self.changes("CloudWatch Alarm State Change")
        actions = ["arn:aws:sns:us-east-1:1:nowhere"]
        self.put_alarm("cpu", AlarmActions=actions)
        self.put_alarm("back", AlarmActions=actions, OKActions=actions)
        self.mute("drill", just_now(), ["cpu", "back"])
        for alarm, states in (("cpu", ["ALARM"]), ("back", ["ALARM", "INSUFFICIENT_DATA"])):
            for state in states:
                self.cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="x")
        self.assertEqual(self.actions("cpu"), [])
        detail = json.loads(self.received(url, 3)[0]["Body"])["detail"]
        self.assertEqual(detail["muteDetail"]["mutedByArn"], self.arn("drill"))
        self.assertRegex(detail["muteDetail"]["muteWindowStart"], r":00\.000\+0000$")
        self.cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName="drill")
        self.assertEqual(len(self.actions("cpu")), 1)
        # The state that people know already is no news.
        self.assertEqual(self.actions("back"), [])


class ConfigurationChanges(MuteTest):
    def test_each_change_of_an_alarm_is_an_event(self):
        url = self.changes("CloudWatch Alarm Configuration Change")
        self.put_alarm("cpu", AlarmDescription="slow")
        self.put_alarm("cpu", Threshold=7.5)
        self.cloudwatch.put_composite_alarm(AlarmName="all", AlarmRule="ALARM(cpu)")
        self.cloudwatch.delete_alarms(AlarmNames=["all"])
        events = [json.loads(message["Body"]) for message in self.received(url, 4)]
        events.sort(key=lambda event: ["create", "update", "delete"].index(
            event["detail"]["operation"]) + (event["detail"]["alarmName"] == "all"))
        created, updated, composite, deleted = events
        self.assertEqual(created["source"], "aws.cloudwatch")
        self.assertEqual(created["resources"],
                         [f"arn:aws:cloudwatch:us-east-1:{self.account}:alarm:cpu"])
        configuration = created["detail"]["configuration"]
        metric = configuration.pop("metrics")[0]
        self.assertRegex(configuration.pop("timestamp"), r"^\d{4}-.*\.\d{3}\+0000$")
        self.assertEqual(configuration, {
            "evaluationPeriods": 1, "threshold": 5, "comparisonOperator": "GreaterThanThreshold",
            "treatMissingData": "missing", "alarmName": "cpu", "description": "slow",
            "actionsEnabled": True, "okActions": [], "alarmActions": [],
            "insufficientDataActions": []})
        self.assertEqual(metric["metricStat"], {
            "metric": {"namespace": "App", "name": "Latency", "dimensions": {}}, "period": 60,
            "stat": "Average"})
        self.assertEqual(created["detail"]["state"]["value"], "INSUFFICIENT_DATA")
        self.assertEqual(updated["detail"]["configuration"]["threshold"], 7.5)
        self.assertEqual(updated["detail"]["previousConfiguration"]["threshold"], 5)
        self.assertEqual(composite["detail"]["configuration"]["alarmRule"], "ALARM(cpu)")
        self.assertEqual(deleted["detail"]["operation"], "delete")
        # What is gone is still told of.
        history = self.cloudwatch.describe_alarm_history(AlarmTypes=["CompositeAlarm"])
        self.assertEqual([item["HistorySummary"] for item in history["AlarmHistoryItems"]],
                         ['Alarm "all" deleted',
                          "Alarm updated from INSUFFICIENT_DATA to OK",
                          'Alarm "all" created'])


if __name__ == "__main__":
    unittest.main()
