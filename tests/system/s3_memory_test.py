"""The daemon's memory is bounded whatever waits for the object store: a long backlog builds up, stays, and drains."""

import os
import threading
import time
import unittest

import harness
from s3_volume import S3Volume, servers

FILES = int(os.environ.get("WEIR_TEST_BACKLOG_FILES", "3000"))
BIG_MIB = int(os.environ.get("WEIR_TEST_BACKLOG_MIB", "384"))
SMALL_BYTES = 10_000
BIG_FILE_MIB = 128
MIB = 1 << 20
DRAIN_SECONDS_MAX = 600
# Chunks on their way to the store (64 MiB), caches and write buffers of two databases (96 MiB), rows and small contents in
# memory (24 MiB), and what threads and buffers need.
ANONYMOUS_MIB_MAX = 200


def anonymous_mib(pid):
    """Mapped images are the page cache's, and do not count."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    raise AssertionError(f"process {pid} says nothing of its memory")


class Sampler:
    """The most that a process had while this was entered."""

    def __init__(self, pid):
        self.pid, self.most, self.stop = pid, 0.0, threading.Event()
        self.thread = threading.Thread(target=self.work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def work(self):
        while not self.stop.is_set():
            self.most = max(self.most, anonymous_mib(self.pid))
            self.stop.wait(0.05)


def write_backlog(volume):
    for number in range(FILES):
        if number % 1000 == 0:
            os.mkdir(volume.path(f"small-{number // 1000}"))
        with open(volume.path(f"small-{number // 1000}", str(number)), "wb") as file:
            file.write(os.urandom(SMALL_BYTES))
    for number in range(BIG_MIB // BIG_FILE_MIB):
        with open(volume.path(f"big-{number}"), "wb") as file:
            for _ in range(BIG_FILE_MIB):
                file.write(os.urandom(MIB))


@unittest.skipIf(os.environ.get("WEIR_TEST_SANITIZED"), "a sanitizer has memory of its own for every byte")
class S3MemoryTest(harness.SystemTest):
    def test_a_long_backlog_takes_no_more_memory_than_the_budget(self):
        print(f"{FILES} files of {SMALL_BYTES} bytes, {BIG_MIB} MiB in big ones", flush=True)
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            volume.mount()
            pid = volume.status()["pid"]
            idle_mib = anonymous_mib(pid)
            server.command("settings", unreachable=True)
            with Sampler(pid) as writing:
                write_backlog(volume)
            with Sampler(pid) as waiting:
                time.sleep(5)
            backlog = volume.status()["upload"]
            self.assertGreaterEqual(backlog["backlog_bytes"], FILES * SMALL_BYTES + BIG_MIB * MIB)
            server.command("settings", unreachable=False)
            started = time.monotonic()
            with Sampler(pid) as draining:
                volume.weir("sync", volume.mount_point, "--to", "stored")
                # What is stored is told to the volume first, and then crossed out in the cache's journal.
                while volume.status()["upload"]["backlog_bytes"] > 0 and time.monotonic() < started + DRAIN_SECONDS_MAX:
                    time.sleep(0.1)
            drained_s = time.monotonic() - started
            self.assertEqual(volume.status()["pid"], pid)
            self.assertEqual(volume.status()["upload"]["backlog_bytes"], 0)
            most = {"idle": idle_mib, "writing": writing.most, "waiting": waiting.most, "draining": draining.most,
                    "after": anonymous_mib(pid)}
            print(f"{backlog['backlog_bytes']} bytes of {backlog['backlog_contents']} contents waited, and were stored in "
                  f"{drained_s:.1f} s; anonymous memory in MiB: {({name: round(value) for name, value in most.items()})}", flush=True)
            self.assertLess(max(most.values()), ANONYMOUS_MIB_MAX)


if __name__ == "__main__":
    harness.main()
