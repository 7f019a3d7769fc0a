"""More than the server can take: descriptors, series, requests, bombs. It says no, and lives."""

import contextlib
import gzip
import json
import os
import resource
import socket
import statistics
import tempfile
import threading
import time
import unittest
import urllib.parse
import zlib

from harness import (LONG, Client, Load, LogWriter, MetricWriter, Refused, Server, TraceWriter,
                     signed)

MIB = 1024 * 1024
JSON = {"Content-Type": "application/json"}


def place(server):
    url = urllib.parse.urlsplit(server.url)
    return url.hostname, url.port


class Descriptors(unittest.TestCase):
    def test_idle_clients_that_take_every_descriptor_do_not_stop_the_server(self):
        """T07: 64 descriptors, 500 idle clients."""

        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

        with tempfile.TemporaryDirectory() as folder, \
                Server(f"{folder}/data", limits=few) as server:
            idle = []
            for _ in range(500):
                try:
                    idle.append(socket.create_connection(place(server), timeout=0.5))
                except TimeoutError:
                    # The system itself holds no more of them.
                    break
            before, began = server.cpu_seconds(), time.monotonic()
            time.sleep(2.0)
            busy = (server.cpu_seconds() - before) / (time.monotonic() - began)
            for one in idle:
                one.close()
            began = time.monotonic()
            with contextlib.closing(Client(server.url, timeout=5)) as client:
                client.metrics("ListMetrics", Namespace="Faults")
            back = time.monotonic() - began
            self.assertTrue(server.is_alive(), server.errors())
            self.assertLess(busy, 0.2, "spins while no descriptor is free")
            self.assertLess(back, 2.0)
            print(f"\n  {len(idle)} idle clients: {busy:.1%} of a core; back in {back:.2f} s")


class Bombs(unittest.TestCase):
    """T36: bodies that are small on the wire and large, or endless, where they are read."""

    def bombs(self):
        zeros = b"\0" * MIB
        squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
        big = b"".join([squeeze.compress(zeros) for _ in range(2048)] + [squeeze.flush()])
        otlp = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
        write = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
        lying = b"\xff\xff\xff\xff\x0f" + b"\0" * 64
        many = [{"Name": f"d{n}", "Value": "v"} for n in range(100_000)]
        datum = {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1,
                                                   "Dimensions": many}]}
        deep = b"[" * 100_000
        nested = b""
        for _ in range(2_000):
            nested = b"\x0a" + varint(len(nested)) + nested
        yield "gzip of 2 GiB", "/v1/metrics", big, otlp
        yield "gzip of gzip", "/v1/metrics", gzip.compress(big), otlp
        yield "gzip cut short", "/v1/traces", big[:1000], otlp
        yield "snappy with a lying length", "/api/v1/write", lying, write
        yield "JSON a hundred thousand deep", "/v1/traces", deep, JSON
        yield "an AWS document a hundred thousand deep", "/", b'{"a":' * 100_000, aws("PutMetricData")
        yield "protobuf two thousand deep", "/v1/logs", nested, {**otlp, "Content-Encoding": ""}
        yield "a hundred thousand dimensions", "/", json.dumps(datum).encode(), aws("PutMetricData")
        yield "CBOR that promises 2^60 items", "/service/GraniteServiceVersion20100801/operation/" \
            "PutMetricData", b"\x9b\x10" + b"\0" * 7, {**aws(""), "smithy-protocol": "rpc-v2-cbor",
                                                     "Content-Type": "application/cbor"}

    def test_each_is_refused_at_once_and_costs_little(self):
        with tempfile.TemporaryDirectory() as folder, Server(f"{folder}/data") as server:
            with contextlib.closing(Client(server.url)) as client:
                client.metrics("ListMetrics", Namespace="Faults")
            before, worst = server.resident_kib(), ("", 0.0)
            for name, path, body, headers in self.bombs():
                with self.subTest(name), contextlib.closing(Client(server.url)) as client:
                    began = time.monotonic()
                    status, _, text = client.send("POST", path, body, headers)
                    took = time.monotonic() - began
                    self.assertTrue(400 <= status < 500, f"{name}: {status} {text[:200]!r}")
                    worst = max(worst, (name, took), key=lambda one: one[1])
            grown = (server.resident_kib() - before) / 1024
            self.assertTrue(server.is_alive(), server.errors())
            self.assertNotIn("panicked", server.errors())
            self.assertLess(grown, 64)
            print(f"\n  slowest refusal: {worst[0]}, {worst[1] * 1000:.0f} ms; "
                  f"memory grew {grown:.1f} MiB")

    def test_ten_thousand_headers_and_a_dripping_body_end(self):
        with tempfile.TemporaryDirectory() as folder, Server(f"{folder}/data") as server:
            with socket.create_connection(place(server), timeout=20) as wire:
                lines = "".join(f"x-{n}: v\r\n" for n in range(10_000))
                with contextlib.suppress(ConnectionError):
                    wire.sendall(f"POST / HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n".encode())
                with contextlib.suppress(ConnectionError):
                    answer = wire.recv(64)
                    self.assertTrue(answer == b"" or answer.split()[1].startswith(b"4"), answer)
            with socket.create_connection(place(server), timeout=90) as wire:
                wire.sendall(b"POST /v1/logs HTTP/1.1\r\nhost: localhost\r\n"
                             b"content-type: application/json\r\ncontent-length: 1000000\r\n\r\n")
                began = time.monotonic()
                ended = threading.Event()
                threading.Thread(target=drip, args=(wire, ended), daemon=True).start()
                with contextlib.suppress(ConnectionError):
                    wire.recv(64)
                ended.set()
                took = time.monotonic() - began
            self.assertLess(took, 60, "a dripping body holds a connection")
            print(f"\n  a dripping body was ended after {took:.1f} s")


def drip(wire, ended):
    while not ended.is_set():
        with contextlib.suppress(OSError):
            wire.sendall(b" ")
        ended.wait(0.5)


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def aws(operation):
    return {**signed("monitoring"), "X-Amz-Target": f"GraniteServiceVersion20100801.{operation}",
            "Content-Type": "application/x-amz-json-1.0"}


class Overload(unittest.TestCase):
    def test_more_than_it_can_take_is_refused_and_what_it_took_is_there(self):
        """T23: 32 clients that never wait, then a look at everything acknowledged."""
        seconds = 30 if LONG else 8
        with tempfile.TemporaryDirectory() as folder, Server(f"{folder}/data") as server:
            writers = [kind(folder, f"{kind.__name__}{n}") for n in range(8)
                       for kind in (MetricWriter, LogWriter, TraceWriter)]
            load, peak = Load(folder, writers), 0
            load.start(server.url)
            until = time.monotonic() + seconds
            reads = []
            with contextlib.closing(Client(server.url)) as client:
                while time.monotonic() < until:
                    began = time.monotonic()
                    client.metrics("ListMetrics", Namespace="Faults")
                    reads.append(time.monotonic() - began)
                    peak = max(peak, server.resident_kib())
                    time.sleep(0.05)
            load.join()
            refused = [r for w in writers for r in w.refusals]
            self.assertEqual([r for r in refused if r.status not in (429, 503)], [])
            self.assertTrue(all(r.retry_after for r in refused), "a refusal without Retry-After")
            self.assertLess(peak / 1024, 512)
            total = load.compare(server.url, self)
            print(f"\n  {total} acknowledged and found, {len(refused)} refused; reads p50 "
                  f"{statistics.median(reads) * 1000:.0f} ms, max {max(reads) * 1000:.0f} ms; "
                  f"peak {peak / 1024:.0f} MiB")


class Cardinality(unittest.TestCase):
    def test_new_series_without_end_hit_a_cap_and_known_ones_go_on(self):
        """T37: a million and more series in batches of a thousand, as fast as they are taken."""
        batches = 1_100 if LONG else 60
        with tempfile.TemporaryDirectory() as folder, Server(f"{folder}/data") as server, \
                contextlib.closing(Client(server.url)) as client:
            refused = 0
            for batch in range(batches):
                data = [{"MetricName": "m", "Value": 1, "Dimensions": [
                    {"Name": "id", "Value": f"{batch}-{n}"}]} for n in range(1000)]
                try:
                    client.metrics("PutMetricData", Namespace="Faults", MetricData=data)
                except Refused as told:
                    self.assertIn(told.status, (400, 429, 503), told)
                    refused += 1
            known = [{"MetricName": "m", "Value": 2, "Dimensions": [{"Name": "id", "Value": "0-0"}]}]
            deadline = time.monotonic() + 10
            while True:
                try:
                    client.metrics("PutMetricData", Namespace="Faults", MetricData=known)
                    break
                except Refused as told:
                    self.assertEqual(told.status, 503, told)
                    self.assertLess(time.monotonic(), deadline, "known series are not taken")
                    time.sleep(0.1)
            peak = server.resident_kib() / 1024
            self.assertLess(peak, 512)
            print(f"\n  {batches * 1000} series offered, {refused} batches refused; "
                  f"{peak:.0f} MiB")


class Soak(unittest.TestCase):
    def test_memory_and_descriptors_stay_where_they_are(self):
        """T22: writes, reads and queries for a while; the last third against the middle one."""
        seconds = 1_800 if LONG else 60
        with tempfile.TemporaryDirectory() as folder, Server(f"{folder}/data") as server, \
                contextlib.closing(Client(server.url)) as client:
            client.logs("CreateLogGroup", logGroupName="/soak")
            client.logs("CreateLogStream", logGroupName="/soak", logStreamName="s")
            began, samples, files = time.monotonic(), [], []
            beat = 0
            while time.monotonic() - began < seconds:
                data = [{"MetricName": f"m{n % 100}", "Value": float(n)} for n in range(100)]
                client.metrics("PutMetricData", Namespace="Soak", MetricData=data)
                now = int(time.time() * 1000)
                client.logs("PutLogEvents", logGroupName="/soak", logStreamName="s",
                            logEvents=[{"timestamp": now, "message": f"line {beat} of a soak"}])
                client.logs("FilterLogEvents", logGroupName="/soak", filterPattern="soak", limit=5)
                client.metrics("GetMetricStatistics", Namespace="Soak", MetricName="m1",
                               StartTime=now // 1000 - 3600, EndTime=now // 1000 + 60, Period=60,
                               Statistics=["Average"])
                samples.append(server.resident_kib())
                files.append(len(os.listdir(f"/proc/{server.pid()}/fd")))
                beat += 1
                time.sleep(0.1)
            third = len(samples) // 3
            middle = statistics.mean(samples[third:2 * third])
            last = statistics.mean(samples[2 * third:])
            print(f"\n  {beat} rounds; memory {middle / 1024:.1f} then {last / 1024:.1f} MiB; "
                  f"descriptors {files[third]} then {files[-1]}")
            self.assertLess(last, middle * 1.05)
            self.assertLessEqual(files[-1], files[third] + 2)
            self.assertEqual(server.stop(), 0, server.errors())


if __name__ == "__main__":
    unittest.main(verbosity=2)
