"""An object store that is away for long under a load, until the cache is full: what is cached is read, nothing is lost."""

import collections
import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time

import harness
from s3_ledger import Ledger, LedgerTest
from s3_volume import S3Volume, servers

SEED = int(os.environ.get("WEIR_TEST_SEED", str(random.randrange(1 << 30))))
OUTAGE_SECONDS = float(os.environ.get("WEIR_TEST_OUTAGE_SECONDS", "20"))
MIB = 1 << 20
DISK_BYTES = 160 * MIB
# A request that gets no answer stalls for 15 s; those that are to be tried again wait for three.
UNMOUNT_SECONDS_MAX = 30
WAIT_DISK_BYTES = 96 * MIB
FILES_OF_WAITING_WRITER = 45  # 105 MiB: more than the disk has, so that none is done when the cache is full
# Of the outage: then the cache is full, if everything is written.
FULL_AFTER = 0.4
SIZES = (300, 20_000, 200_000, MIB, 5 * MIB)


class Load:
    """Writers that stop at nothing, and readers of what is in the cache; what they saw."""

    def __init__(self, test, volume, ledger, seconds):
        self.test, self.volume, self.ledger, self.seconds = test, volume, ledger, seconds
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.problems = []
        self.slowest_s = 0.0
        self.first_full_s = None
        self.begun = time.monotonic()

    def now(self):
        return time.monotonic() - self.begun

    def write_one(self, name, size):
        try:
            self.ledger.write(name, size)
        except OSError as failure:
            with self.lock:
                self.counts[errno.errorcode[failure.errno]] += 1
                if self.first_full_s is None:
                    self.first_full_s = self.now()
            # What was refused is gone: its name promises nothing.
            if os.path.lexists(self.volume.path(name)):
                os.unlink(self.volume.path(name))
            return
        with self.lock:
            self.counts["written"] += 1
            self.counts["written_bytes"] += size

    def write(self, number):
        """So fast that all writers together fill the disk in time, and no faster."""
        bytes_per_second = DISK_BYTES / (self.seconds * FULL_AFTER) / 2
        chance, count, written, started = random.Random(SEED + number), 0, 0, self.now()
        while self.now() < self.seconds:
            size = chance.choice(SIZES)
            self.write_one(f"during-{number}-{count}", size)
            count, written = count + 1, written + size
            # What a write took itself is part of its time: on a slow machine there would be too few of them else.
            time.sleep(max(0.05, min(started + written / bytes_per_second - self.now(), 2.0)))

    def read(self, number, kept):
        chance = random.Random(SEED - number)
        while self.now() < self.seconds:
            name, started = self.ledger.some(chance), time.monotonic()
            if name is not None:
                self.ledger.check(self.test, name)
            descriptor, expected = kept
            if os.pread(descriptor, len(expected), 0) != expected:
                raise AssertionError("a file that was open all the time has other bytes")
            with self.lock:
                self.slowest_s = max(self.slowest_s, time.monotonic() - started)
                self.counts["read"] += 1
            time.sleep(0.05)

    def run(self, kept):
        def work(target, *arguments):
            try:
                target(*arguments)
            except Exception as problem:  # whatever it is, the test shows it
                self.problems.append(f"{target.__name__}: {problem!r}")

        threads = [threading.Thread(target=work, args=(self.write, number)) for number in (1, 2)]
        threads += [threading.Thread(target=work, args=(self.read, number, kept)) for number in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(self.seconds + 120)
            self.test.assertFalse(thread.is_alive(), "a call hangs")


class S3OutageTest(LedgerTest):
    def test_out_of_reach_until_the_cache_is_full_and_back_again(self):
        print(f"seed {SEED}, {OUTAGE_SECONDS} s", flush=True)
        with servers.FaultServer() as server, S3Volume(server, DISK_BYTES) as volume:
            volume.format()
            volume.mount()
            kept = Ledger(volume, SEED)
            kept.write("before", 3 * MIB)
            self.store_all(volume, kept)
            descriptor = os.open(volume.path("before"), os.O_RDONLY)
            expected = os.pread(descriptor, 3 * MIB, 0)
            server.command("settings", unreachable=True)
            ledger = Ledger(volume, SEED + 1)
            load = Load(self, volume, ledger, OUTAGE_SECONDS)
            load.run((descriptor, expected))
            os.close(descriptor)
            status = volume.status()
            print(f"{dict(load.counts)}; the cache was full after {load.first_full_s or -1:.0f} s; slowest read {load.slowest_s:.2f} s; "
                  f"{status['upload']['backlog_bytes']} bytes of {status['upload']['backlog_contents']} contents wait, the oldest for "
                  f"{status['upload']['oldest_age_ms'] / 1000:.0f} s; {status['upload']['errors']} upload errors, the last: "
                  f"{status['upload']['last_error']}", flush=True)
            self.assertEqual(load.problems, [])
            self.assertGreater(load.counts["ENOSPC"], 0, "the cache did not run full")
            self.assertEqual({name for name in load.counts if name.startswith("E")}, {"ENOSPC"})
            self.assertLess(load.slowest_s, 5)
            self.assertGreater(status["upload"]["backlog_bytes"], DISK_BYTES / 3)
            server.command("settings", unreachable=False)
            started = time.monotonic()
            self.store_all(volume, ledger)
            print(f"stored {time.monotonic() - started:.1f} s after the store was back", flush=True)
            ledger.digests.update(kept.digests)
            ledger.write("after", 20 * MIB)
            self.store_all(volume, ledger)
            self.on_a_machine_that_has_nothing(volume, ledger)

    def test_a_cold_read_ends_soon_after_its_time_is_over(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            volume.mount("--read-timeout", "5s")
            ledger = Ledger(volume, SEED)
            ledger.write("file", 200_000)
            self.store_all(volume, ledger)
            volume.weir("evict", volume.path("file"))
            server.command("settings", unreachable=True)
            started = time.monotonic()
            with self.assertRaises(OSError) as failure:
                harness.sha256_of(volume.path("file"))
            took_s = time.monotonic() - started
            print(f"failed after {took_s:.1f} s with {errno.errorcode[failure.exception.errno]}", flush=True)
            self.assertEqual(failure.exception.errno, errno.EIO)
            # A request under way is given up after 15 s without an answer, and the kernel asks a second time for a page that
            # it did not get.
            self.assertLess(took_s, 2 * (5 + 15))
            server.command("settings", unreachable=False)
            ledger.check_all(self)

    def test_an_unmount_waits_for_requests_under_way_and_no_longer(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            volume.mount()
            server.command("settings", unreachable=True)
            ledger = Ledger(volume, SEED)
            for number in range(50):
                ledger.write(str(number), 20_000)
            time.sleep(2)
            started = time.monotonic()
            said = volume.weir("umount", volume.mount_point).stdout
            took_s = time.monotonic() - started
            print(f"unmounted in {took_s:.1f} s", flush=True)
            self.assertLess(took_s, UNMOUNT_SECONDS_MAX)
            self.assertIn("are not in the object store yet", said)
            server.command("settings", unreachable=False)
            volume.mount()
            self.store_all(volume, ledger)

    def test_writers_wait_for_room_where_the_mount_says_so(self):
        with servers.FaultServer() as server, S3Volume(server, WAIT_DISK_BYTES) as volume:
            volume.format()
            volume.mount("--when-full", "wait")
            server.command("settings", unreachable=True)
            ledger = Ledger(volume, SEED)
            problems, progress = [], [0, 0, 0]

            def write(number):
                try:
                    for count in range(FILES_OF_WAITING_WRITER):
                        ledger.write(f"waits-{number}-{count}", (30_000, 5 * MIB, 2 * MIB)[count % 3])
                        progress[number] = count + 1
                except OSError as problem:
                    problems.append(problem)

            writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
            for writer in writers:
                writer.start()
            before = None
            while before != progress:  # until nobody gets on
                before = list(progress)
                time.sleep(4)
            self.assertTrue(all(writer.is_alive() for writer in writers), f"{problems} {progress}")
            # Meanwhile what needs no room in the cache goes on, and what is there is read.
            with open(volume.path("inline"), "wb") as file:
                file.write(b"a few bytes")
            started = time.monotonic()
            ledger.check_all(self)
            self.assertLess(time.monotonic() - started, 10)
            # A signal ends the wait.
            program = "import os, sys; f = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT); os.write(f, bytes(1 << 20)); os.write(f, b'x' * (8 << 20))"
            killed = subprocess.Popen([sys.executable, "-c", program, volume.path("killed")])
            time.sleep(2)
            self.assertIsNone(killed.poll(), "a writer went on although the cache is full")
            killed.send_signal(signal.SIGTERM)
            self.assertEqual(killed.wait(10), -signal.SIGTERM)
            server.command("settings", unreachable=False)
            for writer in writers:
                writer.join(120)
                self.assertFalse(writer.is_alive(), "a writer goes on waiting although there is room")
            print(f"{before} of {FILES_OF_WAITING_WRITER} files each were written before all waited, then all", flush=True)
            self.assertEqual(problems, [])
            self.assertEqual(progress, 3 * [FILES_OF_WAITING_WRITER])
            os.unlink(volume.path("killed"))
            self.store_all(volume, ledger)
            self.on_a_machine_that_has_nothing(volume, ledger)


if __name__ == "__main__":
    harness.main()
