"""An object store that takes so many requests a second and refuses the rest: it is used to that, and no call fails."""

import collections
import errno
import os
import random
import threading
import time

import harness
from s3_ledger import Ledger, LedgerTest
from s3_volume import S3Volume, servers

SEED = int(os.environ.get("WEIR_TEST_SEED", str(random.randrange(1 << 30))))
SECONDS = float(os.environ.get("WEIR_TEST_RATE_SECONDS", "25"))
RATE = int(os.environ.get("WEIR_TEST_RATE", "50"))
# Until the brake has found the rate, which the first refusals tell.
SETTLE_SECONDS = 10
COLD_FILES = 400


def succeeded(counters):
    """Puts and gets that were answered well."""
    return sum(each["puts_done"] for each in counters["objects"].values()) + counters["answers"].get("206", 0)


class Load:
    """Writers, cold readers and one that syncs; each error that a call had is counted."""

    def __init__(self, test, volume, cold):
        self.test, self.volume, self.cold = test, volume, cold
        self.ledger = Ledger(volume, SEED + 1)
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.slowest_s = collections.Counter()
        self.problems = []

    def timed(self, what, call):
        started = time.monotonic()
        try:
            call()
            outcome = what
        except OSError as failure:
            outcome = f"{what} {errno.errorcode[failure.errno]}"
        with self.lock:
            self.counts[outcome] += 1
            self.slowest_s[what] = max(self.slowest_s[what], time.monotonic() - started)

    def write(self, number):
        count = 0
        while not self.stop.is_set():
            self.timed("written", lambda: self.ledger.write(f"{number}-{count}", 20_000))
            count += 1
            self.stop.wait(1.5 / RATE)

    def read(self, number):
        names = sorted(self.cold.digests)[number::3]
        for name in names * 100:
            if self.stop.is_set():
                return
            self.volume.weir("evict", self.volume.path(name), check=False)
            self.timed("read", lambda: self.cold.check(self.test, name))

    def sync(self, number):
        count = 0
        while not self.stop.is_set():
            def write_and_sync():
                descriptor = os.open(self.volume.path(f"synced-{number}-{count}"), os.O_WRONLY | os.O_CREAT)
                try:
                    os.write(descriptor, os.urandom(5000))
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

            self.timed("synced", write_and_sync)
            count += 1

    def run(self, seconds, counters):
        """What the server counted in that time, after it had settled."""
        def work(target, number):
            try:
                target(number)
            except Exception as problem:  # whatever it is, the test shows it
                self.problems.append(f"{target.__name__}: {problem!r}")

        jobs = [(self.write, 0), (self.write, 1), (self.write, 2), (self.read, 0), (self.read, 1), (self.read, 2), (self.sync, 0), (self.sync, 1)]
        threads = [threading.Thread(target=work, args=job) for job in jobs]
        for thread in threads:
            thread.start()
        time.sleep(SETTLE_SECONDS)
        before = counters()
        time.sleep(seconds)
        after = counters()
        self.stop.set()
        return threads, before, after


class S3RateTest(LedgerTest):
    def test_a_mixed_load_above_the_rate_gets_most_of_it_and_no_call_fails(self):
        print(f"seed {SEED}, {SECONDS} s at {RATE} requests/s", flush=True)
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format("--durability", "stored")
            volume.mount()
            cold = Ledger(volume, SEED)
            for number in range(COLD_FILES):
                cold.write(f"cold-{number}", 70_000)
            self.store_all(volume, cold)
            load = Load(self, volume, cold)
            # So many wait already that the store is busy even if this machine is slow to write more.
            server.command("settings", unreachable=True)
            for number in range(int(RATE * (SETTLE_SECONDS + SECONDS))):
                load.ledger.write(f"backlog-{number}", 20_000)
            server.command("rate", requests_per_second=RATE, burst_ms=200)
            server.command("settings", unreachable=False)
            threads, before, after = load.run(SECONDS, server.counters)
            server.command("rate", requests_per_second=0, burst_ms=200)
            for thread in threads:
                thread.join(120)
                self.assertFalse(thread.is_alive(), "a call hangs")
            refused = after["answers"].get("503 SlowDown", 0) - before["answers"].get("503 SlowDown", 0)
            share = (succeeded(after) - succeeded(before)) / (RATE * SECONDS)
            print(f"{succeeded(after) - succeeded(before)} puts and gets done, {share:.2f} of the rate, {refused} refused; calls "
                  f"{dict(load.counts)}, slowest {({name: round(value, 1) for name, value in load.slowest_s.items()})} s", flush=True)
            self.assertEqual(load.problems, [])
            self.assertEqual([name for name in load.counts if " E" in name], [])
            self.assertGreater(min(load.counts[name] for name in ("written", "read", "synced")), 0)
            self.assertGreaterEqual(share, 0.8)
            self.store_all(volume, load.ledger)
            load.ledger.check_all(self)

    def test_uploads_alone_get_most_of_a_low_rate(self):
        # Between two batches of uploads nothing is sent for a moment; the brake alone reaches more (brake_test.cc).
        rate, seconds, least = 5, 30, 0.75
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            volume.mount()
            ledger = Ledger(volume, SEED)
            server.command("rate", requests_per_second=rate, burst_ms=200)
            for number in range(rate * (seconds + SETTLE_SECONDS) * 2):
                ledger.write(f"{number}", 20_000)
            time.sleep(SETTLE_SECONDS)
            before = succeeded(server.counters())
            time.sleep(seconds)
            stored = succeeded(server.counters()) - before
            print(f"{stored} puts done in {seconds} s at {rate}/s", flush=True)
            self.assertGreaterEqual(stored, least * rate * seconds)
            started = time.monotonic()
            volume.weir("umount", volume.mount_point)
            took_s = time.monotonic() - started
            print(f"unmounted in {took_s:.1f} s", flush=True)
            self.assertLess(took_s, 20)
            server.command("rate", requests_per_second=0, burst_ms=200)
            volume.mount()
            self.store_all(volume, ledger)


if __name__ == "__main__":
    harness.main()
