"""The daemon is killed fifty times at random moments under a mixed load: nothing that was closed is lost."""

import hashlib
import os
import random
import subprocess
import sys
import time

from harness import SystemTest, Volume, main

ROUNDS = int(os.environ.get("WEIR_TEST_KILLS", "50"))
WORKERS = 3
EMPTY = hashlib.sha256(b"").hexdigest()

# A worker writes, replaces, renames, changes in place and removes files of its own, and notes on its standard output
# what it began ("?") and what returned ("!"): the content's digest, or "-" for absence.
WORKER = r"""
import hashlib, os, random, sys
top, seed = sys.argv[1], sys.argv[2]
rng = random.Random(seed)
out = os.fdopen(1, "w", buffering=1)
names = [f"{seed.split('.')[0]}-{n}" for n in range(12)]
known = {}
for line in sys.stdin:
    name, digest = line.split()
    known[name] = digest
def note(mark, name, digest):
    out.write(f"{mark} {name} {digest}\n")
def some_bytes():
    size = rng.choice([0, 1, 100, 4096, 5000, 65536, 70000, 300000, 4194304, 4194305, 9000000])
    return rng.randbytes(size)
while True:
    name = rng.choice(names)
    path = os.path.join(top, name)
    action = rng.randrange(6)
    if action == 0 and name in known and known[name] != "-":
        note("?", name, "-")
        os.unlink(path)
        note("!", name, "-")
        known[name] = "-"
    elif action == 1 and known.get(name, "-") != "-" and os.path.getsize(path) > 10:
        with open(path, "rb") as file:
            content = bytearray(file.read())
        at = rng.randrange(len(content) - 8)
        content[at:at + 8] = rng.randbytes(8)
        digest = hashlib.sha256(content).hexdigest()
        note("?", name, digest)
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(content[at:at + 8])
        note("!", name, digest)
        known[name] = digest
    elif action == 2 and known.get(name, "-") != "-":
        content = some_bytes()
        digest = hashlib.sha256(content).hexdigest()
        temporary = path + ".tmp"
        with open(temporary, "wb") as file:
            file.write(content)
        note("?", name, digest)
        os.rename(temporary, path)
        note("!", name, digest)
        known[name] = digest
    else:
        content = some_bytes()
        digest = hashlib.sha256(content).hexdigest()
        note("?", name, digest)
        if os.path.exists(path):
            os.unlink(path)
        with open(path, "wb") as file:
            file.write(content)
            if rng.random() < 0.3:
                file.flush()
                os.fsync(file.fileno())
        note("!", name, digest)
        known[name] = digest
"""


class Ledger:
    """What each file may hold: exactly what returned last, or what was under way when the daemon died."""

    def __init__(self):
        self.sure = {}
        self.under_way = {}

    def read(self, text):
        for line in text.splitlines():
            parts = line.split()
            if len(parts) != 3:
                continue  # cut short by the death of the worker
            mark, name, digest = parts
            if mark == "?":
                self.under_way.setdefault(name, []).append(digest)
            else:
                self.sure[name] = digest
                self.under_way[name] = []

    def settle(self, top, test):
        for name in set(self.sure) | set(self.under_way):
            allowed = {self.sure.get(name, "-")} | set(self.under_way.get(name, []))
            if self.under_way.get(name):
                allowed |= {"-", EMPTY}  # a rewrite passes through absent and empty
            path = os.path.join(top, name)
            found = "-"
            if os.path.exists(path):
                with open(path, "rb") as file:
                    found = hashlib.sha256(file.read()).hexdigest()
            test.assertIn(found, allowed, name)
            self.sure[name] = found
            self.under_way[name] = []


class Kill(SystemTest):
    def test_nothing_that_was_closed_is_lost(self):
        seed = os.environ.get("WEIR_TEST_SEED", str(random.randrange(10**9)))
        print(f"seed {seed}", file=sys.stderr)
        rng = random.Random(seed)
        ledgers = [Ledger() for _ in range(WORKERS)]
        with Volume() as volume:
            for round_number in range(ROUNDS):
                workers = []
                for number, ledger in enumerate(ledgers):
                    worker = subprocess.Popen(
                        [sys.executable, "-c", WORKER, volume.mount, f"{number}.{seed}.{round_number}"],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                    for name, digest in ledger.sure.items():
                        worker.stdin.write(f"{name} {digest}\n")
                    worker.stdin.close()
                    workers.append(worker)
                time.sleep(rng.uniform(0.05, 0.8))
                volume.kill()
                for worker, ledger in zip(workers, ledgers):
                    ledger.read(worker.stdout.read())
                    worker.stdout.close()
                    self.assertNotEqual(worker.wait(timeout=60), 0)
                volume.fsck()
                volume.up()
                for ledger in ledgers:
                    ledger.settle(volume.mount, self)
            volume.weir("sync", volume.mount, "--to", "stored")
            volume.weir("evict", volume.mount)
            for ledger in ledgers:
                ledger.settle(volume.mount, self)
            volume.umount()
            volume.fsck()


if __name__ == "__main__":
    main()
