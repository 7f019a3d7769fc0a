"""Canaries that are made through the API, with boto3."""

import io
import os
import time
import unittest
import zipfile

from coalmine_client import ClientTest

ENDPOINT = os.environ["COALMINE_ENDPOINT"]
YAML = f"""
canary: any
steps:
  - step: home
    http: {{ get: "{ENDPOINT}/healthz" }}
    expect: {{ status: 200 }}
"""
LUA = f"""
step("home", function()
  local answer = http.get("{ENDPOINT}/healthz")
  expect(answer.status):equals(200)
end)
"""


def zipped(**files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return data.getvalue()


class Lifecycle(ClientTest):
    def setUp(self):
        super().setUp()
        self.synthetics = self.client("synthetics")

    def create(self, name="shop", code=None, expression="rate(1 minute)", **more):
        return self.synthetics.create_canary(**{
            "Name": name, "Code": {"ZipFile": code or zipped(home__yaml=YAML),
                                   "Handler": "home.handler"},
            "ArtifactS3Location": "s3://results/shop", "RuntimeVersion": "syn-nodejs-puppeteer-10.0",
            "ExecutionRoleArn": f"arn:aws:iam::{self.account}:role/r",
            "Schedule": {"Expression": expression}, **more})["Canary"]

    def arn(self, name="shop"):
        return f"arn:aws:synthetics:us-east-1:{self.account}:canary:{name}"

    def state(self, name="shop"):
        return self.synthetics.get_canary(Name=name)["Canary"]["Status"]["State"]

    def until(self, look, seconds=20):
        end = time.monotonic() + seconds
        while not (found := look()):
            self.assertLess(time.monotonic(), end, "it does not come")
            time.sleep(0.1)
        return found

    def runs(self, name="shop", **more):
        return self.synthetics.get_canary_runs(Name=name, **more)["CanaryRuns"]

    def test_a_canary_is_made_started_run_stopped_and_deleted(self):
        made = self.create(RunConfig={"TimeoutInSeconds": 30, "EnvironmentVariables": {"AB": "c"}})
        self.assertEqual((made["Name"], made["Status"]["State"]), ("shop", "READY"))
        self.assertEqual(made["ArtifactS3Location"], "results/shop")
        self.assertEqual(made["RunConfig"], {"TimeoutInSeconds": 30, "MemoryInMB": 1024,
                                             "ActiveTracing": False})
        self.assertEqual(made["SuccessRetentionPeriodInDays"], 31)
        self.assertNotIn("ZipFile", made["Code"])
        self.assertEqual(self.runs(), [])
        self.assertEqual(self.refused(self.synthetics.stop_canary, Name="shop")[0],
                         "ConflictException")
        self.synthetics.start_canary(Name="shop")
        self.assertEqual(self.state(), "RUNNING")
        for call in (self.synthetics.start_canary, self.synthetics.delete_canary):
            self.assertEqual(self.refused(call, Name="shop")[0::2], ("ConflictException", 409))
        run = self.until(self.runs)[0]
        self.assertEqual((run["Name"], run["Status"]["State"]), ("shop", "PASSED"), run)
        last = self.synthetics.describe_canaries_last_run(Names=["shop"])["CanariesLastRun"]
        self.assertEqual(last[0]["LastRun"]["Id"], run["Id"])
        metrics = self.client("cloudwatch").list_metrics(
            Namespace="CloudWatchSynthetics", MetricName="SuccessPercent",
            Dimensions=[{"Name": "CanaryName", "Value": "shop"}])["Metrics"]
        self.assertTrue(metrics)
        self.synthetics.stop_canary(Name="shop")
        self.assertEqual(self.state(), "STOPPED")
        self.synthetics.delete_canary(Name="shop")
        self.assertEqual(self.refused(self.synthetics.get_canary, Name="shop")[0::2],
                         ("ResourceNotFoundException", 404))

    def test_a_script_runs_once_and_stops_by_itself(self):
        self.create(code=zipped(home__luau=LUA), expression="rate(0 minute)")
        self.synthetics.start_canary(Name="shop")
        self.until(lambda: self.state() == "STOPPED")
        self.assertEqual([run["Status"]["State"] for run in self.runs()], ["PASSED"])

    def test_code_for_node_is_described_and_refused_by_name_when_started(self):
        self.create(code=zipped(**{"nodejs/node_modules/index.js": "exports.handler = 1"}))
        self.assertEqual(self.state(), "READY")
        code, message, _ = self.refused(self.synthetics.start_canary, Name="shop")
        self.assertEqual(code, "ValidationException")
        self.assertIn("Node.js", message)
        self.assertEqual(self.state(), "READY")

    def test_an_update_is_a_merge(self):
        self.create(Tags={"team": "web"})
        self.synthetics.update_canary(Name="shop", Schedule={"Expression": "rate(5 minutes)"},
                                      SuccessRetentionPeriodInDays=7)
        canary = self.synthetics.get_canary(Name="shop")["Canary"]
        self.assertEqual(canary["Schedule"]["Expression"], "rate(5 minutes)")
        self.assertEqual(canary["SuccessRetentionPeriodInDays"], 7)
        self.assertEqual(canary["Code"]["Handler"], "home.handler")
        self.assertEqual(canary["Tags"], {"team": "web"})
        self.assertEqual(self.refused(self.synthetics.update_canary, Name="none")[0],
                         "ResourceNotFoundException")

    def test_what_cannot_be_is_refused(self):
        self.create()
        self.assertEqual(self.refused(self.create)[0::2], ("ConflictException", 409))
        for more in (
                {"name": "Upper"}, {"expression": "every day"}, {"expression": "rate(2 hours)"},
                {"code": b"no zip"}, {"RuntimeVersion": "python-3"},
                {"RunConfig": {"TimeoutInSeconds": 61}}, {"RunConfig": {"MemoryInMB": 1000}},
                {"Tags": {"aws:x": "1"}}):
            code, message, _ = self.refused(self.create, **{"name": "other", **more})
            self.assertEqual(code, "ValidationException", (more, message))
        code, message, _ = self.refused(self.synthetics.create_canary, Name="x", Code={
            "S3Bucket": "none", "S3Key": "k", "Handler": "a.b"},
            ArtifactS3Location="s3://b", ExecutionRoleArn="arn:aws:iam::1:role/r",
            Schedule={"Expression": "rate(1 minute)"}, RuntimeVersion="syn-nodejs-3.0")
        self.assertEqual(code, "ValidationException")

    def test_a_dry_run_is_apart_and_can_be_taken_over(self):
        self.create()
        started = self.synthetics.start_canary_dry_run(
            Name="shop", RunConfig={"TimeoutInSeconds": 20})["DryRunConfig"]
        id = started["DryRunId"]

        def status():
            config = self.synthetics.get_canary(Name="shop")["Canary"]["DryRunConfig"]
            self.assertEqual(config["DryRunId"], id)
            return config["LastDryRunExecutionStatus"]

        self.until(lambda: status() != "RUNNING")
        self.assertEqual(status(), "PASSED")
        self.assertEqual(self.runs(), [])
        dry = self.runs(DryRunId=id, RunType="DRY_RUN")
        self.assertEqual([run["DryRunConfig"]["DryRunId"] for run in dry], [id])
        tried = self.synthetics.get_canary(Name="shop", DryRunId=id)["Canary"]
        self.assertEqual(tried["RunConfig"]["TimeoutInSeconds"], 20)
        self.assertEqual(self.synthetics.get_canary(
            Name="shop")["Canary"]["RunConfig"]["TimeoutInSeconds"], 60)
        self.synthetics.update_canary(Name="shop", DryRunId=id)
        self.assertEqual(self.synthetics.get_canary(
            Name="shop")["Canary"]["RunConfig"]["TimeoutInSeconds"], 20)
        self.assertEqual(self.refused(self.synthetics.update_canary, Name="shop",
                                      DryRunId=id)[0], "ValidationException")

    def test_canaries_are_listed_and_tagged(self):
        for name in ("b", "a", "c"):
            self.create(name)
        names = lambda **more: [c["Name"] for c in self.synthetics.describe_canaries(
            **more)["Canaries"]]
        self.assertEqual(names(), ["a", "b", "c"])
        self.assertEqual(names(Names=["b"]), ["b"])
        page = self.synthetics.describe_canaries(MaxResults=2)
        self.assertEqual(names(MaxResults=2, NextToken=page["NextToken"]), ["c"])
        arn = self.arn("a")
        self.synthetics.tag_resource(ResourceArn=arn, Tags={"x": "1", "y": "2", "z": "3"})
        self.synthetics.untag_resource(ResourceArn=arn, TagKeys=["x"])
        self.assertEqual(self.synthetics.list_tags_for_resource(ResourceArn=arn)["Tags"],
                         {"y": "2", "z": "3"})
        self.synthetics.untag_resource(ResourceArn=arn, TagKeys=["y", "z"])
        self.assertEqual(self.synthetics.get_canary(Name="a")["Canary"]["Tags"], {})
        self.assertEqual(self.refused(self.synthetics.tag_resource, ResourceArn=self.arn("none"),
                                      Tags={"a": "b"})[0::2], ("NotFoundException", 404))

    def test_groups_hold_canaries_of_all_regions(self):
        self.create("a")
        group = self.synthetics.create_group(Name="g", Tags={"t": "1"})["Group"]
        self.assertEqual((group["Name"], group["Tags"]), ("g", {"t": "1"}))
        self.assertEqual(self.refused(self.synthetics.create_group, Name="g")[0],
                         "ConflictException")
        for identifier in (group["Id"], "g", group["Arn"]):
            got = self.synthetics.get_group(GroupIdentifier=identifier)["Group"]
            self.assertEqual(got["Id"], group["Id"])
        self.synthetics.associate_resource(GroupIdentifier="g", ResourceArn=self.arn("a"))
        self.synthetics.associate_resource(GroupIdentifier="g", ResourceArn=self.arn("a"))
        other = self.client("synthetics", region="eu-west-1")
        self.assertEqual(other.list_group_resources(GroupIdentifier="g")["Resources"],
                         [self.arn("a")])
        self.assertEqual([g["Name"] for g in self.synthetics.list_associated_groups(
            ResourceArn=self.arn("a"))["Groups"]], ["g"])
        self.assertEqual(self.refused(self.synthetics.associate_resource, GroupIdentifier="g",
                                      ResourceArn=self.arn("none"))[0],
                         "ResourceNotFoundException")
        self.synthetics.delete_canary(Name="a")
        self.assertEqual(self.synthetics.list_group_resources(GroupIdentifier="g")["Resources"],
                         [])
        self.synthetics.delete_group(GroupIdentifier="g")
        self.assertEqual(self.synthetics.list_groups()["Groups"], [])
        self.assertEqual(self.refused(self.synthetics.get_group, GroupIdentifier="g")[0],
                         "ResourceNotFoundException")

    def test_runtimes_are_described(self):
        versions = self.synthetics.describe_runtime_versions()["RuntimeVersions"]
        names = [version["VersionName"] for version in versions]
        self.assertIn("syn-nodejs-puppeteer-10.0", names)
        self.assertTrue(any(name.startswith("coalmine-") for name in names))


if __name__ == "__main__":
    unittest.main()
