"""A real server that is hurt, writers that remember every acknowledgement, and the comparison.

Only the standard library: what is tested is the program, and nothing between it and the disk.
Each writer notes an item in its own file as soon as it is acknowledged; after the server was
killed, starved or lied to, every noted item must be there once and whole, and of those that were
not acknowledged each may be there once and whole, or not at all.
"""

import contextlib
import http.client
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

PROGRAM = os.environ.get("COALMINE_PROGRAM", "target/debug/coalmine")
LONG = os.environ.get("COALMINE_FAULTS_LONG") == "1"
ACCOUNT = "000000000001"
LINES = 5
READY_MAX = 20.0


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status, body, retry_after):
        super().__init__(f"{status} {body[:300]!r}")
        self.status, self.body, self.retry_after = status, body, retry_after


class Server:
    """One process of `coalmine serve` on a data folder."""

    def __init__(self, data, prefix=(), settings=(), environment=None, limits=None):
        self.data, self.prefix, self.settings = pathlib.Path(data), list(prefix), list(settings)
        self.environment, self.limits = environment or {}, limits
        self.process, self.url = None, None

    def start(self):
        """Starts it and gives the seconds until it said that it is ready."""
        command = [*self.prefix, PROGRAM, "serve", "--listen", "127.0.0.1:0",
                   "--data-dir", str(self.data), *self.settings]
        self.log = tempfile.NamedTemporaryFile("w+b", prefix="coalmine-faults-", suffix=".log")
        began = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log,
                                        start_new_session=True, preexec_fn=self.limits,
                                        env={**os.environ, **self.environment})
        line = self.process.stdout.readline()
        if not line:
            self.process.stdout.close()
            raise Died(self.process.wait(), self.errors())
        self.url = json.loads(line)["url"]
        return time.monotonic() - began

    def errors(self):
        """What it wrote to standard error."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def pid(self):
        """The server's own process, under whatever wraps it."""
        if not self.prefix:
            return self.process.pid
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[0])

    def kill(self):
        """Kills everything, as `kill -9` or a power cut does."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def stop(self):
        """Asks it to stop and gives its exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        return code

    def is_alive(self):
        return self.process.poll() is None

    def resident_kib(self):
        """Memory that is resident now."""
        status = pathlib.Path(f"/proc/{self.pid()}/status").read_text()
        return int(next(l.split()[1] for l in status.splitlines() if l.startswith("VmRSS")))

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid()}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process is not None and self.is_alive():
            self.kill()


class Died(Exception):
    """The server ended before it was ready."""

    def __init__(self, code, errors):
        super().__init__(f"exit {code}: {errors[-2000:]}")
        self.code, self.errors = code, errors


def signed(service, account=ACCOUNT):
    """The headers of a caller of an account; nobody verifies the signature."""
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{account}/{date[:8]}/us-east-1/{service}/aws4_request"
    return {"X-Amz-Date": date, "Authorization":
            f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"}


class Client:
    """One connection that speaks AWS JSON and OTLP JSON."""

    def __init__(self, url, timeout=30):
        place = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(place.hostname, place.port, timeout=timeout)

    def send(self, method, path, body=None, headers=None):
        """The status, the headers and the body of the answer."""
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def post(self, path, body, headers):
        status, answered, text = self.send("POST", path, body, headers)
        if status != 200:
            raise Refused(status, text, answered.get("retry-after"))
        return json.loads(text) if text else {}

    def aws(self, service, target, version, arguments):
        return self.post("/", json.dumps(arguments), {
            **signed(service), "X-Amz-Target": target,
            "Content-Type": f"application/x-amz-json-{version}"})

    def metrics(self, operation, **arguments):
        target = f"GraniteServiceVersion20100801.{operation}"
        return self.aws("monitoring", target, "1.0", arguments)

    def logs(self, operation, **arguments):
        return self.aws("logs", f"Logs_20140328.{operation}", "1.1", arguments)

    def traces(self, spans):
        body = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
        return self.post("/v1/traces", json.dumps(body), {"Content-Type": "application/json"})

    def trace_ids(self, ids):
        """Which of these X-Ray trace ids are known, with their number of segments."""
        headers = {**signed("xray", account="default"), "Content-Type": "application/json"}
        answer = self.post("/Traces", json.dumps({"TraceIds": ids}), headers)
        return {trace["Id"]: len(trace["Segments"]) for trace in answer["Traces"]}

    def close(self):
        self.connection.close()


class Writer:
    """Sends numbered items of one signal and notes each that is acknowledged."""

    def __init__(self, folder, name):
        self.name, self.path = name, pathlib.Path(folder) / f"acks-{name}"
        self.next, self.refusals, self.slowest_refusal = 0, [], 0.0
        self.path.touch()

    def acknowledged(self):
        return [int(n) for n in self.path.read_text().split()]

    def run(self, url, stop):
        """Writes until told to stop, or until the server is gone."""
        client = None
        with self.path.open("a") as acks, contextlib.ExitStack() as closing:
            while not stop.is_set():
                number, self.next = self.next, self.next + 1
                began = time.monotonic()
                try:
                    client = client or closing.enter_context(contextlib.closing(Client(url)))
                    self.put(client, number)
                    acks.write(f"{number}\n")
                    acks.flush()
                except Refused as refused:
                    self.refusals.append(refused)
                    self.slowest_refusal = max(self.slowest_refusal, time.monotonic() - began)
                    if refused.status not in (429, 503):
                        return
                    stop.wait(0.02)
                except (OSError, http.client.HTTPException):
                    return

    def put(self, client, number):
        raise NotImplementedError

    def found(self, client):
        """How often each number is there; a part of an item is an error."""
        raise NotImplementedError

    def compare(self, client, case):
        """Checks every acknowledged item and gives how many there are."""
        acked, found = self.acknowledged(), self.found(client)
        lost = [n for n in acked if n not in found]
        case.assertEqual(lost, [], f"{self.name}: acknowledged and lost")
        doubled = [n for n, times in found.items() if times != 1]
        case.assertEqual(doubled, [], f"{self.name}: there more than once")
        foreign = [n for n in found if n >= self.next]
        case.assertEqual(foreign, [], f"{self.name}: never sent")
        return len(acked)


class MetricWriter(Writer):
    """Each item is a datum of two values at a minute of its own, in the days of minute data."""

    NOON = int(time.time()) // 86_400 * 86_400 - 12 * 86_400

    def put(self, client, number):
        client.metrics("PutMetricData", Namespace="Faults", MetricData=[{
            "MetricName": self.name, "Timestamp": self.NOON + number * 60,
            "Values": [float(number), float(number) + 0.5]}])

    def found(self, client):
        found, token = {}, None
        start, end = self.NOON, self.NOON + (self.next + 1) * 60
        while True:
            query = {"Id": "q", "MetricStat": {"Stat": "Sum", "Period": 60, "Metric": {
                "Namespace": "Faults", "MetricName": self.name}}}
            count = {"Id": "n", "MetricStat": {**query["MetricStat"], "Stat": "SampleCount"}}
            answer = client.metrics("GetMetricData", MetricDataQueries=[query, count],
                                    StartTime=start, EndTime=end, ScanBy="TimestampAscending",
                                    **({"NextToken": token} if token else {}))
            for result in answer["MetricDataResults"]:
                for at, value in zip(result["Timestamps"], result["Values"]):
                    number = (int(at) - self.NOON) // 60
                    if result["Id"] == "n":
                        found[number] = value / 2
                    elif value % (2 * number + 0.5) != 0:
                        found[number] = -1
            token = answer.get("NextToken")
            if not token:
                return found


class LogWriter(Writer):
    """Each item is a batch of lines, all of them there or none."""

    made = False

    def put(self, client, number):
        if not self.made:
            for operation, arguments in (("CreateLogGroup", {}),
                                         ("CreateLogStream", {"logStreamName": self.name})):
                try:
                    client.logs(operation, logGroupName=f"/faults/{self.name}", **arguments)
                except Refused as refused:
                    if b"AlreadyExists" not in refused.body:
                        raise
            self.made = True
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": f"{number} {line} {'x' * 200}"}
                  for line in range(LINES)]
        client.logs("PutLogEvents", logGroupName=f"/faults/{self.name}",
                    logStreamName=self.name, logEvents=events)

    def found(self, client):
        seen, token = {}, None
        try:
            client.logs("DescribeLogStreams", logGroupName=f"/faults/{self.name}")
        except Refused as refused:
            if b"ResourceNotFound" in refused.body:
                return {}
            raise
        while True:
            answer = client.logs("FilterLogEvents", logGroupName=f"/faults/{self.name}",
                                 limit=10_000, **({"nextToken": token} if token else {}))
            for event in answer["events"]:
                number, line = map(int, event["message"].split()[:2])
                seen.setdefault(number, []).append(line)
            token = answer.get("nextToken")
            if not token:
                break
        whole = list(range(LINES))
        return {n: 1 if sorted(lines) == whole else -len(lines) for n, lines in seen.items()}


class TraceWriter(Writer):
    """Each item is a span of a trace of its own."""

    BEGAN = int(time.time()) - 60

    def put(self, client, number):
        began = self.BEGAN * 10**9
        client.traces([{"traceId": self.trace(number).replace("-", "")[1:],
                        "spanId": f"{number + 1:016x}", "name": "work", "kind": 2,
                        "startTimeUnixNano": str(began), "endTimeUnixNano": str(began + 10**6)}])

    def trace(self, number):
        return f"1-{self.BEGAN:08x}-{number:016x}{sum(self.name.encode()):08x}"

    def found(self, client):
        found = {}
        for first in range(0, self.next, 5):
            numbers = range(first, min(first + 5, self.next))
            known = client.trace_ids([self.trace(n) for n in numbers])
            found.update({n: known[self.trace(n)] for n in numbers if self.trace(n) in known})
        return found


class Load:
    """Writers of every signal, running beside a test."""

    def __init__(self, folder, writers=None):
        self.writers = writers or [MetricWriter(folder, "first"), MetricWriter(folder, "second"),
                                   LogWriter(folder, "lines"), TraceWriter(folder, "spans")]
        self.stop, self.threads, self.connected = threading.Event(), [], None

    def start(self, url):
        self.stop.clear()
        self.threads = [threading.Thread(target=writer.run, args=(url, self.stop))
                        for writer in self.writers]
        for thread in self.threads:
            thread.start()

    def join(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def compare(self, url, case):
        """Checks every writer's items; gives how many were acknowledged in all."""
        return sum(writer.compare(self.client(url), case) for writer in self.writers)

    def client(self, url):
        """A connection that is closed when the next one is asked for."""
        if self.connected is not None:
            self.connected.close()
        self.connected = Client(url)
        return self.connected
