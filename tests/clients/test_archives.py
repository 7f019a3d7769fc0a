"""Archives and replays of EventBridge with boto3."""

import datetime
import json
import time
import unittest

from test_rules import RuleTest

START = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
END = datetime.datetime(2090, 1, 1, tzinfo=datetime.timezone.utc)


class Archives(RuleTest):
    def setUp(self):
        super().setUp()
        self.bus = f"arn:aws:events:us-east-1:{self.account}:event-bus/default"

    def archive(self, name="all", **arguments):
        return self.events.create_archive(ArchiveName=name, EventSourceArn=self.bus,
                                          **arguments)["ArchiveArn"]

    def replay(self, archive, name="again", **destination):
        return self.events.start_replay(
            ReplayName=name, EventSourceArn=archive, EventStartTime=START, EventEndTime=END,
            Destination={"Arn": self.bus, **destination})

    def ended(self, name="again"):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            found = self.events.describe_replay(ReplayName=name)
            if found["State"] not in ("STARTING", "RUNNING", "CANCELLING"):
                return found
        self.fail("the replay does not end")

    def test_an_archive_holds_what_came_after_it_and_fits(self):
        self.put({"n": 0})
        arn = self.archive(EventPattern=json.dumps({"detail": {"n": [1, 2]}}), RetentionDays=7)
        self.assertEqual(arn, f"arn:aws:events:us-east-1:{self.account}:archive/all")
        for n in [1, 2, 3]:
            self.put({"n": n})
        found = self.events.describe_archive(ArchiveName="all")
        self.assertEqual((found["State"], found["EventCount"], found["RetentionDays"]),
                         ("ENABLED", 2, 7))
        self.assertGreater(found["SizeBytes"], 100)
        self.events.update_archive(ArchiveName="all", Description="d",
                                   EventPattern='{"detail": {"n": [3]}}')
        self.put({"n": 3})
        self.assertEqual(self.events.describe_archive(ArchiveName="all")["EventCount"], 3)
        self.assertEqual([a["ArchiveName"] for a in self.events.list_archives()["Archives"]],
                         ["all"])
        self.assertEqual(self.refused(self.archive)[0], "ResourceAlreadyExistsException")
        self.assertEqual(self.refused(self.archive, name="x", EventPattern="{")[0],
                         "InvalidEventPatternException")
        self.events.delete_archive(ArchiveName="all")
        self.assertEqual(self.refused(self.events.describe_archive, ArchiveName="all")[:2],
                         ("ResourceNotFoundException", "Archive all does not exist."))

    def test_a_replay_sends_what_the_archive_holds_to_the_rules_once_more(self):
        url, queue = self.queue("jobs")
        other, other_queue = self.queue("other")
        arn = self.archive()
        sent = [self.put({"n": n}) for n in range(3)]
        rule = self.events.put_rule(Name="r", EventPattern='{"source": ["shop"]}')["RuleArn"]
        self.events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": queue}])
        self.events.put_rule(Name="o", EventPattern='{"source": ["shop"]}')
        self.events.put_targets(Rule="o", Targets=[{"Id": "1", "Arn": other_queue}])
        answer = self.replay(arn, FilterArns=[rule])
        self.assertEqual(answer["State"], "STARTING")
        found = self.ended()
        self.assertEqual(found["State"], "COMPLETED")
        self.assertIn("EventLastReplayedTime", found)
        bodies = [json.loads(message["Body"]) for message in self.received(url, 3)]
        self.assertEqual({body["id"] for body in bodies}, set(sent))
        self.assertEqual({body["replay-name"] for body in bodies}, {"again"})
        self.assertNotIn("Messages", self.sqs.receive_message(QueueUrl=other))
        # What was replayed is not archived once more.
        self.assertEqual(self.events.describe_archive(ArchiveName="all")["EventCount"], 3)
        self.assertEqual([r["State"] for r in self.events.list_replays()["Replays"]],
                         ["COMPLETED"])
        self.assertEqual(self.refused(self.events.cancel_replay, ReplayName="again")[0],
                         "IllegalStatusException")
        self.assertEqual(self.refused(self.replay, archive=arn)[0],
                         "ResourceAlreadyExistsException")

    def test_a_replay_is_checked(self):
        arn = self.archive()
        own = self.events.create_event_bus(Name="own")["EventBusArn"]
        good = {"ReplayName": "x", "EventSourceArn": arn, "EventStartTime": START,
                "EventEndTime": END, "Destination": {"Arn": self.bus}}
        for change, code in [
                ({"EventEndTime": START}, "ValidationException"),
                ({"EventSourceArn": self.bus}, "ValidationException"),
                ({"EventSourceArn": arn + "2"}, "ResourceNotFoundException"),
                ({"Destination": {"Arn": own}}, "ValidationException"),
                ({"Destination": {"Arn": arn}}, "ValidationException")]:
            refused = self.refused(self.events.start_replay, **{**good, **change})
            self.assertEqual(refused[0], code, change)


if __name__ == "__main__":
    unittest.main()
