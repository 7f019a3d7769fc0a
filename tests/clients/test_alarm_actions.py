"""What alarms do, with boto3: topics, refusals, and tags that say how often people are told."""

import json
import unittest

from test_mute_rules import MuteTest, just_now


class AlarmActions(MuteTest):
    def setUp(self):
        super().setUp()
        self.sns = self.client("sns")

    def topic(self, name="pages"):
        """A topic and the queue that gets what is published to it."""
        arn = self.sns.create_topic(Name=name)["TopicArn"]
        url, queue = self.queue(name)
        self.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
        return arn, url

    def state(self, value, alarm="cpu"):
        self.cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=value, StateReason="drill")

    def told(self, url, count=1):
        envelopes = [json.loads(message["Body"]) for message in self.received(url, count)]
        return [(e["Subject"], json.loads(e["Message"])) for e in envelopes]

    def test_a_topic_is_told_in_awss_own_words(self):
        arn, url = self.topic()
        self.put_alarm("cpu", AlarmActions=[arn], AlarmDescription="hot", Unit="Percent",
                       Dimensions=[{"Name": "Host", "Value": "a"}])
        self.state("ALARM")
        [(subject, message)] = self.told(url)
        self.assertEqual(subject, 'ALARM: "cpu" in US East (N. Virginia)')
        self.assertEqual(
            [message[key] for key in ("AlarmName", "AWSAccountId", "NewStateValue",
                                      "OldStateValue", "NewStateReason", "Region")],
            ["cpu", self.account, "ALARM", "INSUFFICIENT_DATA", "drill", "US East (N. Virginia)"])
        self.assertEqual(message["Trigger"]["Dimensions"], [{"value": "a", "name": "Host"}])
        self.assertEqual(message["Trigger"]["Statistic"], "AVERAGE")
        [action] = self.actions("cpu")
        self.assertEqual(action["HistorySummary"], f"Successfully executed action {arn}")
        data = json.loads(action["HistoryData"])
        self.assertEqual(json.loads(json.loads(data["publishedMessage"])["default"]), message)

    def test_a_topic_is_told_after_the_window_of_a_mute_rule(self):
        arn, url = self.topic()
        self.put_alarm("cpu", AlarmActions=[arn])
        self.mute("drill", just_now(), ["cpu"])
        self.state("ALARM")
        self.cloudwatch.delete_alarm_mute_rule(AlarmMuteRuleName="drill")
        [(_, message)] = self.told(url)
        self.assertTrue(message["ActionExecutedAfterMuteWindow"])

    def test_what_nobody_carries_out_is_told_in_the_history(self):
        for number, arn in enumerate((
                f"arn:aws:sns:us-east-1:{self.account}:nobody",
                f"arn:aws:lambda:us-east-1:{self.account}:function:none",
                "arn:aws:automate:us-east-1:ec2:stop")):
            name = f"alarm-{number}"
            self.put_alarm(name, AlarmActions=[arn])
            self.state("ALARM", name)
            [action] = self.actions(name)
            self.assertEqual(action["HistorySummary"], f"Failed to execute action {arn}")

    def test_tags_hold_back_what_flaps(self):
        arn, url = self.topic()
        self.put_alarm("cpu", AlarmActions=[arn], OKActions=[arn], TreatMissingData="ignore",
                       Tags=[{"Key": "coalmine:dwell", "Value": "10s"}])
        for value in ("ALARM", "OK", "ALARM", "OK"):
            self.state(value)
        for expected in ("ALARM", "OK"):
            [(_, message)] = self.told(url)
            self.assertEqual(message["NewStateValue"], expected)
        # What was held back is in the history all the same.
        items = self.cloudwatch.describe_alarm_history(AlarmName="cpu",
                                                       HistoryItemType="StateUpdate")
        self.assertEqual(len(items["AlarmHistoryItems"]), 4)

    def test_what_is_not_carried_out_is_refused(self):
        code, message, _ = self.refused(self.put_alarm, name="x",
                                        Tags=[{"Key": "coalmine:dwell", "Value": "soon"}])
        self.assertEqual(code, "ValidationError")
        self.assertIn("coalmine:dwell", message)
        code, message, _ = self.refused(
            self.put_alarm, name="x", EvaluationWindow={"WallClockWindow": {"Timezone": "UTC"}})
        self.assertIn("WallClockWindow", message)
        self.put_alarm("a")
        code, message, _ = self.refused(self.cloudwatch.put_composite_alarm, AlarmName="c",
                                        AlarmRule="AT_LEAST(2, ALARM, (a))")
        self.assertEqual(code, "ValidationError")
        self.assertIn("AT_LEAST", message)

    def test_a_composite_is_judged_anew_when_its_child_is_deleted(self):
        self.put_alarm("a")
        self.cloudwatch.put_composite_alarm(AlarmName="top", AlarmRule="ALARM(a)")
        self.state("ALARM", "a")
        composites = lambda: self.cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])
        self.assertEqual(composites()["CompositeAlarms"][0]["StateValue"], "ALARM")
        self.cloudwatch.delete_alarms(AlarmNames=["a"])
        self.assertEqual(composites()["CompositeAlarms"][0]["StateValue"], "OK")


if __name__ == "__main__":
    unittest.main()
