"""What was written to a volume over S3, and what must be there in the end."""

import hashlib
import os
import random
import shutil
import threading
import time

import harness


class Ledger:
    """Files that were closed, and what they contain."""

    def __init__(self, volume, seed):
        self.volume = volume
        self.random = random.Random(seed)
        self.digests = {}
        self.lock = threading.Lock()

    def write(self, name, size):
        content = self.random.randbytes(size)
        with open(self.volume.path(name), "wb") as file:
            file.write(content)
        with self.lock:
            self.digests[name] = hashlib.sha256(content).hexdigest()

    def some(self, chance):
        with self.lock:
            return chance.choice(sorted(self.digests)) if self.digests else None

    def check(self, test, name):
        started = time.monotonic()
        test.assertEqual(harness.sha256_of(self.volume.path(name)), self.digests[name], name)
        return time.monotonic() - started

    def check_all(self, test):
        for name in sorted(self.digests):
            self.check(test, name)


class LedgerTest(harness.SystemTest):
    def store_all(self, volume, ledger):
        volume.weir("sync", volume.mount_point, "--to", "stored")
        for name in ledger.digests:
            self.assertEqual(os.getxattr(volume.path(name), "user.weir.state"), b"stored", name)

    def on_a_machine_that_has_nothing(self, volume, ledger):
        volume.weir("umount", volume.mount_point)
        shutil.rmtree(volume.cache)
        volume.mount()
        ledger.check_all(self)
        volume.weir("fsck", "--deep", volume.mount_point)
