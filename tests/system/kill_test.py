"""The daemon and its supervisor are killed again and again at random moments under a mixed load, also while the cache's
disk is full: nothing that was closed is lost."""

import hashlib
import os
import random
import subprocess
import sys
import time

from harness import SystemTest, Volume, main
from small_disk import Filler, SmallDiskVolume

ROUNDS = int(os.environ.get("WEIR_TEST_KILLS", "50"))
ROUNDS_ON_FULL_DISK = max(1, ROUNDS // 3)
WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kill_worker.py")
WORKERS = 3
EMPTY = hashlib.sha256(b"").hexdigest()

class Ledger:
    """What each file may hold: exactly what returned last, or what was under way when the daemon died."""

    def __init__(self):
        self.sure = {}
        self.under_way = {}
        self.partial = set()
        self.other = {}  # since close() was refused: what the file was to get, or had
        self.refused = 0

    def read(self, text, test):
        for line in text.splitlines():
            parts = line.split()
            if len(parts) != 3:
                continue  # cut short by the death of the worker
            mark, name, digest = parts
            test.assertNotEqual(mark, "wrong", f"{name} has neither its old nor its new bytes")
            if mark == "?":
                self.under_way.setdefault(name, []).append(digest)
            elif mark == "partial":
                self.partial.add(name)
                self.refused += 1
            elif mark == "full":
                self.refused += 1
            elif mark == "or":
                self.other.setdefault(name, set()).add(digest)
            else:
                self.sure[name] = digest
                self.under_way[name] = []
                self.partial.discard(name)
                self.other.pop(name, None)

    def settle(self, top, test):
        for name in set(self.sure) | set(self.under_way):
            allowed = {self.sure.get(name, "-")} | self.other.get(name, set()) | set(self.under_way.get(name, []))
            if self.under_way.get(name):
                allowed |= {"-", EMPTY}  # a rewrite passes through absent and empty
            path = os.path.join(top, name)
            found = "-"
            if os.path.exists(path):
                with open(path, "rb") as file:
                    found = hashlib.sha256(file.read()).hexdigest()
            if name not in self.partial:
                test.assertIn(found, allowed, name)
            self.sure[name] = found
            self.under_way[name] = []
        self.partial.clear()
        self.other.clear()


class Kill(SystemTest):
    def setUp(self):
        self.seed = os.environ.get("WEIR_TEST_SEED", str(random.randrange(10**9)))
        print(f"seed {self.seed}", file=sys.stderr)
        self.random = random.Random(self.seed)
        self.ledgers = [Ledger() for _ in range(WORKERS)]

    def start(self, volume, name):
        workers = []
        for number, ledger in enumerate(self.ledgers):
            worker = subprocess.Popen([sys.executable, WORKER, volume.mount, f"{number}.{self.seed}.{name}"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            worker.stdin.write("".join(f"{name} {digest}\n" for name, digest in ledger.sure.items()))
            worker.stdin.close()
            workers.append(worker)
        return workers

    def end(self, workers):
        for worker, ledger in zip(workers, self.ledgers):
            ledger.read(worker.stdout.read(), self)
            said = worker.stderr.read()
            worker.stdout.close()
            worker.stderr.close()
            self.assertEqual((worker.wait(timeout=60), said), (1, ""), "a call failed before the mount died")

    def settle(self, volume):
        for ledger in self.ledgers:
            ledger.settle(volume.mount, self)

    def settle_without_the_cache(self, volume):
        volume.weir("sync", volume.mount, "--to", "stored")
        volume.weir("evict", volume.mount)
        self.settle(volume)
        volume.umount()
        volume.fsck()

    def test_nothing_that_was_closed_is_lost(self):
        with Volume() as volume:
            for number in range(ROUNDS):
                workers = self.start(volume, number)
                time.sleep(self.random.uniform(0.05, 0.8))
                volume.kill()
                self.end(workers)
                volume.fsck()
                volume.up()
                self.settle(volume)
            self.settle_without_the_cache(volume)

    def test_nothing_that_was_closed_is_lost_while_the_disk_is_full(self):
        with SmallDiskVolume() as volume:
            for number in range(ROUNDS_ON_FULL_DISK):
                with Filler(volume, seed=number):
                    workers = self.start(volume, number)
                    time.sleep(self.random.uniform(0.3, 2.5))
                    volume.kill()
                self.end(workers)
                volume.fsck()
                volume.up()
                self.settle(volume)
            self.assertGreater(sum(ledger.refused for ledger in self.ledgers), 0, "the disk was never full")
            self.assertEqual(volume.deaths(), [], "the daemon ended by itself")
            self.settle_without_the_cache(volume)


if __name__ == "__main__":
    main()
