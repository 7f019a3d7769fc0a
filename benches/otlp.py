#!/usr/bin/env python3
"""What telemetry senders cost: items a CPU second of the server, and ratios to VictoriaMetrics.

    benches/otlp.py target/release/coalmine

Every request is answered only once it is durable. Bodies are made before the clock starts; the time
is the server's own, user and system, from /proc. VictoriaMetrics is Debian's `victoria-metrics`; it
takes remote write, and gets the same bodies. Without it the ratios are left out.
"""

import argparse
import http.client
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

THREADS = 4
SPANS_A_BODY, SPAN_BODIES = 1000, 200
SERIES_A_BODY, SAMPLE_BODIES, SERIES = 1000, 1000, 10_000


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def text(number, value):
    return field(number, value.encode())


def fixed(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def attribute(key, value, number):
    any_value = (text(1, value) if isinstance(value, str) else b"\x18" + varint(value))
    return field(number, text(1, key) + field(2, any_value))


def snappy(body):
    out = bytearray(varint(len(body)))
    for at in range(0, len(body), 65_536):
        part = body[at:at + 65_536]
        out += bytes([61 << 2]) + struct.pack("<H", len(part) - 1) + part
    return bytes(out)


def span_body(now):
    """Spans of traces of four, as a web service sends them."""
    spans = bytearray()
    for at in range(SPANS_A_BODY):
        if at % 4 == 0:
            trace = struct.pack(">I", now) + os.urandom(12)
            parent = b""
        own = os.urandom(8)
        kind = 2 if at % 4 == 0 else 3
        span = field(1, trace) + field(2, own)
        if parent:
            span += field(4, parent)
        span += text(5, "GET /cart") + b"\x30" + bytes([kind])
        span += fixed(7, now * 10**9) + fixed(8, now * 10**9 + 5_000_000)
        for key, value in (("http.request.method", "GET"), ("url.full", "http://shop/cart?id=7"),
                           ("http.response.status_code", 200), ("http.route", "/cart"),
                           ("server.address", "shop"), ("tenant", "blue")):
            span += attribute(key, value, 9)
        spans += field(2, span)
        parent = parent or own
    resource = attribute("service.name", "shop", 1) + attribute("service.version", "1.2", 1)
    return field(1, field(1, resource) + field(2, bytes(spans)))


def labels(series):
    return [("instance", f"host-{series % 500}:9100"), ("job", "node"),
            ("mode", f"mode-{series // 500}"), ("region", "eu-central-1")]


def written_body(first, millis):
    """One sample of each of a run of series, as Prometheus writes them."""
    body = bytearray()
    for series in range(first, first + SERIES_A_BODY):
        pairs = [("__name__", "node_cpu_seconds_total"), *labels(series)]
        one = b"".join(field(1, text(1, name) + text(2, value)) for name, value in pairs)
        one += field(2, b"\x09" + struct.pack("<d", millis % 1000 + series) + b"\x10"
                     + varint(millis))
        body += field(1, one)
    return snappy(bytes(body))


def metrics_body(first, millis):
    """The same as OTLP: a gauge."""
    points = bytearray()
    for series in range(first, first + SERIES_A_BODY):
        point = b"".join(attribute(name, value, 7) for name, value in labels(series))
        point += fixed(3, millis * 10**6)
        point += b"\x21" + struct.pack("<d", millis % 1000 + series)
        points += field(1, point)
    metric = text(1, "node_cpu_seconds") + field(5, bytes(points))
    resource = field(1, attribute("service.name", "node", 1))
    return field(1, resource + field(2, field(2, metric)))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def send_all(port, path, bodies, headers):
    """Sends every body once, from several connections; a busy server is asked again."""
    queue, again = list(reversed(bodies)), [0]
    lock = threading.Lock()

    def work():
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            with lock:
                if not queue:
                    return
                body = queue.pop()
            while True:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status in (429, 503):
                    again[0] += 1
                    time.sleep(0.05)
                    continue
                if answer.status not in (200, 204):
                    sys.exit(f"{path} answered {answer.status}")
                break

    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return again[0]


class Server:
    def __init__(self, command, port):
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.port = port
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        sys.exit(f"{command[0]} does not listen")

    def measure(self, what, path, bodies, headers, items):
        # The first tenth warms up: series are made, files are opened.
        warm = max(len(bodies) // 10, 1)
        send_all(self.port, path, bodies[:warm], headers)
        before, began = cpu_seconds(self.process.pid), time.monotonic()
        again = send_all(self.port, path, bodies[warm:], headers)
        wall, cpu = time.monotonic() - began, cpu_seconds(self.process.pid) - before
        count = (len(bodies) - warm) * items
        rate = count / max(cpu, 0.01)
        print(f"{what:42} {count:>9,} in {cpu:6.2f} CPU s, {wall:6.2f} s: {rate:>10,.0f} a CPU s"
              f"{f', asked again {again} times' if again else ''}", flush=True)
        return rate

    def stop(self):
        self.process.terminate()
        self.process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("coalmine", help="the program to measure, a release build")
    program = arguments.parse_args().coalmine
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="coalmine-otlp-"))
    now = int(time.time())
    protobuf = {"content-type": "application/x-protobuf"}
    spans = [span_body(now) for _ in range(SPAN_BODIES)]

    def samples(make):
        bodies = []
        for at in range(SAMPLE_BODIES):
            tick, part = divmod(at, SERIES // SERIES_A_BODY)
            bodies.append(make(part * SERIES_A_BODY, (now - 1500 + tick * 15) * 1000))
        return bodies

    written, metrics = samples(written_body), samples(metrics_body)
    snapped = {**protobuf, "content-encoding": "snappy",
               "x-prometheus-remote-write-version": "0.1.0"}
    port = free_port()
    server = Server([program, "serve", "--listen", f"127.0.0.1:{port}",
                     "--data-dir", str(scratch / "coalmine")], port)
    figures = {}
    try:
        figures["spans"] = server.measure("coalmine, OTLP spans", "/v1/traces", spans, protobuf,
                                          SPANS_A_BODY)
        own = server.measure("coalmine, remote write samples", "/api/v1/write", written, snapped,
                             SERIES_A_BODY)
        otlp = server.measure("coalmine, OTLP data points", "/v1/metrics", metrics, protobuf,
                              SERIES_A_BODY)
    finally:
        server.stop()
    if shutil.which("victoria-metrics"):
        port = free_port()
        peer = Server(["victoria-metrics", f"-httpListenAddr=127.0.0.1:{port}",
                       f"-storageDataPath={scratch / 'victoria'}"], port)
        try:
            theirs = peer.measure("victoria-metrics, remote write samples", "/api/v1/write",
                                  written, snapped, SERIES_A_BODY)
        finally:
            peer.stop()
        figures["remote write, ratio to victoria-metrics"] = round(own / theirs, 3)
        figures["OTLP data points, ratio to its remote write"] = round(otlp / theirs, 3)
    shutil.rmtree(scratch)
    figures = {name: round(value, 3) for name, value in figures.items()}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
