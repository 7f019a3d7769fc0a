"""What happens to log events once they are taken: subscriptions, live tails, masks, exports."""

import base64
import gzip
import json
import os
import threading
import time
import unittest
from pathlib import Path

from coalmine_client import ClientTest

DATA = os.environ.get("COALMINE_DATA")


def policy(*identifiers, name="p"):
    names = [i if i.startswith("Own") else f"arn:aws:dataprotection::aws:data-identifier/{i}"
             for i in identifiers]
    return json.dumps({
        "Name": name, "Version": "2021-06-01",
        "Configuration": {"CustomDataIdentifier": [{"Name": "Own", "Regex": "E-[0-9]+"}]},
        "Statement": [
            {"Sid": "audit", "DataIdentifier": names,
             "Operation": {"Audit": {"FindingsDestination": {}}}},
            {"Sid": "redact", "DataIdentifier": names,
             "Operation": {"Deidentify": {"MaskConfig": {}}}}]})


class Delivery(ClientTest):
    def setUp(self):
        super().setUp()
        self.logs = self.client("logs")
        self.now = int(time.time() * 1000)
        self.stream("/app")

    def arn(self, resource, service="logs"):
        return f"arn:aws:{service}:us-east-1:{self.account}:{resource}"

    def stream(self, group):
        self.logs.create_log_group(logGroupName=group)
        self.logs.create_log_stream(logGroupName=group, logStreamName="s")

    def put(self, *messages, group="/app"):
        self.logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[
            {"timestamp": self.now, "message": message} for message in messages])

    def subscribe(self, name, pattern, arn, **more):
        self.logs.put_subscription_filter(logGroupName="/app", filterName=name,
                                          filterPattern=pattern, destinationArn=arn, **more)

    def until(self, look, seconds=10):
        end = time.monotonic() + seconds
        while not (found := look()):
            self.assertLess(time.monotonic(), end, "it does not come")
            time.sleep(0.05)
        return found

    def messages(self, group, **more):
        events = self.logs.filter_log_events(logGroupName=group, **more)["events"]
        return [event["message"] for event in events]

    def test_a_log_group_takes_what_it_is_subscribed_to_once(self):
        self.stream("/errors")
        self.subscribe("f", "ERROR", self.arn("log-group:/errors"))
        self.put("ERROR one", "INFO two", "ERROR three")
        self.until(lambda: self.messages("/errors"))
        self.assertEqual(sorted(self.messages("/errors")), ["ERROR one", "ERROR three"])

    @unittest.skipUnless(DATA, "the data folder is not told")
    def test_streams_and_functions_receive_the_published_payload(self):
        role = self.arn("role/r", service="iam")
        self.subscribe("k", "{ $.level = error }", self.arn("stream/k" + self.account, "kinesis"),
                       roleArn=role)
        self.subscribe("l", "", self.arn("function:f" + self.account, "lambda"))
        self.put('{"level": "error"}', '{"level": "info"}')

        def payloads(folder, name):
            found = Path(DATA, "buckets/outgoing", folder, name + self.account)
            records = [json.loads(path.read_text()) for path in sorted(found.glob("*.json"))]
            data = [r["awslogs"]["data"] if "awslogs" in r else r["data"] for r in records]
            return [json.loads(gzip.decompress(base64.b64decode(d))) for d in data]

        of_stream = self.until(lambda: (p := payloads("kinesis", "k")) and len(p) == 2 and p)
        kinds = sorted(payload["messageType"] for payload in of_stream)
        self.assertEqual(kinds, ["CONTROL_MESSAGE", "DATA_MESSAGE"])
        payload = next(p for p in of_stream if p["messageType"] == "DATA_MESSAGE")
        self.assertEqual(
            (payload["owner"], payload["logGroup"], payload["logStream"],
             payload["subscriptionFilters"]), (self.account, "/app", "s", ["k"]))
        (event,) = payload["logEvents"]
        self.assertEqual((event["timestamp"], event["message"]), (self.now, '{"level": "error"}'))
        of_function = self.until(lambda: (p := payloads("lambda", "f")) and len(p) == 2 and p)
        payload = next(p for p in of_function if p["messageType"] == "DATA_MESSAGE")
        self.assertEqual(len(payload["logEvents"]), 2)

    def test_subscriptions_are_described_and_limited_to_two(self):
        arn = self.arn("function:f", "lambda")
        self.subscribe("b", "ERROR", arn)
        self.subscribe("a", "", arn, distribution="Random")
        found = self.logs.describe_subscription_filters(logGroupName="/app")
        self.assertEqual([f["filterName"] for f in found["subscriptionFilters"]], ["a", "b"])
        one = self.logs.describe_subscription_filters(
            logGroupName="/app", filterNamePrefix="b")["subscriptionFilters"][0]
        self.assertGreaterEqual(one.pop("creationTime"), self.now - 1000)
        self.assertEqual(one, {
            "filterName": "b", "logGroupName": "/app", "filterPattern": "ERROR",
            "destinationArn": arn, "distribution": "ByLogStream",
            "applyOnTransformedLogs": False})
        self.assertEqual(self.refused(self.subscribe, name="c", pattern="", arn=arn)[0],
                         "LimitExceededException")
        self.subscribe("b", "WARN", arn)
        self.logs.delete_subscription_filter(logGroupName="/app", filterName="b")
        self.assertEqual(
            self.refused(self.logs.delete_subscription_filter, logGroupName="/app",
                         filterName="b")[:2],
            ("ResourceNotFoundException", "The specified subscription filter does not exist."))
        for arn in ("arn:aws:sqs:us-east-1:1:q", self.arn("log-group:/none"),
                    self.arn("stream/s", "kinesis"), self.arn("destination:none")):
            code, message, _ = self.refused(self.subscribe, name="x", pattern="", arn=arn)
            self.assertEqual(code, "InvalidParameterException", message)

    def test_a_destination_needs_a_policy_before_it_is_subscribed_to(self):
        made = self.logs.put_destination(
            destinationName="d", targetArn=self.arn("stream/s", "kinesis"),
            roleArn=self.arn("role/r", "iam"), tags={"a": "1"})["destination"]
        self.assertEqual(made["arn"], self.arn("destination:d"))
        self.assertNotIn("accessPolicy", made)
        code, message, _ = self.refused(self.subscribe, name="f", pattern="", arn=made["arn"])
        self.assertEqual(code, "InvalidParameterException")
        self.logs.put_destination_policy(destinationName="d", accessPolicy='{"Statement": []}')
        self.subscribe("f", "", made["arn"])
        described = self.logs.describe_destinations(DestinationNamePrefix="d")["destinations"]
        self.assertEqual(described[0]["accessPolicy"], '{"Statement": []}')
        tags = self.logs.list_tags_for_resource(resourceArn=made["arn"])["tags"]
        self.assertEqual(tags, {"a": "1"})
        self.logs.tag_resource(resourceArn=made["arn"], tags={"b": "2"})
        self.logs.untag_resource(resourceArn=made["arn"], tagKeys=["a"])
        tags = self.logs.list_tags_for_resource(resourceArn=made["arn"])["tags"]
        self.assertEqual(tags, {"b": "2"})
        self.logs.delete_destination(destinationName="d")
        self.assertEqual(self.refused(self.logs.delete_destination, destinationName="d")[0],
                         "ResourceNotFoundException")

    def test_a_live_tail_shows_events_as_they_are_put(self):
        self.put("ERROR before")
        answer = self.logs.start_live_tail(
            logGroupIdentifiers=[self.arn("log-group:/app")], logEventFilterPattern="ERROR")
        stream = answer["responseStream"]
        putting = threading.Timer(0.2, lambda: self.put("ERROR now", "INFO no"))
        putting.start()
        seen, start = [], None
        for event in stream:
            if "sessionStart" in event:
                start = event["sessionStart"]
            else:
                update = event["sessionUpdate"]
                self.assertFalse(update["sessionMetadata"]["sampled"])
                seen += update["sessionResults"]
            if seen:
                break
        stream.close()
        putting.join()
        self.assertEqual(start["logEventFilterPattern"], "ERROR")
        self.assertEqual([r["message"] for r in seen], ["ERROR now"])
        self.assertEqual(seen[0]["logStreamName"], "s")
        self.assertEqual(seen[0]["logGroupIdentifier"], f"{self.account}:/app")
        code, _, _ = self.refused(self.logs.start_live_tail, logGroupIdentifiers=["/app"])
        self.assertEqual(code, "InvalidParameterException")
        code, _, _ = self.refused(self.logs.start_live_tail,
                                  logGroupIdentifiers=[self.arn("log-group:/none")])
        self.assertEqual(code, "ResourceNotFoundException")

    def test_what_is_protected_is_masked_where_it_is_read(self):
        self.put("before ann@example.com")
        time.sleep(0.01)
        document = policy("EmailAddress", "Own")
        put = self.logs.put_data_protection_policy(
            logGroupIdentifier="/app", policyDocument=document)
        self.assertEqual(put["policyDocument"], document)
        self.put("from bob@example.com by E-77")
        masked = ["before ann@example.com", "from *************** by ****"]
        self.assertEqual(self.messages("/app"), masked)
        clear = self.messages("/app", unmask=True)
        self.assertEqual(clear[1], "from bob@example.com by E-77")
        events = self.logs.get_log_events(logGroupName="/app", logStreamName="s")["events"]
        self.assertEqual([e["message"] for e in events], masked)

        def queried(text):
            id = self.logs.start_query(
                logGroupName="/app", queryString=text, startTime=self.now // 1000 - 60,
                endTime=self.now // 1000 + 60)["queryId"]
            return [row[0]["value"] for row in self.logs.get_query_results(queryId=id)["results"]]

        self.assertEqual(sorted(queried("fields @message")), masked)
        self.assertIn("from bob@example.com by E-77", queried("unmask @message | fields @message"))
        group = self.logs.describe_log_groups()["logGroups"][0]
        self.assertEqual(group["dataProtectionStatus"], "ACTIVATED")
        self.assertEqual(self.logs.get_data_protection_policy(
            logGroupIdentifier="/app")["policyDocument"], document)
        self.logs.delete_data_protection_policy(logGroupIdentifier="/app")
        self.assertEqual(self.messages("/app"), clear)
        for bad in ("{", policy("Name"), json.dumps({"Name": "x", "Statement": []})):
            code, _, _ = self.refused(self.logs.put_data_protection_policy,
                                      logGroupIdentifier="/app", policyDocument=bad)
            self.assertEqual(code, "InvalidParameterException")

    def test_account_policies_work_for_every_group(self):
        self.stream("/other")
        self.stream("/all")
        put = self.logs.put_account_policy
        made = put(policyName="mask", policyType="DATA_PROTECTION_POLICY",
                   policyDocument=policy("EmailAddress"))["accountPolicy"]
        self.assertEqual((made["scope"], made["accountId"]), ("ALL", self.account))
        put(policyName="all", policyType="SUBSCRIPTION_FILTER_POLICY",
            selectionCriteria='LogGroupName NOT IN ["/all", "/app"]',
            policyDocument=json.dumps({"DestinationArn": self.arn("log-group:/all"),
                                       "FilterPattern": ""}))
        put(policyName="off", policyType="METRIC_EXTRACTION_POLICY", policyDocument="{}",
            selectionCriteria='LogGroupNamePrefix = "/oth"')
        self.put("a@example.com")
        self.put("b@example.com", group="/other")
        self.assertEqual(self.messages("/app"), ["*************"])
        self.until(lambda: self.messages("/all"))
        self.assertEqual(self.messages("/all"), ["*************"])
        emf = json.dumps({"_aws": {"Timestamp": self.now, "CloudWatchMetrics": [
            {"Namespace": "N", "Dimensions": [[]], "Metrics": [{"Name": "m"}]}]}, "m": 1})
        metrics = self.client("cloudwatch")
        # Else the copy in /all, where metrics are extracted, would be one in its own time.
        self.logs.delete_account_policy(policyName="all",
                                        policyType="SUBSCRIPTION_FILTER_POLICY")
        self.put(emf, group="/other")
        self.assertEqual(metrics.list_metrics(Namespace="N")["Metrics"], [])
        self.put(emf)
        self.assertEqual(len(metrics.list_metrics(Namespace="N")["Metrics"]), 1)
        found = self.logs.describe_account_policies(policyType="DATA_PROTECTION_POLICY")
        self.assertEqual([p["policyName"] for p in found["accountPolicies"]], ["mask"])
        self.assertEqual(self.refused(
            put, policyName="second", policyType="DATA_PROTECTION_POLICY",
            policyDocument=policy("EmailAddress"))[0], "LimitExceededException")
        self.logs.delete_account_policy(policyName="mask", policyType="DATA_PROTECTION_POLICY")
        self.assertEqual(self.messages("/app", filterPattern="example"), ["a@example.com"])
        code, message, _ = self.refused(put, policyName="t", policyType="TRANSFORMER_POLICY",
                                        policyDocument="[]")
        self.assertEqual(code, "InvalidParameterException")
        self.assertIn("not supported", message)

    @unittest.skipUnless(DATA, "the data folder is not told")
    def test_an_export_is_written_in_awss_layout(self):
        self.put("one", "two")
        task = self.logs.create_export_task(
            taskName="t", logGroupName="/app", fromTime=self.now - 1000, to=self.now + 1000,
            destination="exports-" + self.account, destinationPrefix="logs/x")["taskId"]
        done = self.until(lambda: [t for t in self.logs.describe_export_tasks(
            taskId=task)["exportTasks"] if t["status"]["code"] == "COMPLETED"])[0]
        self.assertIn("completionTime", done["executionInfo"])
        self.assertEqual(done["destinationPrefix"], "logs/x")
        bucket = Path(DATA, "buckets", "exports-" + self.account)
        self.assertTrue((bucket / "logs/x/aws-logs-write-test").exists())
        lines = gzip.decompress((bucket / f"logs/x/{task}/s/000000.gz").read_bytes()).decode()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.now / 1000))
        stamp += f".{self.now % 1000:03d}Z"
        self.assertEqual(lines.splitlines(), [f"{stamp} one", f"{stamp} two"])
        self.assertEqual(self.refused(self.logs.cancel_export_task, taskId=task)[0],
                         "InvalidOperationException")
        self.assertEqual(self.refused(self.logs.cancel_export_task, taskId="none")[0],
                         "ResourceNotFoundException")
        code, _, _ = self.refused(self.logs.create_export_task, logGroupName="/app",
                                  fromTime=2, to=1, destination="exports")
        self.assertEqual(code, "InvalidParameterException")


class Documents(ClientTest):
    def setUp(self):
        super().setUp()
        self.logs = self.client("logs")
        self.now = int(time.time() * 1000)
        self.logs.create_log_group(logGroupName="/app")
        self.group = f"arn:aws:logs:us-east-1:{self.account}:log-group:/app"

    def test_queries_are_saved(self):
        put = self.logs.put_query_definition
        first = put(name="b", queryString="fields @message", logGroupNames=["/app"])
        second = put(name="a/x", queryString="stats count()")["queryDefinitionId"]
        same = put(name="b", queryString="limit 1",
                   queryDefinitionId=first["queryDefinitionId"])
        self.assertEqual(same["queryDefinitionId"], first["queryDefinitionId"])
        found = self.logs.describe_query_definitions()["queryDefinitions"]
        self.assertEqual([(d["name"], d["queryString"]) for d in found],
                         [("a/x", "stats count()"), ("b", "limit 1")])
        found = self.logs.describe_query_definitions(queryDefinitionNamePrefix="a")
        self.assertEqual(found["queryDefinitions"][0]["queryDefinitionId"], second)
        delete = self.logs.delete_query_definition
        self.assertTrue(delete(queryDefinitionId=second)["success"])
        self.assertEqual(self.refused(delete, queryDefinitionId=second)[0],
                         "ResourceNotFoundException")
        self.assertEqual(self.refused(put, name="b", queryString="x", queryDefinitionId="no")[0],
                         "ResourceNotFoundException")

    def test_resource_policies_are_kept(self):
        put = self.logs.put_resource_policy
        made = put(policyName="p", policyDocument='{"Statement": []}')["resourcePolicy"]
        self.assertEqual((made["policyName"], made["policyScope"]), ("p", "ACCOUNT"))
        policies = self.logs.describe_resource_policies()["resourcePolicies"]
        self.assertEqual([p["policyName"] for p in policies], ["p"])
        for n in range(9):
            put(policyName=f"p{n}", policyDocument="{}")
        self.assertEqual(self.refused(put, policyName="more", policyDocument="{}")[0],
                         "LimitExceededException")
        own = put(resourceArn=self.group, policyDocument="{}")
        self.assertEqual(own["resourcePolicy"]["policyScope"], "RESOURCE")
        self.assertEqual(self.refused(put, resourceArn=self.group, policyDocument="{}",
                                      expectedRevisionId="other")[0], "OperationAbortedException")
        put(resourceArn=self.group, policyDocument="{}", expectedRevisionId=own["revisionId"])
        self.logs.delete_resource_policy(policyName="p")
        self.assertEqual(
            self.refused(self.logs.delete_resource_policy, policyName="p")[:2],
            ("ResourceNotFoundException", "Policy with name [p] does not exist."))

    def test_field_indexes_are_kept(self):
        put = self.logs.put_index_policy(
            logGroupIdentifier="/app", policyDocument='{"Fields": ["a", "b.c"]}')["indexPolicy"]
        self.assertEqual((put["source"], put["logGroupIdentifier"]), ("LOG_GROUP", self.group))
        fields = self.logs.describe_field_indexes(logGroupIdentifiers=["/app"])["fieldIndexes"]
        self.assertEqual([f["fieldIndexName"] for f in fields], ["a", "b.c"])
        self.assertEqual(len(self.logs.describe_index_policies(
            logGroupIdentifiers=["/app"])["indexPolicies"]), 1)
        self.logs.delete_index_policy(logGroupIdentifier="/app")
        self.assertEqual(self.refused(self.logs.delete_index_policy,
                                      logGroupIdentifier="/app")[0], "ResourceNotFoundException")
        self.logs.put_account_policy(
            policyName="i", policyType="FIELD_INDEX_POLICY", policyDocument='{"Fields": ["z"]}',
            selectionCriteria='LogGroupNamePrefix = "/a"')
        policy = self.logs.describe_index_policies(logGroupIdentifiers=["/app"])["indexPolicies"]
        self.assertEqual((policy[0]["source"], policy[0]["policyName"]), ("ACCOUNT", "i"))
        code, _, _ = self.refused(self.logs.put_index_policy, logGroupIdentifier="/app",
                                  policyDocument='{"Fields": []}')
        self.assertEqual(code, "InvalidParameterException")

    def test_anomaly_detectors_are_kept(self):
        arn = self.logs.create_log_anomaly_detector(
            logGroupArnList=[self.group], detectorName="d",
            evaluationFrequency="FIVE_MIN")["anomalyDetectorArn"]
        found = self.logs.get_log_anomaly_detector(anomalyDetectorArn=arn)
        self.assertEqual((found["detectorName"], found["anomalyDetectorStatus"],
                          found["anomalyVisibilityTime"]), ("d", "INITIALIZING", 21))
        self.logs.update_log_anomaly_detector(anomalyDetectorArn=arn, enabled=False)
        listed = self.logs.list_log_anomaly_detectors()["anomalyDetectors"]
        self.assertEqual([(d["anomalyDetectorArn"], d["anomalyDetectorStatus"]) for d in listed],
                         [(arn, "PAUSED")])
        self.logs.delete_log_anomaly_detector(anomalyDetectorArn=arn)
        self.assertEqual(self.refused(self.logs.get_log_anomaly_detector,
                                      anomalyDetectorArn=arn)[0], "ResourceNotFoundException")

    def test_groups_are_listed_protected_and_keyed(self):
        self.logs.create_log_group(logGroupName="/web", tags={"team": "web-one"})
        listed = lambda **more: [g["logGroupName"] for g in self.logs.list_log_groups(
            **more)["logGroups"]]
        self.assertEqual(listed(), ["/app", "/web"])
        self.assertEqual(listed(logGroupNamePattern="^/we|xyz"), ["/web"])
        self.assertEqual(listed(logGroupTags=[{"key": "team", "values": ["WEB*"]}]), ["/web"])
        self.logs.put_log_group_deletion_protection(
            logGroupIdentifier="/app", deletionProtectionEnabled=True)
        self.assertEqual(self.refused(self.logs.delete_log_group, logGroupName="/app")[0],
                         "ValidationException")
        key = f"arn:aws:kms:us-east-1:{self.account}:key/k"
        self.logs.associate_kms_key(logGroupName="/app", kmsKeyId=key)
        described = self.logs.describe_log_groups(logGroupNamePrefix="/app")["logGroups"][0]
        self.assertEqual(described["kmsKeyId"], key)
        self.logs.disassociate_kms_key(logGroupName="/app")
        described = self.logs.describe_log_groups(logGroupNamePrefix="/app")["logGroups"][0]
        self.assertNotIn("kmsKeyId", described)

    def test_a_query_points_at_whole_records(self):
        self.logs.create_log_stream(logGroupName="/app", logStreamName="s")
        self.logs.put_log_events(logGroupName="/app", logStreamName="s", logEvents=[
            {"timestamp": self.now, "message": '{"level": "error", "user": {"id": 7}}'},
            {"timestamp": self.now, "message": "plain"}])
        id = self.logs.start_query(
            logGroupName="/app", queryString="filter level = 'error' | fields @message",
            startTime=self.now // 1000 - 60, endTime=self.now // 1000 + 60)["queryId"]
        (row,) = self.logs.get_query_results(queryId=id)["results"]
        pointer = next(field["value"] for field in row if field["field"] == "@ptr")
        record = self.logs.get_log_record(logRecordPointer=pointer)["logRecord"]
        self.assertEqual((record["level"], record["user.id"], record["@logStream"]),
                         ("error", "7", "s"))
        self.assertEqual(record["@timestamp"], str(self.now))
        self.assertEqual(self.refused(self.logs.get_log_record, logRecordPointer="x")[0],
                         "InvalidParameterException")
        fields = self.logs.get_log_group_fields(logGroupName="/app")["logGroupFields"]
        percents = {field["name"]: field["percent"] for field in fields}
        self.assertEqual((percents["@message"], percents["level"]), (100, 50))


if __name__ == "__main__":
    unittest.main()
