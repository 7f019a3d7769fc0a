"""The disk loses power, fills up, lies, or gives back other bytes than were written.

Power cuts and full disks need root (loop devices, tmpfs); without it they are skipped, loudly.
"""

import contextlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

from harness import (LONG, Client, Died, Load, LogWriter, MetricWriter, Refused, Server)

IS_ROOT = os.geteuid() == 0
CUTS = 200 if LONG else 25
DAMAGES = 400 if LONG else 60


@contextlib.contextmanager
def mounted(*arguments):
    """A folder with something mounted on it."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["mount", *arguments, place], check=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", "--lazy", place], check=True)


class PowerCuts(unittest.TestCase):
    @unittest.skipUnless(IS_ROOT, "needs root for loop devices")
    def test_an_image_of_the_disk_at_any_moment_has_all_that_was_acknowledged(self):
        """T03: the file system's image is copied while it is written, then mounted and opened."""
        with tempfile.TemporaryDirectory() as folder:
            image = f"{folder}/disk.img"
            subprocess.run(["truncate", "-s", "96M", image], check=True)
            subprocess.run(["mkfs.ext4", "-q", image], check=True)
            with mounted("-o", "loop", image) as disk:
                load, cuts = Load(folder), []
                with Server(f"{disk}/data") as server:
                    load.start(server.url)
                    for cut in range(CUTS):
                        time.sleep(random.uniform(0.02, 0.2))
                        # Noted before the copy: what is acknowledged later may be there or not.
                        acked = {w: w.acknowledged() for w in load.writers}
                        copy = f"{folder}/cut-{cut}.img"
                        subprocess.run(["cp", "--sparse=always", image, copy], check=True)
                        cuts.append((copy, acked, {w: w.next for w in load.writers}))
                    load.join()
            total = 0
            for copy, acked, sent in cuts:
                with mounted("-o", "loop", copy) as disk, Server(f"{disk}/data") as server:
                    client = load.client(server.url)
                    for writer in load.writers:
                        found = writer.found(client)
                        lost = [n for n in acked[writer] if n not in found]
                        self.assertEqual(lost, [], f"{writer.name}: lost by a power cut")
                        broken = [n for n, times in found.items() if times != 1]
                        self.assertEqual(broken, [], f"{writer.name}: in part or doubled")
                        total += len(acked[writer])
                os.remove(copy)
            print(f"\n  {CUTS} power cuts, {total} acknowledged items looked for, none lost")
            self.assertGreater(total, CUTS)


class Damages(unittest.TestCase):
    """T04: torn tails, flipped bits, missing and swapped files."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.whole = pathlib.Path(cls.folder.name) / "whole"
        cls.load = Load(cls.folder.name,
                        [MetricWriter(cls.folder.name, "first"), LogWriter(cls.folder.name, "lines")])
        for life in range(3):
            server = Server(cls.whole)
            server.start()
            cls.load.start(server.url)
            time.sleep(0.7)
            cls.load.join()
            # An ordered stop moves all to segments; the last life leaves a log to read again.
            server.stop() if life < 2 else server.kill()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def files(self):
        return [path for path in sorted(self.whole.rglob("*"))
                if path.is_file() and path.stat().st_size > 0 and path.name != "LOCK"]

    def opened(self, hurt, what):
        """Opens a copy that `hurt` has damaged; gives how many items of each writer are there."""
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "data"
            shutil.copytree(self.whole, copy)
            hurt(copy)
            server = Server(copy)
            try:
                server.start()
            except Died as died:
                self.assertNotIn("panicked", died.errors, what)
                self.assertEqual(died.code, 5, f"{what}: {died.errors[-600:]}")
                self.assertRegex(died.errors, r"data|format|damaged|corrupt", what)
                print(f"\n  {what}: {died.errors.strip()}")
                return None
            with contextlib.closing(Client(server.url)) as client, ending(server):
                kept = {}
                for writer in self.load.writers:
                    try:
                        found = writer.found(client)
                    except Refused as refused:
                        self.assertGreaterEqual(refused.status, 500, what)
                        kept[writer.name] = None
                        continue
                    wrong = [n for n in found if not 0 <= n < writer.next]
                    self.assertEqual(wrong, [], f"{what}: items that nobody sent")
                    odd = [n for n, times in found.items() if times != 1]
                    self.assertEqual(odd, [], f"{what}: in part, doubled or altered")
                    kept[writer.name] = len(found)
                self.assertTrue(server.is_alive(), f"{what}: {server.errors()[-600:]}")
                self.assertNotIn("panicked", server.errors(), what)
                return kept

    def test_an_undamaged_copy_has_everything(self):
        kept = self.opened(lambda copy: None, "no damage")
        for writer in self.load.writers:
            self.assertGreaterEqual(kept[writer.name], len(writer.acknowledged()))

    def test_a_flipped_bit_is_never_served(self):
        counts = {"whole": 0, "less": 0, "told": 0, "refused to start": 0}
        for _ in range(DAMAGES):
            path = random.choice(self.files()).relative_to(self.whole)

            def hurt(copy, path=path):
                with (copy / path).open("r+b") as file:
                    at = random.randrange((copy / path).stat().st_size)
                    file.seek(at)
                    byte = file.read(1)[0]
                    file.seek(at)
                    file.write(bytes([byte ^ (1 << random.randrange(8))]))

            self.count(counts, self.opened(hurt, f"a bit of {path}"))
        print(f"\n  {DAMAGES} flipped bits: {counts}")

    def test_a_torn_file_costs_at_most_itself(self):
        counts = {"whole": 0, "less": 0, "told": 0, "refused to start": 0}
        for _ in range(DAMAGES):
            path = random.choice(self.files()).relative_to(self.whole)

            def hurt(copy, path=path):
                size = (copy / path).stat().st_size
                keep = random.randrange(max(0, size - 65_536), size)
                os.truncate(copy / path, keep)
                if random.random() < 0.5:
                    with (copy / path).open("ab") as file:
                        file.write(b"\0" * (size - keep))

            self.count(counts, self.opened(hurt, f"a torn {path}"))
        print(f"\n  {DAMAGES} torn files: {counts}")

    def count(self, counts, kept):
        if kept is None:
            counts["refused to start"] += 1
        elif None in kept.values():
            counts["told"] += 1
        else:
            whole = all(kept[w.name] >= len(w.acknowledged()) for w in self.load.writers)
            counts["whole" if whole else "less"] += 1


@contextlib.contextmanager
def ending(server):
    try:
        yield server
    finally:
        server.kill() if server.is_alive() else None


class FullDisks(unittest.TestCase):
    @unittest.skipUnless(IS_ROOT, "needs root for a small tmpfs")
    def test_a_full_disk_refuses_writes_serves_reads_and_heals(self):
        """T05."""
        with mounted("-t", "tmpfs", "-o", "size=64m", "tmpfs") as disk, \
                tempfile.TemporaryDirectory() as folder:
            load = Load(folder, [MetricWriter(folder, "first"), LogWriter(folder, "lines")])
            with Server(f"{disk}/data") as server:
                load.start(server.url)
                time.sleep(1.0)
                before = server.resident_kib()
                ballast = pathlib.Path(disk) / "ballast"
                with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * 65_536)
                time.sleep(3.0)
                refused = [r for w in load.writers for r in w.refusals]
                self.assertTrue(refused, "nothing was refused on a full disk")
                for one in refused:
                    self.assertEqual(one.status, 503, one)
                    self.assertTrue(one.retry_after, "no Retry-After")
                slowest = max(w.slowest_refusal for w in load.writers)
                grown = server.resident_kib() - before
                acked = [len(w.acknowledged()) for w in load.writers]
                client = load.client(server.url)
                began = time.monotonic()
                client.metrics("ListMetrics", Namespace="Faults")
                read = time.monotonic() - began
                ballast.unlink()
                freed, healed = time.monotonic(), None
                while healed is None and time.monotonic() < freed + 20:
                    time.sleep(0.05)
                    now = [len(w.acknowledged()) for w in load.writers]
                    if all(a > b for a, b in zip(now, acked)):
                        healed = time.monotonic() - freed
                load.join()
                self.assertTrue(server.is_alive(), server.errors())
                self.assertIsNotNone(healed, "writes did not resume: " + server.errors()[-800:])
                total = load.compare(server.url, self)
            with Server(f"{disk}/data") as server:
                load.compare(server.url, self)
            print(f"\n  {len(refused)} refused, the slowest in {slowest * 1000:.0f} ms; a read took "
                  f"{read * 1000:.0f} ms; memory grew {grown / 1024:.1f} MiB; writes came back "
                  f"{healed:.2f} s after space did; {total} acknowledged, none lost")

    @unittest.skipUnless(IS_ROOT, "needs root for a small tmpfs")
    def test_a_server_starts_on_a_disk_with_no_byte_free(self):
        with mounted("-t", "tmpfs", "-o", "size=48m", "tmpfs") as disk, \
                tempfile.TemporaryDirectory() as folder:
            load = Load(folder, [MetricWriter(folder, "first"), LogWriter(folder, "lines")])
            with Server(f"{disk}/data") as server:
                load.start(server.url)
                time.sleep(1.0)
                load.join()
            with (pathlib.Path(disk) / "ballast").open("wb", buffering=0) as file, \
                    contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * 4096)
            with Server(f"{disk}/data") as server:
                load.compare(server.url, self)
                with self.assertRaises(Refused) as refused:
                    load.writers[0].put(load.client(server.url), 10**6)
                self.assertEqual(refused.exception.status, 503)


class Lies(unittest.TestCase):
    def test_after_a_failed_sync_nothing_is_acknowledged_on_that_file(self):
        """T06: the k-th call fails with EIO; what was acknowledged is there after a restart."""
        rounds, acked = 0, 0
        for call in ("fdatasync", "fsync", "pwrite64"):
            for k in range(1, 21, 1 if LONG else 4):
                with tempfile.TemporaryDirectory() as folder:
                    load = Load(folder, [MetricWriter(folder, "first"),
                                         LogWriter(folder, "lines")])
                    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                              "-e", f"inject={call}:error=EIO:when={k}"]
                    server = Server(f"{folder}/data", prefix=strace)
                    try:
                        server.start()
                    except Died as died:
                        self.assertNotIn("panicked", died.errors)
                        self.assertRegex(died.errors, "Input/output error|disk I/O error")
                        continue
                    with ending(server):
                        load.start(server.url)
                        time.sleep(0.4)
                        load.join()
                        self.assertNotIn("panicked", server.errors())
                    with Server(f"{folder}/data") as server:
                        acked += load.compare(server.url, self)
                    rounds += 1
        print(f"\n  {rounds} lies of the disk, {acked} acknowledged, none lost")
        self.assertGreater(acked, rounds)


if __name__ == "__main__":
    unittest.main(verbosity=2)
