#!/usr/bin/env python3
"""A worker that writes, replaces, renames, changes in place and removes files of its own until its mount dies. It is told
on standard input what its files hold, and notes on standard output, a mark, a name and a content's digest ("-": absence):

    ?        it began to give the file this content
    !        the file has this content
    partial  the disk was full: the file has some of it, until the next "!"
    wrong    the file has this content, and must not

    kill_worker.py DIRECTORY NUMBER.SEED
"""

import errno
import hashlib
import os
import random
import sys

SIZES = [0, 1, 100, 4096, 5000, 65536, 70000, 300000, 4194304, 4194305, 9000000]
MOUNT_IS_GONE = (errno.ENOTCONN, errno.ECONNABORTED)


def digest_of(content):
    return hashlib.sha256(content).hexdigest()


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Worker:
    def __init__(self, top, seed, known):
        self.random = random.Random(seed)
        self.out = os.fdopen(1, "w", buffering=1)
        self.top = top
        self.names = [f"{seed.split('.')[0]}-{number}" for number in range(12)]
        self.known = known
        self.doubt = {}  # contents of a file since the last close() of it that was not refused

    def note(self, mark, name, digest):
        self.out.write(f"{mark} {name} {digest}\n")

    def done(self, name, digest):
        self.note("!", name, digest)
        self.known[name] = digest
        self.doubt.pop(name, None)

    def write(self, path, pieces, flags, name, sync=False):
        """(offset, bytes) each. What is refused is noted before the file is closed, which publishes what there is."""
        descriptor = os.open(path, flags, 0o644)
        try:
            for offset, piece in pieces:
                while piece:
                    count = os.pwrite(descriptor, piece, offset)
                    offset, piece = offset + count, piece[count:]
            if sync:
                os.fsync(descriptor)
        except OSError as problem:
            if problem.errno == errno.ENOSPC and name:
                self.note("partial", name, "-")
            raise
        finally:
            os.close(descriptor)

    def some_bytes(self):
        return self.random.randbytes(self.random.choice(SIZES))

    def remove(self, name, path):
        self.note("?", name, "-")
        os.unlink(path)
        self.done(name, "-")

    def change(self, name, path):
        content = bytearray(read(path))
        place = self.random.randrange(len(content) - 8)
        content[place:place + 8] = self.random.randbytes(8)
        digest = digest_of(content)
        self.note("?", name, digest)
        try:
            self.write(path, [(place, content[place:place + 8])], os.O_RDWR, None)
        except OSError as problem:
            self.survive(problem, name, path, digest)
        else:
            self.done(name, digest)

    def replace(self, name, path):
        content = self.some_bytes()
        digest = digest_of(content)
        try:
            self.write(path + ".tmp", [(0, content)], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, None)
        except OSError as problem:
            self.survive(problem, name, path, self.known[name])
            os.unlink(path + ".tmp")
            return
        self.note("?", name, digest)
        os.rename(path + ".tmp", path)
        self.done(name, digest)

    def rewrite(self, name, path):
        content = self.some_bytes()
        self.note("?", name, digest_of(content))
        if os.path.exists(path):
            os.unlink(path)
        try:
            self.write(path, [(0, content)], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, name, self.random.random() < 0.3)
        except OSError as problem:
            if problem.errno != errno.ENOSPC:
                raise
            self.note("partial", name, "-")
            self.remove(name, path)
        else:
            self.done(name, digest_of(content))

    def survive(self, problem, name, path, digest):
        """There was no room: the file has what it had, or what it was to get. Since close() was refused, nothing is promised
        of which: what it was to get is published when there is room, or goes with daemon and supervisor."""
        if problem.errno != errno.ENOSPC:
            raise problem
        found = digest_of(read(path))
        if found not in (self.known[name], digest):
            self.note("wrong", name, found)
        doubt = self.doubt.get(name, set()) | {self.known[name], digest}
        self.note("full", name, found)
        self.done(name, found)
        self.doubt[name] = doubt
        for content in sorted(doubt):
            self.note("or", name, content)

    def step(self):
        name = self.random.choice(self.names)
        path = os.path.join(self.top, name)
        action = self.random.randrange(6)
        if self.known.get(name, "-") == "-" or action > 2:
            self.rewrite(name, path)
        elif action == 0:
            self.remove(name, path)
        elif action == 1 and os.path.getsize(path) > 10:
            self.change(name, path)
        else:
            self.replace(name, path)


def main():
    worker = Worker(sys.argv[1], sys.argv[2], dict(line.split() for line in sys.stdin))
    try:
        while True:
            worker.step()
    except OSError as problem:
        if problem.errno in MOUNT_IS_GONE:
            sys.exit(1)
        raise


if __name__ == "__main__":
    main()
