"""Rules of EventBridge with boto3: put, matched, delivered."""

import json
import time
import unittest

from coalmine_client import ClientTest


class RuleTest(ClientTest):
    def setUp(self):
        super().setUp()
        self.events = self.client("events")
        self.sqs = self.client("sqs")

    def queue(self, name):
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        return url, f"arn:aws:sqs:us-east-1:{self.account}:{name}"

    def put(self, detail, source="shop", kind="order", **more):
        entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail), **more}
        answer = self.events.put_events(Entries=[entry])
        self.assertEqual(answer["FailedEntryCount"], 0)
        return answer["Entries"][0]["EventId"]

    def received(self, url, count=1):
        """The bodies of the next messages."""
        bodies = []
        end = time.monotonic() + 20
        while len(bodies) < count and time.monotonic() < end:
            got = self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5,
                                           MaxNumberOfMessages=10,
                                           MessageAttributeNames=["All"])
            bodies += got.get("Messages", [])
        self.assertEqual(len(bodies), count)
        return bodies


class Rules(RuleTest):
    def test_a_rule_is_put_replaced_switched_and_deleted(self):
        arn = f"arn:aws:events:us-east-1:{self.account}:rule/orders"
        pattern = json.dumps({"source": ["shop"]})
        made = self.events.put_rule(Name="orders", EventPattern=pattern, Description="all",
                                    Tags=[{"Key": "team", "Value": "shop"}])
        self.assertEqual(made["RuleArn"], arn)
        found = self.events.describe_rule(Name="orders")
        self.assertEqual(
            {key: found[key] for key in found if key != "ResponseMetadata"},
            {"Name": "orders", "Arn": arn, "EventPattern": pattern, "State": "ENABLED",
             "Description": "all", "EventBusName": "default", "CreatedBy": self.account})
        self.events.put_rule(Name="orders", ScheduleExpression="rate(5 minutes)")
        found = self.events.describe_rule(Name="orders")
        self.assertNotIn("Description", found)
        self.assertNotIn("EventPattern", found)
        tags = self.events.list_tags_for_resource(ResourceARN=arn)["Tags"]
        self.assertEqual(tags, [{"Key": "team", "Value": "shop"}])
        self.events.disable_rule(Name="orders")
        self.assertEqual(self.events.describe_rule(Name="orders")["State"], "DISABLED")
        self.events.enable_rule(Name="orders")
        self.assertEqual(self.events.describe_rule(Name="orders")["State"], "ENABLED")
        self.events.delete_rule(Name="orders")
        self.events.delete_rule(Name="orders")
        code, message, status = self.refused(self.events.describe_rule, Name="orders")
        self.assertEqual((code, status), ("ResourceNotFoundException", 400))
        self.assertEqual(message, "Rule orders does not exist on EventBus default.")

    def test_what_is_wrong_with_a_rule_is_said_in_awss_words(self):
        self.events.create_event_bus(Name="own")
        for arguments, code in [
                ({}, "ValidationException"),
                ({"EventPattern": "{"}, "InvalidEventPatternException"),
                ({"EventPattern": "{}"}, "InvalidEventPatternException"),
                ({"EventPattern": '{"source": "shop"}'}, "InvalidEventPatternException"),
                ({"EventPattern": '{"source": [{"wildcard": "a**b"}]}'},
                 "InvalidEventPatternException"),
                ({"ScheduleExpression": "rate(1 minutes)"}, "ValidationException"),
                ({"ScheduleExpression": "cron(0 12 * * * *)"}, "ValidationException"),
                ({"ScheduleExpression": "rate(1 minute)", "EventBusName": "own"},
                 "ValidationException"),
                ({"EventPattern": '{"source": ["a"]}', "EventBusName": "none"},
                 "ResourceNotFoundException")]:
            refused = self.refused(self.events.put_rule, Name="bad", **arguments)
            self.assertEqual(refused[0], code, arguments)
        _, message, _ = self.refused(self.events.put_rule, Name="bad",
                                     ScheduleExpression="rate(1 minutes)")
        self.assertEqual(message, "Parameter ScheduleExpression is not valid.")

    def test_rules_and_targets_are_listed_in_pages(self):
        _, arn = self.queue("jobs")
        for name in ["c", "a", "b"]:
            self.events.put_rule(Name=name, EventPattern='{"source": ["x"]}')
        names = [rule["Name"] for rule in self.events.list_rules()["Rules"]]
        self.assertEqual(names, ["a", "b", "c"])
        pages = self.events.get_paginator("list_rules").paginate(PaginationConfig={"PageSize": 2})
        self.assertEqual([[r["Name"] for r in page["Rules"]] for page in pages],
                         [["a", "b"], ["c"]])
        target = {"Id": "1", "Arn": arn, "InputPath": "$.detail",
                  "RetryPolicy": {"MaximumRetryAttempts": 3}}
        answer = self.events.put_targets(Rule="a", Targets=[target])
        self.assertEqual(answer["FailedEntryCount"], 0)
        self.assertEqual(self.events.list_targets_by_rule(Rule="a")["Targets"], [target])
        self.assertEqual(self.events.list_rule_names_by_target(TargetArn=arn)["RuleNames"], ["a"])
        code, message, _ = self.refused(self.events.delete_rule, Name="a")
        self.assertEqual(code, "ValidationException")
        self.assertEqual(message, "Rule can't be deleted since it has targets.")
        answer = self.events.remove_targets(Rule="a", Ids=["1", "2"])
        self.assertEqual([failed["TargetId"] for failed in answer["FailedEntries"]], ["2"])
        self.events.delete_rule(Name="a")

    def test_targets_are_checked(self):
        _, arn = self.queue("jobs")
        self.events.put_rule(Name="r", EventPattern='{"source": ["x"]}')
        for target, code in [
                ({"Arn": "nonsense"}, "ValidationException"),
                ({"Arn": arn, "Input": "{"}, "ValidationException"),
                ({"Arn": arn, "Input": "{}", "InputPath": "$"}, "ValidationException"),
                ({"Arn": arn + ".fifo"}, "ValidationException"),
                ({"Arn": arn, "RetryPolicy": {"MaximumRetryAttempts": 186}},
                 "ValidationException"),
                ({"Arn": arn, "InputTransformer": {"InputTemplate": "<x>"}},
                 "ValidationException")]:
            refused = self.refused(self.events.put_targets, Rule="r",
                                   Targets=[{"Id": "1", **target}])
            self.assertEqual(refused[0], code, target)
        many = [{"Id": str(n), "Arn": arn} for n in range(6)]
        self.assertEqual(self.refused(self.events.put_targets, Rule="r", Targets=many)[0],
                         "LimitExceededException")
        self.assertEqual(self.refused(self.events.put_targets, Rule="none", Targets=many[:1])[0],
                         "ResourceNotFoundException")

    def test_patterns_are_tested(self):
        event = {"id": "1", "account": "1", "source": "shop", "time": "2026-01-01T00:00:00Z",
                 "region": "r", "resources": [], "detail-type": "order", "detail": {"n": 7}}
        for pattern, result in [
                ({"source": ["shop"]}, True),
                ({"detail": {"n": [{"numeric": [">", 5, "<", 7]}]}}, False),
                ({"detail": {"n": [{"exists": True}]}}, True)]:
            answer = self.events.test_event_pattern(EventPattern=json.dumps(pattern),
                                                    Event=json.dumps(event))
            self.assertIs(answer["Result"], result, pattern)
        del event["id"]
        refused = self.refused(self.events.test_event_pattern,
                               EventPattern='{"source": ["shop"]}', Event=json.dumps(event))
        self.assertEqual(refused[0], "ValidationException")


class Delivery(RuleTest):
    def test_a_matched_event_comes_out_of_the_queue_as_it_is_or_as_asked(self):
        whole, whole_arn = self.queue("whole")
        part, part_arn = self.queue("part")
        made, made_arn = self.queue("made")
        self.events.put_rule(Name="large",
                             EventPattern=json.dumps({"detail": {"total": [{"numeric": [">", 9]}]}}))
        self.events.put_targets(Rule="large", Targets=[
            {"Id": "whole", "Arn": whole_arn},
            {"Id": "part", "Arn": part_arn, "InputPath": "$.detail"},
            {"Id": "made", "Arn": made_arn, "InputTransformer": {
                "InputPathsMap": {"t": "$.detail.total"},
                "InputTemplate": '{"total": <t>, "rule": "<aws.events.rule-name>"}'}}])
        self.put({"total": 3})
        event_id = self.put({"total": 10}, Resources=["arn:a"])
        [message] = self.received(whole)
        event = json.loads(message["Body"])
        self.assertEqual(list(event), ["version", "id", "detail-type", "source", "account",
                                       "time", "region", "resources", "detail"])
        self.assertEqual((event["id"], event["detail"]), (event_id, {"total": 10}))
        self.assertEqual(self.received(part)[0]["Body"], '{"total":10}')
        self.assertEqual(self.received(made)[0]["Body"], '{"total": 10, "rule": "large"}')
        self.assertNotIn("Messages", self.sqs.receive_message(QueueUrl=whole))

    def test_what_cannot_be_delivered_becomes_a_dead_letter(self):
        dead, dead_arn = self.queue("dead")
        gone = f"arn:aws:sqs:us-east-1:{self.account}:gone"
        elsewhere = f"arn:aws:states:us-east-1:{self.account}:stateMachine:x"
        rule = self.events.put_rule(Name="r", EventPattern='{"source": ["shop"]}')["RuleArn"]
        self.events.put_targets(Rule="r", Targets=[
            {"Id": "1", "Arn": gone, "Input": '"constant"', "DeadLetterConfig": {"Arn": dead_arn}},
            {"Id": "2", "Arn": elsewhere, "DeadLetterConfig": {"Arn": dead_arn}}])
        event_id = self.put({})
        found = {}
        for message in self.received(dead, 2):
            self.assertEqual(json.loads(message["Body"])["id"], event_id)
            attributes = {name: value["StringValue"]
                          for name, value in message["MessageAttributes"].items()}
            found[attributes["TARGET_ARN"]] = attributes
        self.assertEqual(set(found), {gone, elsewhere})
        self.assertEqual(found[gone]["ERROR_CODE"], "NO_RESOURCE")
        self.assertEqual(found[gone]["RULE_ARN"], rule)
        self.assertEqual(found[gone]["RETRY_ATTEMPTS"], "0")

    def test_an_event_goes_from_bus_to_bus_and_into_a_log_group(self):
        logs = self.client("logs")
        logs.create_log_group(logGroupName="/aws/events/orders")
        bus = self.events.create_event_bus(Name="own")["EventBusArn"]
        self.events.put_rule(Name="on", EventPattern='{"source": ["shop"]}')
        self.events.put_targets(Rule="on", Targets=[{"Id": "1", "Arn": bus}])
        group = f"arn:aws:logs:us-east-1:{self.account}:log-group:/aws/events/orders"
        self.events.put_rule(Name="log", EventBusName="own", EventPattern='{"source": ["shop"]}')
        self.events.put_targets(Rule="log", EventBusName="own",
                                Targets=[{"Id": "1", "Arn": group}])
        event_id = self.put({"n": 1})
        end = time.monotonic() + 20
        found = []
        while not found and time.monotonic() < end:
            found = logs.filter_log_events(logGroupName="/aws/events/orders")["events"]
        self.assertEqual(json.loads(found[0]["message"])["id"], event_id)

    def test_an_account_that_the_policy_does_not_name_puts_nothing(self):
        bus = self.events.create_event_bus(Name="own")["EventBusArn"]
        stranger = type(self)("test_an_account_that_the_policy_does_not_name_puts_nothing")
        ClientTest.setUp(stranger)
        entry = {"Source": "s", "DetailType": "t", "Detail": "{}", "EventBusName": bus}
        [answer] = stranger.client("events").put_events(Entries=[entry])["Entries"]
        self.assertEqual(answer["ErrorCode"], "AccessDeniedException")


if __name__ == "__main__":
    unittest.main()
