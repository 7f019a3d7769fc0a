#!/usr/bin/env python3
"""Measures the store against VictoriaMetrics and ClickHouse: same data, one run, ratios.

    benches/store.py [--quick] [--only metrics|logs] [--coalmine PATH]

Peers: `victoria-metrics` (Debian) on PATH, and `chdb` (PyPI) for the Python that runs this. A peer
that is absent is left out and its rows say so. Work is measured in CPU-seconds of the process that
does it, so that other load on the machine matters less; a reading in milliseconds is wall time.
Full: 10,000 series of 1,000 points, 2 million lines of JSON. --quick: a tenth of both.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROWS = []


def row(name, ours, peer, aim, unit, better="less"):
    """Keeps one line of the table; `aim` is ours against the peer's."""
    ROWS.append((name, ours, peer, aim, unit, better))
    ratio = "" if not peer else f"  ratio {ours / peer:.2f}, aim {aim}"
    shown = "-" if peer is None else f"{peer:.4g}"
    print(f"  {name}: {ours:.4g} against {shown} {unit}{ratio}", flush=True)


class Process:
    """A server under measurement."""

    def __init__(self, arguments, log):
        self.log = open(log, "wb")
        self.started = time.monotonic()
        self.child = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=self.log)

    def cpu(self):
        """CPU-seconds so far, from the process's own clock."""
        return time.clock_gettime((~self.child.pid << 3) | 2)

    def memory(self, field="VmRSS"):
        """Resident bytes now, or at most (`VmHWM`)."""
        with open(f"/proc/{self.child.pid}/status") as status:
            for line in status:
                if line.startswith(field):
                    return int(line.split()[1]) * 1024
        return 0

    def stop(self):
        self.child.terminate()
        self.child.wait(60)
        self.log.close()


class Http:
    """One kept connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def send(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]}")
        return content

    def retrying(self, *arguments):
        """Sends until the server has room: what it refuses for a while is not lost."""
        for _ in range(600):
            try:
                return self.send(*arguments)
            except RuntimeError as error:
                if " 503 " not in str(error):
                    raise
                time.sleep(0.05)
        raise RuntimeError("no room in 30 s")


def folder_bytes(path):
    return sum(os.path.getsize(os.path.join(root, name))
               for root, _, names in os.walk(path) for name in names)


def start_coalmine(binary, folder):
    """A server and its port, once it says that it is ready."""
    server = Process([binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", folder],
                     folder + ".log")
    ready = json.loads(server.child.stdout.readline())
    return server, ready["port"]


# --- metrics ---------------------------------------------------------------------------------

def series_names(count):
    """(namespace is `Bench`) name and dimensions of each series, as canaries have them."""
    kinds = ["Duration", "Bytes", "Load", "Success", "Limit"]
    return [(kinds[i % 5], [("canary", f"canary-{i // 20:04}"), ("step", f"step-{i % 20:02}"),
                            ("region", f"eu-{i % 3}")]) for i in range(count)]


def columns(count, points, seed=7):
    """The values of one instant of every series, instant by instant."""
    rnd = random.Random(seed)
    walks = [100.0 + i % 50 for i in range(count)]
    for _ in range(points):
        values = []
        for i in range(count):
            kind = i % 5
            if kind == 0:
                values.append(round(rnd.lognormvariate(4.0, 0.6), 1))
            elif kind == 1:
                values.append(float(rnd.randrange(200, 60_000)))
            elif kind == 2:
                walks[i] = round(walks[i] + rnd.uniform(-1, 1), 2)
                values.append(walks[i])
            elif kind == 3:
                values.append(100.0 if rnd.random() < 0.995 else 0.0)
            else:
                values.append(250.0)
        yield values


def cbor_text(text):
    raw = text.encode()
    head = bytes([0x60 + len(raw)]) if len(raw) < 24 else bytes([0x78, len(raw)])
    return head + raw


def cbor_head(name, dimensions):
    """A datum up to its value: map of five, metric name, dimensions, resolution."""
    dims = b"".join(b"\xa2" + cbor_text("Name") + cbor_text(k) + cbor_text("Value") + cbor_text(v)
                    for k, v in dimensions)
    return (b"\xa5" + cbor_text("MetricName") + cbor_text(name) + cbor_text("Dimensions")
            + bytes([0x80 + len(dimensions)]) + dims
            + cbor_text("StorageResolution") + b"\x01" + cbor_text("Timestamp"))


PUT_METRIC_DATA = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor",
                   "accept": "application/cbor"}
RPC = "/service/GraniteServiceVersion20100801/operation/"


def coalmine_bodies(heads, at, values, per_request=1000):
    """PutMetricData requests of one instant."""
    stamp = b"\xc1\xfb" + struct.pack(">d", float(at)) + cbor_text("Value") + b"\xfb"
    for start in range(0, len(heads), per_request):
        data = [head + stamp + struct.pack(">d", value) for head, value in
                zip(heads[start:start + per_request], values[start:start + per_request])]
        yield (b"\xa2" + cbor_text("Namespace") + cbor_text("Bench") + cbor_text("MetricData")
               + b"\x99" + struct.pack(">H", len(data)) + b"".join(data))


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def proto(field, body):
    return varint(field << 3 | 2) + varint(len(body)) + body


def remote_heads(names):
    heads = []
    for name, dimensions in names:
        labels = sorted([("__name__", "bench_" + name.lower())] + dimensions)
        heads.append(b"".join(proto(1, proto(1, k.encode()) + proto(2, v.encode()))
                              for k, v in labels))
    return heads


def remote_write(snappy, heads, at, values):
    """One remote-write request of one instant."""
    stamp = b"\x10" + varint(at * 1000)
    body = b"".join(
        proto(1, head + proto(2, b"\x09" + struct.pack("<d", value) + stamp))
        for head, value in zip(heads, values))
    return snappy.compress(body)


def percentiles(times):
    times.sort()
    return statistics.median(times) * 1000, times[int(len(times) * 0.99)] * 1000


def timed(count, call):
    times = []
    for number in range(count):
        begun = time.perf_counter()
        call(number)
        times.append(time.perf_counter() - begun)
    return percentiles(times)


def bench_metrics(options, work):
    count, points = (1000, 1000) if options.quick else (10_000, 1000)
    names, total = series_names(count), count * points
    end = int(time.time()) // 60 * 60
    first = end - points * 10
    print(f"metrics: {count} series of {points} points", flush=True)
    ours = measure_coalmine_metrics(options, work, names, first, points)
    peer = measure_victoria(work, names, first, points)
    get = (lambda key: peer and peer[key])
    row("ingest, fsync before the answer", total / ours["cpu"] / 1e6,
        peer and total / peer["cpu"] / 1e6, ">= 5", "M samples/CPU-s", "more")
    row("bytes a point, index included", ours["disk"] / total,
        peer and peer["disk"] / total, "<= 0.95", "B")
    row("one series, one hour, p50", ours["one"], get("one"), "<= 0.5", "ms")
    row("500 series, one hour, average", ours["many"], get("many"), "<= 0.7", "ms")
    row("memory above idle", ours["memory"] / 2**20, peer and peer["memory"] / 2**20,
        "<= 0.25", "MiB")
    row("start to first acknowledged write", ours["start"], None, "<= 50", "ms")
    row("idle memory", ours["idle"] / 2**20, None, "<= 40", "MiB")


def measure_coalmine_metrics(options, work, names, first, points):
    folder = os.path.join(work, "coalmine-metrics")
    server, port = start_coalmine(options.coalmine, folder)
    link = Http(port)
    heads = [cbor_head(*name) for name in names]
    one = b"\xa2" + cbor_text("Namespace") + cbor_text("Start") + cbor_text("MetricData") + b"\x81"
    one += b"\xa2" + cbor_text("MetricName") + cbor_text("m") + cbor_text("Value") + b"\x01"
    link.send("POST", RPC + "PutMetricData", one, PUT_METRIC_DATA)
    start = (time.monotonic() - server.started) * 1000
    time.sleep(2)
    idle, begun = server.memory(), server.cpu()
    for step, values in enumerate(columns(len(names), points)):
        for body in coalmine_bodies(heads, first + step * 10, values):
            link.retrying("POST", RPC + "PutMetricData", body, PUT_METRIC_DATA)
    cpu, peak = server.cpu() - begun, server.memory("VmHWM")
    print(f"  coalmine: {cpu:.1f} CPU-s, peak {peak / 2**20:.0f} MiB, idle {idle / 2**20:.0f}",
          flush=True)
    headers = {"content-type": "application/x-amz-json-1.0",
               "x-amz-target": "GraniteServiceVersion20100801.GetMetricData"}

    def query(name, dimensions, number):
        return {"Id": f"m{number}", "ReturnData": True, "MetricStat": {
            "Metric": {"Namespace": "Bench", "MetricName": name,
                       "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions]},
            "Period": 10, "Stat": "Average"}}

    last = first + points * 10

    def ask(queries):
        body = json.dumps({"StartTime": last - 3600, "EndTime": last,
                           "MetricDataQueries": queries}).encode()
        return link.send("POST", "/", body, headers)

    got = json.loads(ask([query(*names[0], 0)]))["MetricDataResults"][0]["Values"]
    assert len(got) == 360, len(got)
    hot = timed(300, lambda n: ask([query(*names[n * 37 % len(names)], 0)]))
    many = lambda: [ask([query(*names[i], i) for i in range(500)])]
    many_hot = timed(10, lambda _: many())
    server.stop()
    disk = folder_bytes(folder)
    # Again from the segments alone: a restart lets go of what memory holds.
    server, port = start_coalmine(options.coalmine, folder)
    link = Http(port)
    cold = timed(100, lambda n: ask([query(*names[n * 37 % len(names)], 0)]))
    cold_many = timed(5, lambda _: many())
    server.stop()
    print(f"  coalmine: one series hot {hot[0]:.2f} ms, cold {cold[0]:.2f} ms; "
          f"500 hot {many_hot[0]:.1f} ms, cold {cold_many[0]:.1f} ms", flush=True)
    return {"cpu": cpu, "disk": disk, "one": hot[0], "many": many_hot[0],
            "memory": peak - idle, "idle": idle, "start": start}


def measure_victoria(work, names, first, points):
    binary = shutil.which("victoria-metrics")
    try:
        import snappy
    except ImportError:
        snappy = None
    if not binary or not snappy:
        print("  victoria-metrics or python-snappy is absent: not compared", flush=True)
        return None
    folder, port = os.path.join(work, "victoria"), 18428
    server = Process([binary, "-storageDataPath", folder, "-retentionPeriod", "100y",
                      "-httpListenAddr", f"127.0.0.1:{port}"], folder + ".log")
    link = None
    for _ in range(100):
        try:
            link = Http(port)
            link.send("GET", "/health")
            break
        except OSError:
            time.sleep(0.1)
    time.sleep(2)
    idle, begun, heads = server.memory(), server.cpu(), remote_heads(names)
    headers = {"content-encoding": "snappy", "content-type": "application/x-protobuf"}
    for step, values in enumerate(columns(len(names), points)):
        body = remote_write(snappy, heads, first + step * 10, values)
        link.send("POST", "/api/v1/write", body, headers)
    time.sleep(6)
    cpu, peak = server.cpu() - begun, server.memory("VmHWM")
    last = first + points * 10

    def selector(number):
        name, dimensions = names[number * 37 % len(names)]
        inner = ",".join(f'{k}="{v}"' for k, v in dimensions)
        return f"bench_{name.lower()}{{{inner}}}"

    def ask(text):
        from urllib.parse import quote
        return link.send("GET", "/api/v1/query_range?nocache=1&step=10s&query=" + quote(text)
                         + f"&start={last - 3600}&end={last}")

    one = timed(300, lambda n: ask(selector(n)))
    several = "|".join(f"canary-{i:04}" for i in range(25))
    many = timed(10, lambda _: ask(f'{{__name__=~"bench_.*",canary=~"{several}"}}'))
    server.stop()
    return {"cpu": cpu, "disk": folder_bytes(os.path.join(folder, "data"))
            + folder_bytes(os.path.join(folder, "indexdb")),
            "one": one[0], "many": many[0], "memory": peak - idle}


# --- logs ------------------------------------------------------------------------------------

TEXTS = ["request finished", "cache miss, going to origin", "upstream timeout, retrying",
         "payment accepted", "connection reset by peer", "slow query", "user signed in",
         "background job done"]
SERVICES = ["checkout", "cart", "search", "catalog", "auth", "mailer", "billing", "gateway"]


def lines(count, first_ms, span_ms, seed=11):
    """(time, line): JSON as services write it, 250 bytes each."""
    rnd = random.Random(seed)
    for i in range(count):
        at = first_ms + span_ms * i // count
        status = rnd.choices([200, 201, 304, 404, 500, 503], [80, 6, 5, 5, 3, 1])[0]
        level = "ERROR" if status >= 500 else "WARN" if status == 404 else "INFO"
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at // 1000))
        yield at, (f'{{"ts":"{stamp}.{at % 1000:03}Z","level":"{level}",'
                   f'"service":"{SERVICES[rnd.randrange(8)]}","msg":"{rnd.choice(TEXTS)}",'
                   f'"status":{status},"duration_ms":{round(rnd.lognormvariate(3.5, 0.9), 2)},'
                   f'"request_id":"{rnd.getrandbits(128):032x}","user":{rnd.randrange(50_000)},'
                   f'"path":"/api/v1/items/{rnd.randrange(3000)}","bytes":{rnd.randrange(90_000)}}}')


def write_lines(path, count, first_ms, span_ms):
    with open(path, "w") as file:
        for at, line in lines(count, first_ms, span_ms):
            file.write(f"{at}\t{line}\n")


QUERIES = {
    "substring count by 5 minutes": 'filter @message like "timeout, retry" '
                                    '| stats count(*) by bin(5m)',
    "JSON field filter by 5 minutes": "filter status = 500 | stats count(*) by bin(5m)",
    "avg and p99 by column": "stats avg(duration_ms), pct(duration_ms, 99) by service",
    "one id": 'filter request_id = "{id}" | fields @message',
    "newest 100 matches": 'filter level = "ERROR" | sort @timestamp desc | limit 100',
}


def bench_logs(options, work):
    count = 200_000 if options.quick else 2_000_000
    now = int(time.time() * 1000)
    span = 6 * 3600 * 1000
    first = now - span - 600_000
    path = os.path.join(work, "lines.tsv")
    write_lines(path, count, first, span)
    raw = os.path.getsize(path) - count * 14
    with open(path) as file:
        for number, line in enumerate(file):
            if number == count * 2 // 3:
                wanted = json.loads(line.split("\t", 1)[1])["request_id"]
    print(f"logs: {count} lines, {raw / 1e6:.0f} MB", flush=True)
    peer = measure_clickhouse(work, path, wanted)
    ours = measure_coalmine_logs(options, work, path, wanted, first, now)
    get = (lambda key: peer and peer[key])
    mb = raw / 1e6
    row("log ingest, merges included", mb / ours["cpu"], peer and mb / peer["raw ingest"],
        ">= 1.5", "MB/CPU-s", "more")
    row("log bytes on disk (against shredded)", ours["disk"] / 1e6,
        peer and peer["shredded disk"] / 1e6, "<= 0.95", "MB")
    for name, against, aim in [
            ("substring count by 5 minutes", "raw substring", "<= 0.5"),
            ("JSON field filter by 5 minutes", "raw filter", "<= 0.5"),
            ("JSON field filter by 5 minutes", "shredded filter", "<= 0.5"),
            ("avg and p99 by column", "shredded p99", "<= 0.9")]:
        row(f"{name} (against {against})", ours[name][0], get(against) and get(against)[0], aim,
            "CPU-s")
    for name, against in [("one id", "needle"), ("newest 100 matches", "newest")]:
        row(name, ours[name][1] * 1000, get(against) and get(against)[1] * 1000, "<= 1", "ms")


def measure_coalmine_logs(options, work, path, wanted, first, last):
    folder = os.path.join(work, "coalmine-logs")
    server, port = start_coalmine(options.coalmine, folder)
    link = Http(port)

    def call(operation, body):
        content = link.retrying("POST", "/", json.dumps(body).encode(), {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": "Logs_20140328." + operation})
        return json.loads(content) if content else None

    call("CreateLogGroup", {"logGroupName": "bench"})
    call("CreateLogStream", {"logGroupName": "bench", "logStreamName": "all"})
    begun, events, size = server.cpu(), [], 0

    def put():
        call("PutLogEvents", {"logGroupName": "bench", "logStreamName": "all",
                              "logEvents": events})

    with open(path) as file:
        for text in file:
            at, message = text.rstrip("\n").split("\t", 1)
            if size + len(message) + 26 > 1_000_000 or len(events) == 10_000:
                put()
                events, size = [], 0
            events.append({"timestamp": int(at), "message": message})
            size += len(message) + 26
    put()
    quiet = settle(server)
    cpu = server.cpu() - begun
    print(f"  coalmine: {cpu:.1f} CPU-s, peak {server.memory('VmHWM') / 2**20:.0f} MiB, "
          f"settled after {quiet:.0f} s", flush=True)
    found = {"cpu": cpu}
    for name, text in QUERIES.items():
        found[name] = measure_query(server, call, text.replace("{id}", wanted), first, last)
        print(f"  coalmine {name}: {found[name][0]:.3f} CPU-s, {found[name][1] * 1000:.1f} ms, "
              f"{found[name][2]} rows", flush=True)
    server.stop()
    found["disk"] = folder_bytes(os.path.join(folder, "segments"))
    return found


def settle(server):
    """Waits until flush and compaction are through: two seconds without work."""
    begun, last = time.monotonic(), server.cpu()
    idle = 0
    while idle < 3 and time.monotonic() - begun < 300:
        time.sleep(1)
        now = server.cpu()
        idle = idle + 1 if now - last < 0.02 else 0
        last = now
    return time.monotonic() - begun


def measure_query(server, call, text, first, last):
    spent, waited, rows = [], [], 0
    for _ in range(5):
        begun, at = server.cpu(), time.perf_counter()
        query = call("StartQuery", {"logGroupName": "bench", "startTime": first // 1000,
                                    "endTime": last // 1000, "queryString": text})["queryId"]
        while True:
            answer = call("GetQueryResults", {"queryId": query})
            if answer["status"] not in ("Scheduled", "Running"):
                break
            time.sleep(0.002)
        waited.append(time.perf_counter() - at)
        spent.append(server.cpu() - begun)
        assert answer["status"] == "Complete", answer
        rows = len(answer["results"])
    return statistics.median(spent), statistics.median(waited), rows


CLICKHOUSE = r'''
import json, resource, statistics, sys, time
from chdb import session
folder, path, wanted = sys.argv[1:]
s = session.Session(folder)
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
def run(text):
    return s.query(text, "CSV")
def measure(text):
    spent, waited = [], []
    for _ in range(5):
        a, b = cpu(), time.perf_counter()
        run(text)
        spent.append(cpu() - a); waited.append(time.perf_counter() - b)
    return statistics.median(spent), statistics.median(waited)
out = {}
run("create database if not exists b engine = Atomic")
run("create table b.raw (at DateTime64(3), message String codec(ZSTD(1))) "
    "engine = MergeTree order by at")
run("create table b.shredded (at DateTime64(3), ts String codec(ZSTD(1)), "
    "level LowCardinality(String), service LowCardinality(String), msg LowCardinality(String), "
    "status UInt16 codec(ZSTD(1)), duration_ms Float64 codec(ZSTD(1)), "
    "request_id String codec(ZSTD(1)), user UInt32 codec(ZSTD(1)), path String codec(ZSTD(1)), "
    "bytes UInt32 codec(ZSTD(1)), index id request_id type bloom_filter(0.01) granularity 1) "
    "engine = MergeTree order by at")
source = f"file('{path}', 'TabSeparatedRaw', 'at Int64, message String')"
a = cpu()
run(f"insert into b.raw select fromUnixTimestamp64Milli(at), message from {source}")
run("optimize table b.raw final")
out["raw ingest"] = cpu() - a
a = cpu()
fields = ("ts String, level String, service String, msg String, status UInt16, "
          "duration_ms Float64, request_id String, user UInt32, path String, bytes UInt32")
names = [field.split()[0] for field in fields.split(", ")]
picked = ", ".join(f"tupleElement(j, '{name}')" for name in names)
run(f"insert into b.shredded select fromUnixTimestamp64Milli(at), {picked} from "
    f"(select at, JSONExtract(message, 'Tuple({fields})') as j from {source})")
run("optimize table b.shredded final")
out["shredded ingest"] = cpu() - a
size = "select sum(bytes_on_disk) from system.parts where active and table = '{}'"
out["raw disk"] = int(str(run(size.format("raw"))).strip())
out["shredded disk"] = int(str(run(size.format("shredded"))).strip())
bin5 = "toStartOfInterval(at, interval 5 minute) as t"
out["raw substring"] = measure(f"select {bin5}, count() from b.raw "
    "where position(message, 'timeout, retry') > 0 group by t order by t")
out["raw filter"] = measure(f"select {bin5}, count() from b.raw "
    "where JSONExtractInt(message, 'status') = 500 group by t order by t")
out["shredded filter"] = measure(f"select {bin5}, count() from b.shredded "
    "where status = 500 group by t order by t")
out["shredded p99"] = measure("select service, avg(duration_ms), quantile(0.99)(duration_ms) "
    "from b.shredded group by service order by service")
out["needle"] = measure(f"select * from b.shredded where request_id = '{wanted}'")
out["newest"] = measure("select * from b.shredded where level = 'ERROR' "
    "order by at desc limit 100")
print(json.dumps(out))
'''


def measure_clickhouse(work, path, wanted):
    folder = os.path.join(work, "clickhouse")
    done = subprocess.run([sys.executable, "-c", CLICKHOUSE, folder, path, wanted],
                          capture_output=True, text=True)
    if done.returncode != 0:
        print("  chdb is absent or failed: not compared\n" + done.stderr[-600:], flush=True)
        return None
    found = json.loads(done.stdout.splitlines()[-1])
    print("  clickhouse: " + ", ".join(
        f"{name} {value if not isinstance(value, list) else [round(v, 4) for v in value]}"
        for name, value in found.items()), flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the data")
    parser.add_argument("--only", choices=["metrics", "logs"])
    parser.add_argument("--coalmine", default="target/release/coalmine")
    parser.add_argument("--work", help="where the data goes; removed afterwards when not given")
    options = parser.parse_args()
    if not os.access(options.coalmine, os.X_OK):
        sys.exit(f"no {options.coalmine}: cargo build --release first, or name one")
    work = options.work or tempfile.mkdtemp(prefix="coalmine-bench-")
    os.makedirs(work, exist_ok=True)
    try:
        if options.only != "logs":
            bench_metrics(options, work)
        if options.only != "metrics":
            bench_logs(options, work)
        row("binary", os.path.getsize(options.coalmine) / 1e6, None, "<= 40", "MB")
        report()
    finally:
        if not options.work:
            shutil.rmtree(work, ignore_errors=True)


def report():
    print(f"\n{'work':<58} {'ours':>9} {'peer':>9} {'ratio':>6}  {'aim':<8} {'':<7} unit")
    for name, ours, peer, aim, unit, better in ROWS:
        bound = float(aim.split()[1])
        measured = ours / peer if peer else ours
        met = measured >= bound if better == "more" else measured <= bound
        verdict = "met" if met else "missed"
        if aim.split()[1] in ("0.5", "0.7", "0.25", "0.95", "0.9", "1", "1.5", "5") and not peer:
            verdict = "-"
        shown = f"{peer:9.4g} {ours / peer:6.2f}" if peer else f"{'-':>9} {'-':>6}"
        print(f"{name:<58} {ours:9.4g} {shown}  {aim:<8} {verdict:<7} {unit}")


if __name__ == "__main__":
    main()
