"""The unmodified aws command line."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

from coalmine_client import ENDPOINT, ClientTest

AWS = pathlib.Path(sys.executable).with_name("aws")


class CommandLine(ClientTest):
    def aws(self, *arguments):
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": ENDPOINT,
            "AWS_MAX_ATTEMPTS": "1",
        }
        done = subprocess.run([AWS, *arguments, "--output", "json"], env=environment,
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout) if done.stdout else None

    def test_metrics_and_logs_from_a_shell(self):
        self.aws("cloudwatch", "put-metric-data", "--namespace", "App", "--metric-name", "m",
                 "--value", "5", "--dimensions", "Page=home")
        metrics = self.aws("cloudwatch", "list-metrics", "--namespace", "App")["Metrics"]
        self.assertEqual(metrics, [{"Namespace": "App", "MetricName": "m",
                                    "Dimensions": [{"Name": "Page", "Value": "home"}]}])
        self.aws("logs", "create-log-group", "--log-group-name", "/cli")
        groups = self.aws("logs", "describe-log-groups")["logGroups"]
        self.assertEqual([group["logGroupName"] for group in groups], ["/cli"])
        self.assertEqual(self.aws("sts", "get-caller-identity")["Account"], self.account)


if __name__ == "__main__":
    unittest.main()
