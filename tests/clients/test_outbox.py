"""Notifications of a server that is killed again and again, to a receiver that fails half of the
time: each comes at least once, none is lost, those of an alarm come in order."""

import collections
import http.server
import json
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
import unittest

PROGRAM = os.environ.get("COALMINE_PROGRAM") and os.path.abspath(os.environ["COALMINE_PROGRAM"])
ALARMS, TURNS, KILLS = 40, 5, 20
# So often in a row one message is refused, at most.
FAILURES_MAX = 5


class Receiver(http.server.BaseHTTPRequestHandler):
    """Answers 500, resets or says 200, by chance; notes what it said 200 to."""

    taken, seen, lock, chance = [], collections.Counter(), threading.Lock(), random.Random(24)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.lock:
            self.seen[body["key"]] += 1
            # Waits double: without an end to it, a run of bad luck outlasts any patience.
            fails = self.chance.random() < 0.5 and self.seen[body["key"]] <= FAILURES_MAX
            if not fails:
                self.taken.append(body)
        if fails and self.chance.random() < 0.5:
            self.connection.close()
            return
        self.send_response(500 if fails else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server:
    def __init__(self, folder):
        self.folder = folder
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--xray-daemon", "0", "--data-dir",
             "data"], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        url = json.loads(self.process.stdout.readline())["url"]
        import boto3
        from botocore.config import Config
        self.cloudwatch = boto3.client(
            "cloudwatch", endpoint_url=url, region_name="us-east-1",
            aws_access_key_id="123456789012", aws_secret_access_key="any",
            config=Config(retries={"max_attempts": 1, "mode": "standard"}))

    def stop(self, number):
        self.process.send_signal(number)
        self.process.wait()
        self.process.stdout.close()


@unittest.skipUnless(PROGRAM, "COALMINE_PROGRAM names no program to kill")
class Outbox(unittest.TestCase):
    def test_nothing_is_lost_by_kills_and_failures(self):
        receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "coalmine.toml"), "w") as file:
                file.write(f'[notify.oncall]\nwebhook = "http://127.0.0.1:{receiver.server_port}"\n')
            server = Server(folder)
            names = [f"alarm-{number}" for number in range(ALARMS)]
            arn = "arn:aws:sns:us-east-1:123456789012:oncall"
            for name in names:
                server.cloudwatch.put_metric_alarm(
                    AlarmName=name, MetricName="m", Namespace="N", Statistic="Sum", Period=60,
                    EvaluationPeriods=1, Threshold=1, TreatMissingData="ignore",
                    ComparisonOperator="GreaterThanThreshold", AlarmActions=[arn], OKActions=[arn])
            done = 0
            for turn in range(TURNS):
                for name in names:
                    server.cloudwatch.set_alarm_state(
                        AlarmName=name, StateValue="OK" if turn % 2 else "ALARM", StateReason="t")
                    done += 1
                    if done % (ALARMS * TURNS // KILLS) == 0:
                        server.stop(signal.SIGKILL)
                        server.start()
            wanted = ALARMS * TURNS
            end = time.monotonic() + 120
            while time.monotonic() < end and len({b["key"] for b in Receiver.taken}) < wanted:
                time.sleep(0.1)
            server.stop(signal.SIGTERM)
        receiver.shutdown()
        receiver.server_close()
        first = collections.defaultdict(list)
        keys = set()
        for body in Receiver.taken:
            if body["key"] not in keys:
                keys.add(body["key"])
                first[body["alarm"]].append(body["state"])
        self.assertEqual(len(keys), wanted)
        expected = ["OK" if turn % 2 else "ALARM" for turn in range(TURNS)]
        self.assertEqual(dict(first), {name: expected for name in names})
        # The receiver did fail, and retries had the key of their first attempt.
        self.assertEqual(len(Receiver.seen), wanted)
        self.assertGreater(sum(Receiver.seen.values()), wanted * 3 // 2)


if __name__ == "__main__":
    unittest.main()
