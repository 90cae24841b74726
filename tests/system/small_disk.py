"""A volume whose cache lies on a disk of 64 MB, and what fills that disk from outside."""

import contextlib
import os
import random
import threading

from harness import Volume, run

DISK_BYTES = 64_000_000
MIB = 1 << 20


def make_disk(root, disk_bytes):
    """A mounted ext4 in a file, at `root`/disk."""
    image = os.path.join(root, "disk.img")
    disk = os.path.join(root, "disk")
    with open(image, "wb") as file:
        file.truncate(disk_bytes)
    run("mkfs.ext4", "-q", "-F", image)
    os.mkdir(disk)
    run("mount", "-o", "loop", image, disk)
    return disk


class SmallDiskVolume(Volume):
    """The cache lies on an ext4 of its own, in a file."""

    def __init__(self, *options):
        super().__init__(*options)
        self.disk = os.path.join(self.root, "disk")
        self.options += ["--cache-dir", os.path.join(self.disk, "cache")]

    def up(self):
        if not os.path.exists(self.disk):
            make_disk(self.root, DISK_BYTES)
        super().up()

    def deaths(self):
        """What supervisors said of daemons that ended without being killed together with them."""
        with open(os.path.join(self.state, "weir.log"), encoding="utf-8") as file:
            return [line for line in file if "; another one goes on" in line or "daemons in a row died" in line]

    def __exit__(self, *_):
        with contextlib.suppress(OSError, ValueError):
            self.kill()
        run("umount", "-l", self.mount, check=False)
        run("umount", "-l", self.disk, check=False)
        super().__exit__()


class Filler:
    """Somebody else on that disk: takes all room that is left for a moment, gives it back, and again."""

    def __init__(self, volume, seed=0, full_s=(0.05, 0.4), free_s=(0.3, 1.0)):
        self.path = os.path.join(volume.disk, "somebody-else")
        self.random = random.Random(seed)
        self.full_s, self.free_s = full_s, free_s
        self.times_full = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def work(self):
        while not self.stop.is_set():
            self.fill()
            self.stop.wait(self.random.uniform(*self.full_s))
            self.free()
            self.stop.wait(self.random.uniform(*self.free_s))

    def fill(self):
        """To the last page; the kernel writes less than asked, then nothing."""
        with open(self.path, "wb", buffering=0) as file:
            piece = bytes(MIB)
            while piece and not self.stop.is_set():
                try:
                    if file.write(piece) != len(piece):
                        piece = piece[: len(piece) // 2]
                except OSError:
                    piece = piece[: len(piece) // 2] if len(piece) > 4096 else b""
            self.times_full += 1

    def free(self):
        os.unlink(self.path)
