#!/usr/bin/env python3
"""Programs that use a volume while its daemon is killed, and check everything they see. Each runs until its standard
input ends, and then prints what it did as JSON. Any call that fails, or answers wrongly, ends it with a traceback.

    supervised_load.py KIND DIRECTORY SEED
"""

import fcntl
import json
import mmap
import os
import random
import select
import sys
import time

SMALL = 64 << 10


class Load:
    def __init__(self, top, seed):
        self.top = top
        self.random = random.Random(seed)
        self.seed = seed.replace(".", "-")
        self.steps = 0
        self.longest_s = 0.0

    def path(self, name):
        return os.path.join(self.top, f"{self.seed}-{name}")

    def run(self):
        self.prepare()
        while not select.select([sys.stdin], [], [], 0)[0]:
            started = time.monotonic()
            self.step()
            self.longest_s = max(self.longest_s, time.monotonic() - started)
            self.steps += 1
        self.finish()
        print(json.dumps({"steps": self.steps, "longest_s": self.longest_s}))

    def prepare(self):
        pass

    def finish(self):
        pass

    def check(self, found, wanted, what):
        if found != wanted:
            where = next((i for i, (a, b) in enumerate(zip(found, wanted)) if a != b), min(len(found), len(wanted)))
            raise AssertionError(f"{what}: {len(found)} bytes for {len(wanted)}, different from byte {where} on")

    def some_bytes(self, largest=9 << 20):
        sizes = [0, 1, 100, 4096, 5000, SMALL, SMALL + 1, 300_000, 4 << 20, (4 << 20) + 1, largest]
        return self.random.randbytes(self.random.choice([size for size in sizes if size <= largest]))


def read_anew(fd, size):
    """What the daemon has, not what the kernel kept."""
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    pieces = []
    while piece := os.pread(fd, 1 << 20, sum(map(len, pieces))):
        pieces.append(piece)
    return b"".join(pieces)[:size + 1]


class Files(Load):
    """Writes, replaces, renames, changes in place and removes closed files; knows what each must hold."""

    def prepare(self):
        self.known = {}

    def read(self, name):
        with open(self.path(name), "rb", buffering=0) as file:
            return read_anew(file.fileno(), len(self.known[name]))

    def step(self):
        name = f"f{self.random.randrange(10)}"
        path = self.path(name)
        action = self.random.randrange(7)
        if name not in self.known or action == 0:
            content = self.some_bytes()
            with open(path, "wb") as file:
                file.write(content)
                if self.random.random() < 0.3:
                    file.flush()
                    os.fsync(file.fileno())
            self.known[name] = content
        elif action == 1:
            os.unlink(path)
            del self.known[name]
            if os.path.exists(path):
                raise AssertionError(f"{path} is there again")
        elif action == 2 and self.known[name]:
            content = bytearray(self.known[name])
            at = self.random.randrange(len(content))
            piece = self.random.randbytes(self.random.choice([1, 100, 5000]))
            content[at:at + len(piece)] = piece
            with open(path, "r+b") as file:
                file.seek(at)
                file.write(piece)
            self.known[name] = bytes(content)
        elif action == 3:
            content = self.some_bytes()
            with open(path + ".tmp", "wb") as file:
                file.write(content)
            os.rename(path + ".tmp", path)
            self.known[name] = content
        elif action == 4:
            size = self.random.choice([0, 10, SMALL, len(self.known[name]) // 2, len(self.known[name]) + 100_000])
            os.truncate(path, size)
            self.known[name] = self.known[name][:size].ljust(size, b"\0")
        elif action == 5:
            other = f"f{self.random.randrange(10)}"
            if other not in self.known and other != name:
                os.link(path, self.path(other))
                os.unlink(path)
                self.known[other] = self.known.pop(name)
                name = other
        if name in self.known:
            self.check(self.read(name), self.known[name], name)
            if os.stat(self.path(name)).st_size != len(self.known[name]):
                raise AssertionError(f"size of {name}")

    def finish(self):
        for name, content in self.known.items():
            self.check(self.read(name), content, name)


class OpenFiles(Load):
    """Goes on writing to files that it does not close, some of them without a name."""

    LARGEST = 10 << 20

    def prepare(self):
        self.files = {}

    def open(self, number):
        path = self.path(f"open{number}")
        if self.random.random() < 0.2:
            fd = os.open(self.top, os.O_TMPFILE | os.O_RDWR, 0o600)
        else:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        if self.random.random() < 0.3 and os.path.exists(path):
            os.unlink(path)
        self.files[number] = [fd, bytearray()]

    def step(self):
        number = self.random.randrange(8)
        if number not in self.files:
            self.open(number)
        fd, content = self.files[number]
        action = self.random.randrange(20)
        if action < 10:
            at = self.random.choice([len(content), self.random.randrange(len(content) + 1)])
            piece = self.random.randbytes(self.random.choice([1, 50, 4096, 30_000, 200_000, 1 << 20]))
            if at + len(piece) > self.LARGEST:
                return
            if os.pwrite(fd, piece, at) != len(piece):
                raise AssertionError("a short write")
            content[at:at + len(piece)] = piece
        elif action == 10:
            size = self.random.choice([0, len(content) // 2, len(content) + 10_000, 70_000])
            os.ftruncate(fd, size)
            del content[size:]
            content.extend(bytes(size - len(content)))
        elif action == 11:
            os.fsync(fd)
        elif action == 12:
            os.close(fd)
            del self.files[number]
            return
        elif action == 13 and len(content) > 5 << 20:
            at = self.random.randrange(len(content))
            fallocate_punch(fd, at, min(5 << 20, len(content) - at))
            end = min(len(content), at + (5 << 20))
            content[at:end] = bytes(end - at)
        if os.fstat(fd).st_size != len(content):
            raise AssertionError(f"open{number} has {os.fstat(fd).st_size} bytes, not {len(content)}")
        if self.random.random() < 0.3:
            self.check(read_anew(fd, len(content)), bytes(content), f"open{number}")

    def finish(self):
        for number, (fd, content) in self.files.items():
            self.check(read_anew(fd, len(content)), bytes(content), f"open{number}")
            os.close(fd)


def fallocate_punch(fd, offset, length):
    import ctypes  # pylint: disable=import-outside-toplevel
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if libc.fallocate(fd, 3, offset, length) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")


class Locks(Load):
    """Several of these raise one counter, each under a lock: none of their steps may be lost."""

    def prepare(self):
        self.counter = os.path.join(self.top, "counter")
        self.fd = os.open(self.counter, os.O_RDWR | os.O_CREAT, 0o600)

    def step(self):
        flock = self.steps % 2 == 0
        if flock:
            # Always both, in one order: the two kinds do not know of each other.
            fcntl.flock(self.fd, fcntl.LOCK_EX)
        fcntl.lockf(self.fd, fcntl.LOCK_EX, 10, 0)
        try:
            text = os.pread(self.fd, 20, 0)
            value = int(text or b"0")
            time.sleep(self.random.uniform(0, 0.004))
            os.pwrite(self.fd, b"%019d\n" % (value + 1), 0)
        finally:
            fcntl.lockf(self.fd, fcntl.LOCK_UN, 10, 0)
            if flock:
                fcntl.flock(self.fd, fcntl.LOCK_UN)
        time.sleep(self.random.uniform(0, 0.01))

    def finish(self):
        os.close(self.fd)


class Listing(Load):
    """Lists a directory in which other names come and go: those that stay are seen once each."""

    def prepare(self):
        self.directory = self.path("list")
        os.mkdir(self.directory)
        self.stay = {f"stays-{n:04}" for n in range(600)}
        for name in self.stay:
            os.close(os.open(os.path.join(self.directory, name), os.O_CREAT | os.O_WRONLY))
        self.passing = set()

    def step(self):
        name = f"passes-{self.random.randrange(50)}"
        path = os.path.join(self.directory, name)
        if name in self.passing:
            os.rmdir(path)
            self.passing.remove(name)
        else:
            os.mkdir(path)
            os.setxattr(path, "user.kind", b"passing")
            if os.getxattr(path, "user.kind") != b"passing":
                raise AssertionError("a lost attribute")
            self.passing.add(name)
        seen = []
        with os.scandir(self.directory) as entries:
            for entry in entries:
                seen.append(entry.name)
        if sorted(seen) != sorted(self.stay | self.passing):
            raise AssertionError(f"{len(seen)} names for {len(self.stay) + len(self.passing)}: "
                                 f"{sorted(set(seen) ^ (self.stay | self.passing))[:5]}")


class Maps(Load):
    """Reads and writes through mappings."""

    SIZE = 6 << 20

    def prepare(self):
        self.content = bytearray(self.random.randbytes(self.SIZE))
        with open(self.path("map"), "wb") as file:
            file.write(self.content)
        self.fd = os.open(self.path("map"), os.O_RDWR)
        self.map = mmap.mmap(self.fd, self.SIZE)

    def step(self):
        if self.random.random() < 0.3:
            at = self.random.randrange(self.SIZE - 5000)
            piece = self.random.randbytes(5000)
            self.map[at:at + 5000] = piece
            self.content[at:at + 5000] = piece
            self.map.flush()
        else:
            os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_DONTNEED)
        for _ in range(20):
            at = self.random.randrange(self.SIZE - 100)
            self.check(self.map[at:at + 100], bytes(self.content[at:at + 100]), f"mapping at {at}")

    def finish(self):
        self.map.flush()
        self.map.close()
        self.check(read_anew(self.fd, self.SIZE), bytes(self.content), "mapped file")
        os.close(self.fd)


class Beside(Load):
    """Reads and maps a complete file, whose image the kernel may read by itself, while others change it."""

    SIZE = 5 << 20

    def prepare(self):
        self.renew()

    def renew(self):
        self.content = bytearray(self.random.randbytes(self.SIZE))
        with open(self.path("beside"), "wb") as file:
            file.write(self.content)
        self.reader = os.open(self.path("beside"), os.O_RDONLY)
        self.map = mmap.mmap(self.reader, self.SIZE, prot=mmap.PROT_READ)

    def close(self):
        self.map.close()
        os.close(self.reader)

    def step(self):
        action = self.random.randrange(10)
        if action == 0:
            self.close()
            self.renew()
        elif action < 5:
            writer = os.open(self.path("beside"), self.random.choice([os.O_WRONLY, os.O_RDWR]))
            for _ in range(self.random.randrange(1, 4)):
                at = self.random.randrange(self.SIZE - 70_000)
                piece = self.random.randbytes(self.random.choice([1, 5000, 70_000]))
                os.pwrite(writer, piece, at)
                self.content[at:at + len(piece)] = piece
                self.check(os.pread(self.reader, len(piece), at), piece, "what was just written")
            os.close(writer)
        for _ in range(10):
            at = self.random.randrange(self.SIZE - 100)
            self.check(os.pread(self.reader, 100, at), bytes(self.content[at:at + 100]), f"read at {at}")
            self.check(self.map[at:at + 100], bytes(self.content[at:at + 100]), f"mapping at {at}")

    def finish(self):
        self.close()
        with open(self.path("beside"), "rb", buffering=0) as file:
            self.check(read_anew(file.fileno(), self.SIZE), bytes(self.content), "file")


class Pulse(Load):
    """One call a step, so that the longest step is the longest that a program waits."""

    def prepare(self):
        self.fd = os.open(self.path("pulse"), os.O_RDWR | os.O_CREAT)

    def step(self):
        action = self.steps % 3
        if action == 0:
            if os.path.lexists(self.path(f"absent{self.steps}")):
                raise AssertionError("a name that nobody made")
        elif action == 1:
            os.pwrite(self.fd, b"x", self.steps % 1000)
        else:
            os.setxattr(self.fd, "user.pulse", str(self.steps).encode())


KINDS = {"files": Files, "open": OpenFiles, "locks": Locks, "listing": Listing, "maps": Maps, "beside": Beside,
         "pulse": Pulse}

if __name__ == "__main__":
    KINDS[sys.argv[1]](sys.argv[2], sys.argv[3]).run()
