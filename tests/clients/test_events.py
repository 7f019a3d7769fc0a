"""EventBridge, STS and CloudTrail with boto3."""

import datetime
import json
import unittest

from coalmine_client import ClientTest


class Events(ClientTest):
    def setUp(self):
        super().setUp()
        self.events = self.client("events")

    def test_each_entry_is_taken_or_refused_on_its_own(self):
        good = {"Source": "shop", "DetailType": "order", "Detail": '{"id": 1}'}
        answer = self.events.put_events(Entries=[
            good,
            {**good, "Detail": "[1]"},
            {**good, "Detail": "{"},
            {"Source": "shop", "Detail": "{}"},
            {**good, "Source": "aws.shop"},
            {**good, "EventBusName": "none"},
            {**good, "Time": datetime.datetime(2020, 1, 1), "Resources": ["arn:x"]},
        ])
        self.assertEqual(answer["FailedEntryCount"], 5)
        codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
        self.assertEqual(codes, [None, "MalformedDetail", "MalformedDetail", "InvalidArgument",
                                 "NotAuthorizedForSourceException", "InvalidArgument", None])
        self.assertEqual(len(answer["Entries"][0]["EventId"]), 36)

    def test_a_request_over_its_limits_fails_as_a_whole(self):
        entry = {"Source": "shop", "DetailType": "order", "Detail": "{}"}
        self.assertEqual(self.refused(self.events.put_events, Entries=[entry] * 11)[0],
                         "ValidationException")
        large = {**entry, "Detail": json.dumps({"x": "y" * 1_048_576})}
        self.assertEqual(self.refused(self.events.put_events, Entries=[large])[0],
                         "ValidationException")

    def test_buses_are_made_listed_and_deleted(self):
        arn = f"arn:aws:events:us-east-1:{self.account}:event-bus/orders"
        made = self.events.create_event_bus(Name="orders", Description="all orders")
        self.assertEqual(made["EventBusArn"], arn)
        self.assertEqual(self.refused(self.events.create_event_bus, Name="orders")[0],
                         "ResourceAlreadyExistsException")
        names = [bus["Name"] for bus in self.events.list_event_buses()["EventBuses"]]
        self.assertEqual(names, ["default", "orders"])
        page = self.events.list_event_buses(Limit=1)
        self.assertEqual([bus["Name"] for bus in page["EventBuses"]], ["default"])
        page = self.events.list_event_buses(Limit=1, NextToken=page["NextToken"])
        self.assertEqual([bus["Name"] for bus in page["EventBuses"]], ["orders"])
        self.assertNotIn("NextToken", page)
        self.assertEqual(self.events.describe_event_bus(Name=arn)["Description"], "all orders")
        answer = self.events.put_events(Entries=[
            {"Source": "s", "DetailType": "t", "Detail": "{}", "EventBusName": arn}])
        self.assertEqual(answer["FailedEntryCount"], 0)
        self.events.delete_event_bus(Name="orders")
        self.assertEqual(self.refused(self.events.describe_event_bus, Name="orders")[0],
                         "ResourceNotFoundException")


class Identity(ClientTest):
    def test_the_key_is_the_account(self):
        answer = self.client("sts").get_caller_identity()
        self.assertEqual(answer["Account"], self.account)
        self.assertEqual(answer["Arn"], f"arn:aws:iam::{self.account}:root")

    def test_a_region_has_its_partition(self):
        answer = self.client("sts", region="cn-north-1").get_caller_identity()
        self.assertEqual(answer["Arn"], f"arn:aws-cn:iam::{self.account}:root")


class Audit(ClientTest):
    def test_every_management_call_can_be_looked_up_at_once(self):
        logs = self.client("logs")
        trail = self.client("cloudtrail")
        logs.create_log_group(logGroupName="/audited")
        self.refused(logs.create_log_group, logGroupName="/audited")
        logs.describe_log_groups()
        found = trail.lookup_events()["Events"]
        self.assertEqual([event["EventName"] for event in found],
                         ["DescribeLogGroups", "CreateLogGroup", "CreateLogGroup"])
        self.assertEqual([event["ReadOnly"] for event in found], ["true", "false", "false"])
        record = json.loads(found[1]["CloudTrailEvent"])
        self.assertEqual(record["errorCode"], "ResourceAlreadyExistsException")
        self.assertEqual(record["requestParameters"], {"logGroupName": "/audited"})
        self.assertEqual(record["userIdentity"]["accountId"], self.account)
        self.assertEqual(found[2]["Resources"], [
            {"ResourceType": "AWS::Logs::LogGroup", "ResourceName": "/audited"}])
        by_name = trail.lookup_events(LookupAttributes=[
            {"AttributeKey": "EventName", "AttributeValue": "DescribeLogGroups"}])["Events"]
        self.assertEqual(len(by_name), 1)
        by_resource = trail.lookup_events(LookupAttributes=[
            {"AttributeKey": "ResourceName", "AttributeValue": "/audited"}], MaxResults=1)
        self.assertEqual(len(by_resource["Events"]), 1)
        self.assertIn("NextToken", by_resource)

    def test_lookups_are_checked(self):
        trail = self.client("cloudtrail")
        start = datetime.datetime(2026, 1, 2)
        end = datetime.datetime(2026, 1, 1)
        code, _, _ = self.refused(trail.lookup_events, StartTime=start, EndTime=end)
        self.assertEqual(code, "InvalidTimeRangeException")
        attribute = {"AttributeKey": "EventName", "AttributeValue": "x"}
        code, _, _ = self.refused(trail.lookup_events, LookupAttributes=[attribute] * 2)
        self.assertEqual(code, "InvalidLookupAttributesException")


if __name__ == "__main__":
    unittest.main()
