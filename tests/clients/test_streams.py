"""Streams as targets of rules, and what rules tell about themselves, with boto3."""

import base64
import gzip
import json
import os
import pathlib
import time
import unittest

from test_rules import RuleTest

OUTGOING = pathlib.Path(os.environ.get("COALMINE_DATA", "/nonexistent")) / "buckets" / "outgoing"


class Streams(RuleTest):
    def rule(self, *targets):
        self.events.put_rule(Name="r", EventPattern='{"source": ["shop"]}')
        answer = self.events.put_targets(Rule="r", Targets=[
            {"Id": str(at), **target} for at, target in enumerate(targets)])
        self.assertEqual(answer["FailedEntryCount"], 0)

    def files(self, pattern, count=1):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            found = sorted(OUTGOING.glob(pattern))
            if len(found) >= count:
                return found
            time.sleep(0.05)
        self.fail(f"no {pattern}")

    def test_a_delivery_stream_is_a_folder_of_compressed_files_by_hour(self):
        name = f"out-{self.account}"
        arn = f"arn:aws:firehose:us-east-1:{self.account}:deliverystream/{name}"
        self.rule({"Arn": arn, "RoleArn": "arn:aws:iam::1:role/r"})
        event = self.put({"n": 1})
        [path] = self.files(f"firehose/{name}/*/*/*/*/*.json.gz")
        line = gzip.decompress(path.read_bytes())
        self.assertTrue(line.endswith(b"}\n"))
        self.assertEqual(json.loads(line)["id"], event)

    def test_a_data_stream_is_partitioned_by_what_stands_in_the_event(self):
        name = f"in-{self.account}"
        arn = f"arn:aws:kinesis:us-east-1:{self.account}:stream/{name}"
        self.rule({"Arn": arn, "RoleArn": "arn:aws:iam::1:role/r",
                   "KinesisParameters": {"PartitionKeyPath": "$.detail.shop"}})
        self.put({"shop": "north/1"})
        [path] = self.files(f"kinesis/{name}/north_1/*.json.gz")
        record = json.loads(gzip.decompress(path.read_bytes()))
        self.assertEqual(record["partitionKey"], "north/1")
        self.assertEqual(json.loads(base64.b64decode(record["data"]))["detail"],
                         {"shop": "north/1"})

    def test_rules_count_what_they_do(self):
        _, queue = self.queue("q")
        dead, dead_arn = self.queue("dead")
        self.rule({"Arn": queue},
                  {"Arn": f"arn:aws:sqs:us-east-1:{self.account}:none",
                   "DeadLetterConfig": {"Arn": dead_arn}})
        for n in range(3):
            self.put({"n": n})
        self.received(dead, 3)
        wanted = {"MatchedEvents": 3, "TriggeredRules": 3, "Invocations": 6,
                  "FailedInvocations": 3, "InvocationsSentToDlq": 3, "InvocationAttempts": 6}
        cloudwatch, found = self.client("cloudwatch"), {}
        end = time.monotonic() + 20
        while found != wanted and time.monotonic() < end:
            time.sleep(0.2)
            found = {name: sum(point["Sum"] for point in cloudwatch.get_metric_statistics(
                Namespace="AWS/Events", MetricName=name, Period=3600, Statistics=["Sum"],
                Dimensions=[{"Name": "RuleName", "Value": "r"}], StartTime=time.time() - 7200,
                EndTime=time.time() + 3600)["Datapoints"]) for name in wanted}
        self.assertEqual(found, wanted)

    def test_a_bus_has_300_rules(self):
        for number in range(300):
            self.events.put_rule(Name=f"r{number}", EventPattern='{"source": ["shop"]}')
        self.events.put_rule(Name="r0", EventPattern='{"source": ["other"]}')
        self.assertEqual(self.refused(self.events.put_rule, Name="r300",
                                      EventPattern='{"source": ["shop"]}')[0],
                         "LimitExceededException")


if __name__ == "__main__":
    unittest.main()
