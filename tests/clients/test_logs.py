"""CloudWatch Logs with boto3."""

import time
import unittest

from coalmine_client import ClientTest


class Logs(ClientTest):
    def setUp(self):
        super().setUp()
        self.logs = self.client("logs")
        self.now = int(time.time() * 1000)

    def stream(self, group="/app/web", stream="one"):
        self.logs.create_log_group(logGroupName=group)
        self.logs.create_log_stream(logGroupName=group, logStreamName=stream)
        return {"logGroupName": group, "logStreamName": stream}

    def put(self, stream, *messages, at=None):
        at = self.now if at is None else at
        return self.logs.put_log_events(**stream, logEvents=[
            {"timestamp": at + index, "message": message}
            for index, message in enumerate(messages)])

    def messages(self, events):
        return [event["message"] for event in events]

    def test_events_are_read_back_in_order(self):
        stream = self.stream()
        answer = self.put(stream, "first", "second", "third ünïcode")
        self.assertIn("nextSequenceToken", answer)
        self.assertNotIn("rejectedLogEventsInfo", answer)
        events = self.logs.get_log_events(**stream, startFromHead=True)["events"]
        self.assertEqual(self.messages(events), ["first", "second", "third ünïcode"])
        self.assertEqual(events[1]["timestamp"], self.now + 1)
        self.assertGreaterEqual(events[1]["ingestionTime"], self.now - 1000)

    def test_forward_tokens_end_in_themselves(self):
        stream = self.stream()
        self.put(stream, *[f"m{number}" for number in range(25)])
        seen, token = [], None
        for _ in range(10):
            arguments = {"nextToken": token} if token else {}
            page = self.logs.get_log_events(**stream, startFromHead=True, limit=10, **arguments)
            seen += self.messages(page["events"])
            if page["nextForwardToken"] == token:
                break
            token = page["nextForwardToken"]
        self.assertEqual(seen, [f"m{number}" for number in range(25)])
        self.put(stream, "late", at=self.now + 100)
        page = self.logs.get_log_events(**stream, startFromHead=True, nextToken=token)
        self.assertEqual(self.messages(page["events"]), ["late"])

    def test_the_newest_page_comes_first_and_pages_go_back(self):
        stream = self.stream()
        self.put(stream, *[f"m{number}" for number in range(25)])
        page = self.logs.get_log_events(**stream, limit=10)
        self.assertEqual(self.messages(page["events"]), [f"m{n}" for n in range(15, 25)])
        page = self.logs.get_log_events(**stream, limit=10, nextToken=page["nextBackwardToken"])
        self.assertEqual(self.messages(page["events"]), [f"m{n}" for n in range(5, 15)])

    def test_the_end_time_is_exclusive_here_and_inclusive_in_filters(self):
        stream = self.stream()
        self.put(stream, "a", "b", "c")
        window = {"startTime": self.now, "endTime": self.now + 2}
        events = self.logs.get_log_events(**stream, **window, startFromHead=True)["events"]
        self.assertEqual(self.messages(events), ["a", "b"])
        events = self.logs.filter_log_events(logGroupName="/app/web", **window)["events"]
        self.assertEqual(self.messages(events), ["a", "b", "c"])

    def test_patterns_filter_across_streams(self):
        one = self.stream()
        self.logs.create_log_stream(logGroupName="/app/web", logStreamName="two")
        two = {**one, "logStreamName": "two"}
        self.put(one, "ERROR disk", "INFO fine", '{"level": "error", "ms": 120}')
        self.put(two, "ERROR net", '{"level": "info", "ms": 5}', at=self.now + 10)

        def found(pattern, **more):
            answer = self.logs.filter_log_events(
                logGroupName="/app/web", filterPattern=pattern, **more)
            self.assertEqual(answer["searchedLogStreams"], [])
            return self.messages(answer["events"])

        self.assertEqual(found("ERROR"), ["ERROR disk", "ERROR net"])
        self.assertEqual(found("ERROR -disk"), ["ERROR net"])
        self.assertEqual(found("{ $.ms > 100 }"), ['{"level": "error", "ms": 120}'])
        self.assertEqual(found("ERROR", logStreamNames=["two"]), ["ERROR net"])
        self.assertEqual(found("ERROR", logStreamNamePrefix="o"), ["ERROR disk"])
        self.assertEqual(len(found("")), 5)

    def test_filtered_pages_join_to_the_whole(self):
        stream = self.stream()
        self.put(stream, *[f"m{number}" for number in range(25)])
        pages = self.logs.get_paginator("filter_log_events").paginate(
            logGroupName="/app/web", PaginationConfig={"PageSize": 10})
        events = [event for page in pages for event in page["events"]]
        self.assertEqual(self.messages(events), [f"m{number}" for number in range(25)])
        self.assertEqual(len({event["eventId"] for event in events}), 25)

    def test_groups_and_streams_are_described_by_name(self):
        for name in ("/b", "/a/2", "/a/1"):
            self.logs.create_log_group(logGroupName=name)
        groups = self.logs.describe_log_groups()["logGroups"]
        self.assertEqual([group["logGroupName"] for group in groups], ["/a/1", "/a/2", "/b"])
        self.assertEqual(groups[0]["arn"],
                         f"arn:aws:logs:us-east-1:{self.account}:log-group:/a/1:*")
        self.assertEqual(groups[0]["logGroupClass"], "STANDARD")
        self.assertNotIn("retentionInDays", groups[0])
        groups = self.logs.describe_log_groups(logGroupNamePrefix="/a")["logGroups"]
        self.assertEqual(len(groups), 2)
        groups = self.logs.describe_log_groups(logGroupNamePattern="2")["logGroups"]
        self.assertEqual([group["logGroupName"] for group in groups], ["/a/2"])
        pages = self.logs.get_paginator("describe_log_groups").paginate(
            PaginationConfig={"PageSize": 2})
        self.assertEqual([len(page["logGroups"]) for page in pages], [2, 1])
        for name in ("x2", "x1", "y"):
            self.logs.create_log_stream(logGroupName="/b", logStreamName=name)
        self.put({"logGroupName": "/b", "logStreamName": "x2"}, "hello")
        described = self.logs.describe_log_streams
        names = lambda answer: [stream["logStreamName"] for stream in answer["logStreams"]]
        self.assertEqual(names(described(logGroupName="/b")), ["x1", "x2", "y"])
        self.assertEqual(names(described(logGroupName="/b", logStreamNamePrefix="x")),
                         ["x1", "x2"])
        newest = described(logGroupName="/b", orderBy="LastEventTime", descending=True, limit=1)
        self.assertEqual(names(newest), ["x2"])
        self.assertEqual(newest["logStreams"][0]["lastEventTimestamp"], self.now)
        pages = self.logs.get_paginator("describe_log_streams").paginate(
            logGroupName="/b", descending=True, PaginationConfig={"PageSize": 2})
        self.assertEqual([names(page) for page in pages], [["y", "x2"], ["x1"]])

    def test_events_out_of_time_are_told(self):
        stream = self.stream()
        day = 86_400_000
        answer = self.put(stream, "old", at=self.now - 15 * day)
        self.assertEqual(answer["rejectedLogEventsInfo"], {"tooOldLogEventEndIndex": 1})
        answer = self.put(stream, "new", at=self.now + 3 * 3_600_000)
        self.assertEqual(answer["rejectedLogEventsInfo"], {"tooNewLogEventStartIndex": 0})
        self.assertEqual(self.logs.get_log_events(**stream)["events"], [])

    def test_retention_takes_effect_at_once(self):
        stream = self.stream()
        day = 86_400_000
        self.put(stream, "old", at=self.now - 5 * day)
        self.put(stream, "new")
        self.logs.put_retention_policy(logGroupName="/app/web", retentionInDays=3)
        group = self.logs.describe_log_groups()["logGroups"][0]
        self.assertEqual(group["retentionInDays"], 3)
        read = lambda: self.messages(
            self.logs.get_log_events(**stream, startFromHead=True)["events"])
        self.assertEqual(read(), ["new"])
        self.logs.delete_retention_policy(logGroupName="/app/web")
        self.assertEqual(read(), ["new"])
        self.assertNotIn("retentionInDays", self.logs.describe_log_groups()["logGroups"][0])
        code, _, _ = self.refused(self.logs.put_retention_policy, logGroupName="/app/web",
                                  retentionInDays=2)
        self.assertEqual(code, "InvalidParameterException")

    def test_deleting_takes_everything_along(self):
        stream = self.stream()
        self.put(stream, "hello")
        self.logs.delete_log_stream(**stream)
        self.assertEqual(self.refused(self.logs.get_log_events, **stream)[:2],
                         ("ResourceNotFoundException",
                          "The specified log stream does not exist."))
        self.logs.delete_log_group(logGroupName="/app/web")
        self.assertEqual(self.logs.describe_log_groups()["logGroups"], [])
        stream = self.stream()
        self.assertEqual(self.logs.get_log_events(**stream)["events"], [])

    def test_refusals_have_awss_codes_and_words(self):
        self.assertEqual(
            self.refused(self.logs.put_log_events, logGroupName="none", logStreamName="x",
                         logEvents=[{"timestamp": self.now, "message": "x"}]),
            ("ResourceNotFoundException", "The specified log group does not exist.", 400))
        stream = self.stream()
        self.assertEqual(self.refused(self.logs.create_log_group, logGroupName="/app/web")[0],
                         "ResourceAlreadyExistsException")
        self.assertEqual(self.refused(self.logs.create_log_stream, **stream)[0],
                         "ResourceAlreadyExistsException")
        code, message, _ = self.refused(self.logs.create_log_group, logGroupName="a b")
        self.assertEqual(code, "InvalidParameterException")
        self.assertIn("regular expression pattern", message)
        code, message, _ = self.refused(
            self.logs.put_log_events, **stream, logEvents=[
                {"timestamp": self.now, "message": "b"},
                {"timestamp": self.now - 1, "message": "a"}])
        self.assertEqual(code, "InvalidParameterException")
        self.assertIn("chronological", message)
        code, _, _ = self.refused(self.logs.filter_log_events, logGroupName="/app/web",
                                  filterPattern="{ $.a = ")
        self.assertEqual(code, "InvalidParameterException")
        code, _, _ = self.refused(self.logs.describe_log_groups, nextToken="forged")
        self.assertEqual(code, "InvalidParameterException")

    def test_tags_live_with_their_group(self):
        self.logs.create_log_group(logGroupName="/t", tags={"team": "web"})
        arn = f"arn:aws:logs:us-east-1:{self.account}:log-group:/t"
        self.logs.tag_resource(resourceArn=arn, tags={"tier": "1"})
        tags = self.logs.list_tags_for_resource(resourceArn=arn)["tags"]
        self.assertEqual(tags, {"team": "web", "tier": "1"})
        self.logs.untag_resource(resourceArn=arn, tagKeys=["team"])
        self.assertEqual(self.logs.list_tags_log_group(logGroupName="/t")["tags"], {"tier": "1"})

    def query(self, text, **more):
        started = self.logs.start_query(
            queryString=text, startTime=self.now // 1000 - 60, endTime=self.now // 1000 + 60,
            **{"logGroupName": "/app/web", **more})
        answer = self.logs.get_query_results(queryId=started["queryId"])
        rows = [{field["field"]: field["value"] for field in row} for row in answer["results"]]
        return started["queryId"], answer, rows

    def test_a_small_query_is_complete_at_its_first_results(self):
        stream = self.stream()
        self.put(stream, '{"level": "error", "ms": 120}', '{"level": "info", "ms": 5}',
                 '{"level": "error", "ms": 80}')
        text = "stats count(*) as n, max(ms) as slowest by level | sort n desc"
        id, answer, rows = self.query(text)
        self.assertEqual(answer["status"], "Complete")
        self.assertEqual(rows, [{"level": "error", "n": "2", "slowest": "120"},
                                {"level": "info", "n": "1", "slowest": "5"}])
        statistics = answer["statistics"]
        self.assertEqual((statistics["recordsScanned"], statistics["recordsMatched"]), (3, 3))
        _, _, rows = self.query("fields @message, @logStream | filter ms > 100 | limit 5")
        self.assertEqual(len(rows), 1)
        self.assertEqual(rows[0]["@logStream"], "one")
        self.assertIn("@ptr", rows[0])
        described = self.logs.describe_queries(logGroupName="/app/web")["queries"]
        self.assertEqual(len(described), 2)
        self.assertEqual(described[1]["queryId"], id)
        page = self.logs.get_query_results(queryId=id, maxItems=1)
        self.assertEqual(len(page["results"]), 1)
        page = self.logs.get_query_results(queryId=id, maxItems=1, nextToken=page["nextToken"])
        self.assertEqual(page["results"][0][0]["value"], "info")
        self.assertEqual(self.refused(self.logs.stop_query, queryId=id)[0],
                         "InvalidParameterException")

    def test_wrong_queries_are_refused(self):
        self.stream()
        with self.assertRaises(self.logs.exceptions.MalformedQueryException) as caught:
            self.query("stats count(")
        self.assertIn("location", caught.exception.response["queryCompileError"])
        code, _, _ = self.refused(self.query, text="fields @message", logGroupName="none")
        self.assertEqual(code, "ResourceNotFoundException")
        code, _, _ = self.refused(self.logs.get_query_results, queryId="none")
        self.assertEqual(code, "ResourceNotFoundException")

    def test_a_metric_filter_can_be_tried(self):
        matches = self.logs.test_metric_filter(
            filterPattern="[ip, id, user, time, request, status=4*, size]",
            logEventMessages=[
                '127.0.0.1 - ann [10/Oct/2000:13:25:15 -0700] "GET /x HTTP/1.0" 200 1534',
                '127.0.0.1 - ann [10/Oct/2000:13:25:15 -0700] "GET /x HTTP/1.0" 404 5'])["matches"]
        self.assertEqual([match["eventNumber"] for match in matches], [1])
        self.assertEqual(matches[0]["extractedValues"]["$status"], "404")


if __name__ == "__main__":
    unittest.main()
