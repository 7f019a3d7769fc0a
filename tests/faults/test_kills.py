"""The server is killed: at random moments, and at each call of the system that touches the disk."""

import random
import subprocess
import tempfile
import threading
import time
import unittest

from harness import LONG, Client, Died, Load, LogWriter, MetricWriter, Server

ROUNDS = 200 if LONG else 20
READY_SECONDS_MAX = 2.0
CALLS = ["fdatasync", "pwrite64", "write", "renameat2,rename,renameat", "unlink,unlinkat", "fsync"]


class Kills(unittest.TestCase):
    def test_a_kill_at_any_moment_loses_nothing(self):
        """T01: an exit by SIGKILL 5 to 400 ms after the start, again and again, on one folder."""
        with tempfile.TemporaryDirectory() as folder:
            server, load, slowest = Server(f"{folder}/data"), Load(folder), 0.0
            for _ in range(ROUNDS):
                slowest = max(slowest, server.start())
                load.start(server.url)
                time.sleep(random.uniform(0.005, 0.4))
                server.kill()
                load.join()
            with server:
                total = load.compare(server.url, self)
            print(f"\n  {ROUNDS} kills, {total} acknowledged, none lost; "
                  f"slowest start {slowest * 1000:.0f} ms")
            self.assertGreater(total, ROUNDS)

    def test_a_kill_in_any_call_of_the_system_loses_nothing(self):
        """T02: strace kills the server in the k-th call of a kind, for growing k."""
        every = 1 if LONG else 9
        passed = 0
        for call in CALLS:
            with tempfile.TemporaryDirectory() as folder:
                load = Load(folder, [MetricWriter(folder, "first"), LogWriter(folder, "lines")])
                for k in range(1, 10_000, every):
                    if not self.killed_in(folder, load, call, k):
                        break
                    passed += 1
                    if k > (400 if LONG else 60):
                        break
                with Server(f"{folder}/data") as server:
                    load.compare(server.url, self)
        print(f"\n  {passed} places to die, nothing lost")
        self.assertGreater(passed, len(CALLS))

    def killed_in(self, folder, load, call, k):
        """Whether the server died in the k-th call before a second of work was done."""
        strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                  "-e", f"inject={call}:signal=SIGKILL:when={k}"]
        server = Server(f"{folder}/data", prefix=strace)
        try:
            server.start()
        except Died:
            return True
        load.start(server.url)
        deadline = time.monotonic() + 1.0
        while server.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        died = not server.is_alive()
        server.kill()
        load.join()
        return died


class Lock(unittest.TestCase):
    """T09: one process a folder, and only folders of formats it knows."""

    def test_a_second_process_is_refused_and_a_kill_frees_the_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            first = Server(f"{folder}/data")
            with first:
                began = time.monotonic()
                with self.assertRaises(Died) as refused:
                    Server(f"{folder}/data").start()
                self.assertLess(time.monotonic() - began, 5.0)
                self.assertEqual(refused.exception.code, 5)
                self.assertIn("in use", refused.exception.errors)
                first.kill()
                with Server(f"{folder}/data") as second:
                    self.assertTrue(second.is_alive())


if __name__ == "__main__":
    unittest.main(verbosity=2)
