"""CloudTrail's trails with boto3, and their files with the validator of the AWS CLI."""

import base64
import datetime
import gzip
import hashlib
import json
import os
import pathlib
import time
import unittest

from awscli.customizations.cloudtrail.validation import Sha256RSADigestValidator

from coalmine_client import ClientTest

BUCKETS = pathlib.Path(os.environ.get("COALMINE_DATA", "/nonexistent")) / "buckets"


class TrailTest(ClientTest):
    def setUp(self):
        super().setUp()
        self.trails = self.client("cloudtrail")
        self.arn = f"arn:aws:cloudtrail:us-east-1:{self.account}:trail/"
        self.bucket = f"audit-{self.account}"

    def trail(self, name="all-calls", **arguments):
        return self.trails.create_trail(**{"Name": name, "S3BucketName": self.bucket,
                                           **arguments})

    def files(self, kind):
        found = (BUCKETS / self.bucket).rglob(f"*_{kind}_*.json.gz")
        return sorted(found, key=lambda path: path.stat().st_mtime)

    def records(self):
        files = [json.loads(gzip.decompress(path.read_bytes()))
                 for path in self.files("CloudTrail")]
        return [record for file in files for record in file["Records"]]


class Trails(TrailTest):
    def test_a_trail_is_made_changed_described_and_deleted(self):
        made = self.trail(S3KeyPrefix="p", TagsList=[{"Key": "a", "Value": "1"}])
        self.assertEqual((made["TrailARN"], made["S3KeyPrefix"]), (self.arn + "all-calls", "p"))
        self.assertEqual((made["IncludeGlobalServiceEvents"], made["IsMultiRegionTrail"],
                          made["LogFileValidationEnabled"]), (True, False, False))
        self.assertNotIn("HomeRegion", made)
        changed = self.trails.update_trail(Name="all-calls", IsMultiRegionTrail=True,
                                           S3KeyPrefix="")
        self.assertTrue(changed["IsMultiRegionTrail"])
        self.assertNotIn("S3KeyPrefix", changed)
        found = self.trails.get_trail(Name=made["TrailARN"])["Trail"]
        self.assertEqual((found["HomeRegion"], found["HasCustomEventSelectors"],
                          found["HasInsightSelectors"]), ("us-east-1", False, False))
        self.assertEqual(self.trails.describe_trails()["trailList"], [found])
        self.assertEqual(self.trails.describe_trails(trailNameList=["none"])["trailList"], [])
        self.assertEqual(self.trails.list_trails()["Trails"], [
            {"TrailARN": made["TrailARN"], "Name": "all-calls", "HomeRegion": "us-east-1"}])
        # It is seen from other regions, and changed from its home only.
        west = self.client("cloudtrail", region="us-west-2")
        self.assertEqual([t["Name"] for t in west.describe_trails()["trailList"]], ["all-calls"])
        self.assertEqual(west.describe_trails(includeShadowTrails=False)["trailList"], [])
        self.assertEqual(self.refused(west.start_logging, Name="all-calls")[0],
                         "InvalidHomeRegionException")
        self.trails.delete_trail(Name="all-calls")
        self.assertEqual(self.refused(self.trails.get_trail, Name="all-calls")[:2],
                         ("TrailNotFoundException",
                          f"Unknown trail: all-calls for the user: {self.account}"))

    def test_what_is_no_trail_is_refused(self):
        for arguments, code in [
                ({"name": "ab"}, "InvalidTrailNameException"),
                ({"name": "a..b"}, "InvalidTrailNameException"),
                ({"name": "192.168.5.4"}, "InvalidTrailNameException"),
                ({"name": "-abc"}, "InvalidTrailNameException"),
                ({"S3BucketName": "No_Bucket"}, "InvalidS3BucketNameException"),
                ({"S3KeyPrefix": "x" * 201}, "InvalidS3PrefixException"),
                ({"IsMultiRegionTrail": True, "IncludeGlobalServiceEvents": False},
                 "InvalidParameterCombinationException"),
                ({"IsOrganizationTrail": True}, "UnsupportedOperationException"),
                ({"CloudWatchLogsLogGroupArn": "arn:aws:logs:us-east-1:1:log-group:g:*"},
                 "InvalidCloudWatchLogsRoleArnException")]:
            self.assertEqual(self.refused(self.trail, **arguments)[0], code, arguments)
        for number in range(5):
            self.trail(f"trail-{number}")
        self.assertEqual(self.refused(self.trail, name="trail-0")[0],
                         "TrailAlreadyExistsException")
        self.assertEqual(self.refused(self.trail, name="trail-5")[0],
                         "MaximumNumberOfTrailsExceededException")

    def test_what_makes_no_sense_alone_is_refused_by_name(self):
        code, message, _ = self.refused(self.trails.create_event_data_store, Name="store")
        self.assertEqual(code, "UnknownOperationException")
        self.assertIn("CreateEventDataStore", message)

    def test_tags(self):
        arn = self.trail(TagsList=[{"Key": "a", "Value": "1"}])["TrailARN"]
        self.trails.add_tags(ResourceId=arn, TagsList=[{"Key": "b", "Value": "2"}])
        self.trails.remove_tags(ResourceId=arn, TagsList=[{"Key": "a"}])
        listed = self.trails.list_tags(ResourceIdList=[arn])["ResourceTagList"]
        self.assertEqual(listed, [{"ResourceId": arn, "TagsList": [{"Key": "b", "Value": "2"}]}])
        self.assertEqual(self.refused(self.trails.list_tags,
                                      ResourceIdList=[self.arn + "none"])[0],
                         "ResourceNotFoundException")

    def test_selectors_of_one_kind_replace_the_other(self):
        self.trail()
        default = self.trails.get_event_selectors(TrailName="all-calls")
        self.assertEqual(default["EventSelectors"], [
            {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [],
             "ExcludeManagementEventSources": []}])
        advanced = [{"Name": "n", "FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Management"]},
            {"Field": "readOnly", "Equals": ["false"]}]}]
        put = self.trails.put_event_selectors(TrailName="all-calls",
                                              AdvancedEventSelectors=advanced)
        self.assertEqual(put["AdvancedEventSelectors"], advanced)
        found = self.trails.get_event_selectors(TrailName="all-calls")
        self.assertNotIn("EventSelectors", found)
        self.assertTrue(self.trails.get_trail(Name="all-calls")["Trail"]
                        ["HasCustomEventSelectors"])
        for selectors in [[{"FieldSelectors": [{"Field": "x", "Equals": ["y"]}]}],
                          [{"FieldSelectors": [{"Field": "readOnly", "Equals": ["true"]}]}],
                          [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}]]:
            self.assertEqual(self.refused(self.trails.put_event_selectors, TrailName="all-calls",
                                          AdvancedEventSelectors=selectors)[0],
                             "InvalidEventSelectorsException")
        self.assertEqual(self.refused(
            self.trails.put_event_selectors, TrailName="all-calls",
            EventSelectors=[{"ExcludeManagementEventSources": ["logs.amazonaws.com"]}])[0],
            "InvalidEventSelectorsException")


class Delivery(TrailTest):
    def test_calls_become_files_and_digests_that_the_cli_confirms(self):
        self.trail(EnableLogFileValidation=True)
        logs = self.client("logs")
        logs.create_log_group(logGroupName="before")
        self.assertFalse(self.trails.get_trail_status(Name="all-calls")["IsLogging"])
        self.trails.start_logging(Name="all-calls")
        logs.create_log_group(logGroupName="one")
        self.assertTrue(self.trails.get_trail_status(Name="all-calls")["IsLogging"])
        self.trails.stop_logging(Name="all-calls")
        status = self.trails.get_trail_status(Name="all-calls")
        self.assertFalse(status["IsLogging"])
        self.assertIn("LatestDeliveryTime", status)
        self.assertIn("LatestDigestDeliveryTime", status)
        self.assertNotIn("LatestDeliveryError", status)
        made = [record["requestParameters"]["logGroupName"] for record in self.records()
                if record["eventName"] == "CreateLogGroup"]
        self.assertEqual(made, ["one"])
        [path] = self.files("CloudTrail")
        day = datetime.datetime.now(datetime.timezone.utc).strftime("%Y/%m/%d")
        self.assertIn(f"/AWSLogs/{self.account}/CloudTrail/us-east-1/{day}/", str(path))
        self.trails.start_logging(Name="all-calls")
        self.confirm(self.files("CloudTrail-Digest"))

    def confirm(self, digests):
        [path] = digests
        body = gzip.decompress(path.read_bytes())
        digest = json.loads(body)
        beside = json.loads(pathlib.Path(f"{path}.signature.json").read_text())
        digest["_signature"] = beside["x-amz-meta-signature"]
        key = self.trails.list_public_keys()["PublicKeyList"][0]
        self.assertEqual(key["Fingerprint"], digest["digestPublicKeyFingerprint"])
        validate = Sha256RSADigestValidator().validate
        public = base64.b64encode(key["Value"]).decode()
        validate(self.bucket, digest["digestS3Object"], public, digest, body)
        with self.assertRaises(Exception):
            validate(self.bucket, digest["digestS3Object"], public, digest, body + b" ")
        [file] = digest["logFiles"]
        held = gzip.decompress((BUCKETS / file["s3Bucket"] / file["s3Object"]).read_bytes())
        self.assertEqual(hashlib.sha256(held).hexdigest(), file["hashValue"])
        self.assertIsNone(digest["previousDigestSignature"])

    def test_selectors_settle_what_is_delivered_and_a_log_group_gets_it_too(self):
        logs = self.client("logs")
        logs.create_log_group(logGroupName="trail")
        group = f"arn:aws:logs:us-east-1:{self.account}:log-group:trail:*"
        self.trail(CloudWatchLogsLogGroupArn=group,
                   CloudWatchLogsRoleArn=f"arn:aws:iam::{self.account}:role/r")
        self.trails.put_event_selectors(TrailName="all-calls",
                                        EventSelectors=[{"ReadWriteType": "WriteOnly"}])
        self.trails.start_logging(Name="all-calls")
        logs.describe_log_groups()
        logs.create_log_group(logGroupName="one")
        self.trails.stop_logging(Name="all-calls")
        names = {record["eventName"] for record in self.records()}
        self.assertIn("CreateLogGroup", names)
        self.assertNotIn("DescribeLogGroups", names)
        events = logs.get_log_events(logGroupName="trail", logStreamName=
                                     f"{self.account}_CloudTrail_us-east-1")["events"]
        self.assertIn("CreateLogGroup",
                      [json.loads(event["message"])["eventName"] for event in events])

    def test_rules_hear_of_calls_while_a_trail_logs(self):
        events, sqs = self.client("events"), self.client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        reads = sqs.create_queue(QueueName="reads")["QueueUrl"]
        pattern = json.dumps({"source": ["aws.logs"],
                              "detail-type": ["AWS API Call via CloudTrail"]})
        for name, state in [("q", "ENABLED"),
                            ("reads", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")]:
            events.put_rule(Name=name, EventPattern=pattern, State=state)
            events.put_targets(Rule=name, Targets=[
                {"Id": "1", "Arn": f"arn:aws:sqs:us-east-1:{self.account}:{name}"}])
        logs = self.client("logs")
        logs.create_log_group(logGroupName="before")
        self.trail()
        self.trails.start_logging(Name="all-calls")
        logs.describe_log_groups()
        logs.create_log_group(logGroupName="one")
        [message] = self.received(sqs, url, 1)
        self.assertEqual((message["detail"]["eventName"],
                          message["detail"]["requestParameters"]["logGroupName"]),
                         ("CreateLogGroup", "one"))
        self.assertEqual(sorted(m["detail"]["eventName"] for m in self.received(sqs, reads, 2)),
                         ["CreateLogGroup", "DescribeLogGroups"])
        self.assertNotIn("Messages", sqs.receive_message(QueueUrl=url))

    def received(self, sqs, url, count):
        found, end = [], time.monotonic() + 20
        while len(found) < count and time.monotonic() < end:
            got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2, MaxNumberOfMessages=10)
            found += [json.loads(message["Body"]) for message in got.get("Messages", [])]
        self.assertEqual(len(found), count)
        return found


if __name__ == "__main__":
    unittest.main()
