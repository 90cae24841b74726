"""What fsync and O_SYNC promise: as much as the volume, or its mount, was told."""

import os
import shutil
import signal
import subprocess
import sys
import time

from harness import WEIR, SystemTest, Volume, main, run, wait_until_gone

STATE = "user.weir.state"


def write(path, content, flags=0):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o644)
    os.write(descriptor, content)
    return descriptor


class Durability(SystemTest):
    def mount(self, volume, *options):
        run(WEIR, "mount", os.path.join(volume.root, "meta"), volume.mount, "--cache-dir",
            os.path.join(volume.root, "cache"), *options, timeout=60)

    def format(self, volume, *options):
        self.store = os.path.join(volume.root, "store")
        run(WEIR, "format", os.path.join(volume.root, "meta"), "--store", self.store, *options)

    def kill(self, volume):
        """Nobody waits for an upload at a kilobyte a second."""
        status = volume.json("status", volume.mount)
        os.kill(status["pid"], signal.SIGSTOP)  # it would start another supervisor
        os.kill(status["supervisor"], signal.SIGKILL)
        os.kill(status["pid"], signal.SIGKILL)
        wait_until_gone(status["pid"])
        run("umount", "-l", volume.mount, check=False)

    def unmount(self, volume):
        run(WEIR, "umount", volume.mount, timeout=120)

    def state(self, path):
        return os.getxattr(path, STATE).decode()

    def test_fsync_waits_for_the_object_store_where_the_volume_says_so(self):
        volume = Volume()
        self.addCleanup(shutil.rmtree, volume.root, ignore_errors=True)
        self.format(volume, "--durability", "stored")
        self.mount(volume)
        try:
            for name, flags in (("fsync", 0), ("sync", os.O_SYNC), ("direct", os.O_DSYNC)):
                path = os.path.join(volume.mount, name)
                descriptor = write(path, os.urandom(5 << 20), flags)
                if flags == 0:
                    os.fsync(descriptor)
                self.assertEqual(self.state(path), "stored", name)
                os.close(descriptor)
                self.assertEqual(self.state(path), "stored", name)
        finally:
            self.unmount(volume)

    def test_a_mount_may_choose_otherwise(self):
        volume = Volume()
        self.addCleanup(shutil.rmtree, volume.root, ignore_errors=True)
        self.format(volume, "--durability", "stored")
        self.mount(volume, "--durability", "local", "--upload-limit", "1KiB")
        try:
            path = os.path.join(volume.mount, "file")
            first = write(path + "0", os.urandom(1 << 20))  # keeps the upload busy
            os.close(first)
            time.sleep(0.5)
            descriptor = write(path, os.urandom(1 << 20))
            started = time.monotonic()
            os.fsync(descriptor)
            os.close(descriptor)
            self.assertLess(time.monotonic() - started, 30)
            self.assertEqual(self.state(path), "local")
            status = volume.json("status", volume.mount)
            self.assertEqual((status["durability"], status["volume"]["durability"]), ("local", "stored"))
        finally:
            self.kill(volume)

    def test_a_program_that_waits_for_the_store_can_be_interrupted(self):
        volume = Volume()
        self.addCleanup(shutil.rmtree, volume.root, ignore_errors=True)
        self.format(volume)
        self.mount(volume, "--durability", "stored")
        away = self.store + ".away"
        try:
            os.rename(self.store, away)
            path = os.path.join(volume.mount, "file")
            program = "import os, sys; f = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT); os.write(f, b'x' * 100000); os.fsync(f)"
            waiting = subprocess.Popen([sys.executable, "-c", program, path])
            time.sleep(1.5)
            self.assertIsNone(waiting.poll(), "fsync returned although the store is away")
            # Others go on meanwhile.
            with open(os.path.join(volume.mount, "other"), "wb") as other:
                other.write(b"y" * 100_000)
            with open(os.path.join(volume.mount, "other"), "rb") as other:
                self.assertEqual(other.read(), b"y" * 100_000)
            waiting.send_signal(signal.SIGTERM)
            self.assertEqual(waiting.wait(10), -signal.SIGTERM)
            os.rename(away, self.store)
            volume.weir("sync", volume.mount, "--to", "stored", timeout=120)
            self.assertEqual(self.state(path), "stored")
        finally:
            if os.path.exists(away):
                os.rename(away, self.store)
            self.unmount(volume)


if __name__ == "__main__":
    main()
