"""watchtower and aws-embedded-metrics, as they are."""

import asyncio
import contextlib
import io
import json
import logging
import time
import unittest

from coalmine_client import ClientTest

try:
    import watchtower
    from aws_embedded_metrics.config import get_config
    from aws_embedded_metrics.environment.local_environment import LocalEnvironment
    from aws_embedded_metrics.logger.metrics_context import MetricsContext
    from aws_embedded_metrics.logger.metrics_logger import MetricsLogger
except ImportError:
    watchtower = None


@unittest.skipIf(watchtower is None, "watchtower and aws-embedded-metrics are not installed")
class LogSenders(ClientTest):
    def setUp(self):
        super().setUp()
        self.logs = self.client("logs")

    def test_watchtower_makes_group_and_stream_and_brings_every_line(self):
        handler = watchtower.CloudWatchLogHandler(
            log_group_name="/app", log_stream_name="one", boto3_client=self.logs,
            log_group_retention_days=7, send_interval=1)
        logger = logging.getLogger(f"shop-{self.account}")
        logger.propagate = False
        logger.addHandler(handler)
        for number in range(50):
            logger.warning("order %d", number)
        logger.error({"order": 50, "state": "lost"})
        handler.close()
        logger.removeHandler(handler)
        events = self.logs.get_log_events(logGroupName="/app", logStreamName="one",
                                          startFromHead=True)["events"]
        self.assertEqual([event["message"] for event in events[:50]],
                         [f"order {number}" for number in range(50)])
        self.assertEqual(json.loads(events[50]["message"]), {"order": 50, "state": "lost"})
        group = self.logs.describe_log_groups(logGroupNamePrefix="/app")["logGroups"][0]
        self.assertEqual(group["retentionInDays"], 7)

    def test_what_the_embedded_metrics_library_writes_becomes_metrics(self):
        get_config().service_name = "shop"
        get_config().log_group_name = "/metrics"

        async def environment():
            return LocalEnvironment()

        logger = MetricsLogger(environment, MetricsContext.empty())
        logger.set_namespace("Shop")
        logger.set_dimensions({"Route": "/cart"})
        for value in [10.0, 20.0]:
            logger.put_metric("Latency", value, "Milliseconds")
        logger.set_property("RequestId", "r-1")
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            asyncio.run(logger.flush())
        [line] = said.getvalue().strip().splitlines()
        self.logs.create_log_group(logGroupName="/metrics")
        self.logs.create_log_stream(logGroupName="/metrics", logStreamName="s")
        self.logs.put_log_events(logGroupName="/metrics", logStreamName="s", logEvents=[
            {"timestamp": int(time.time() * 1000), "message": line}])
        found = self.client("cloudwatch").get_metric_statistics(
            Namespace="Shop", MetricName="Latency", Period=3600,
            Dimensions=[{"Name": "Route", "Value": "/cart"}], Statistics=["Sum", "SampleCount"],
            StartTime=time.time() - 7200, EndTime=time.time() + 3600)["Datapoints"]
        self.assertEqual([(point["Sum"], point["SampleCount"], point["Unit"]) for point in found],
                         [(30.0, 2.0, "Milliseconds")])


if __name__ == "__main__":
    unittest.main()
