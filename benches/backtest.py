#!/usr/bin/env python3
"""Times `coalmine alarms backtest` over 30 days of minute data, from the command line.

    benches/backtest.py PATH/TO/coalmine

Aim: well under a second for the whole command, opening the folder included. The data is put
through PutMetricData as any AWS client would, and the folder is then asked with no server running.
Standard library only.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

MINUTES = 30 * 24 * 60
PAGE = 500


def call(url, target, body):
    request = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"GraniteServiceVersion20100801.{target}",
        },
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def alarm(name, **settings):
    return {
        "AlarmName": name,
        "Namespace": "Bench",
        "MetricName": "Latency",
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 5,
        "DatapointsToAlarm": 3,
        "Threshold": 500,
        "ComparisonOperator": "GreaterThanThreshold",
        **settings,
    }


ALARMS = {
    "3 of 5 x 1 min, Average": alarm("a"),
    "1 of 3 x 5 min, p99": {
        k: v for k, v in alarm("b", Period=300, EvaluationPeriods=3, DatapointsToAlarm=1, ExtendedStatistic="p99").items() if k != "Statistic"
    },
    "2 of 3 x 1 h, Average": alarm("c", Period=3600, EvaluationPeriods=3, DatapointsToAlarm=2),
    "math over two metrics": {
        "AlarmName": "d",
        "EvaluationPeriods": 5,
        "DatapointsToAlarm": 3,
        "Threshold": 2,
        "ComparisonOperator": "GreaterThanThreshold",
        "Metrics": [
            {"Id": "e", "Expression": "100 * m / n", "ReturnData": True},
            *(
                {
                    "Id": id,
                    "ReturnData": False,
                    "MetricStat": {"Metric": {"Namespace": "Bench", "MetricName": metric}, "Period": 60, "Stat": "Sum"},
                }
                for id, metric in (("m", "Errors"), ("n", "Latency"))
            ),
        ],
    },
}


def main():
    binary = os.path.abspath(sys.argv[1])
    random.seed(30)
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", "data"],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        url = json.loads(server.stdout.readline())["url"]
        start = int(time.time()) // 60 * 60 - MINUTES * 60
        for first in range(0, MINUTES, PAGE):
            data = []
            for minute in range(first, min(first + PAGE, MINUTES)):
                slow = random.random() < 0.02
                at = start + minute * 60
                data.append({"MetricName": "Latency", "Timestamp": at, "Value": 900 if slow else 200 + minute % 97})
                data.append({"MetricName": "Errors", "Timestamp": at, "Value": random.randrange(9)})
            call(url, "PutMetricData", {"Namespace": "Bench", "MetricData": data})
        server.send_signal(signal.SIGTERM)
        server.wait()
        print(f"{MINUTES:,} minutes of data; whole command, best of 5")
        for name, document in ALARMS.items():
            with open(os.path.join(folder, "alarm.json"), "w") as file:
                json.dump(document, file)
            best, told = None, None
            for _ in range(5):
                begun = time.perf_counter()
                run = subprocess.run(
                    [binary, "alarms", "backtest", "alarm.json", "--since", "30d", "--json", "--data-dir", "data"],
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    check=True,
                )
                took = time.perf_counter() - begun
                best = took if best is None else min(best, took)
                told = json.loads(run.stdout)["original"]
            print(f"{name:<28} {best * 1000:8.0f} ms  {told['evaluations']:>7,} evaluations  {len(told['pages'])} pages")


if __name__ == "__main__":
    main()
