"""A cache on a disk of 64 MB that runs full under load: writers get ENOSPC, readers go on, nothing is lost."""

import errno
import hashlib
import os
import threading
import time

from harness import SystemTest, main, sha256_of
from small_disk import Filler, SmallDiskVolume

SECONDS = float(os.environ.get("WEIR_TEST_STRESS_SECONDS", "20")) / 2
MIB = 1 << 20
WRITERS = 3
# The largest together are more than the disk has, each alone is less.
WRITER_MIB = (2, 9, 36)
KEPT = 3


class Load:
    """Writers and readers; what they saw."""

    def __init__(self, top):
        self.top = top
        self.stop = threading.Event()
        self.refused = 0
        self.reads = 0
        self.problems = []
        self.written = {}
        self.lock = threading.Lock()

    def write_one(self, path, mib):
        """The digest of what was written; None: the disk was full."""
        digest = hashlib.sha256()
        try:
            with open(path, "wb", buffering=0) as file:
                for _ in range(mib):
                    piece = os.urandom(MIB)
                    count = file.write(piece)
                    digest.update(piece[:count])
                    if count != len(piece):
                        raise OSError(errno.ENOSPC, "a short write")
        except OSError as problem:
            if problem.errno != errno.ENOSPC:
                raise
            os.unlink(path)
            return None
        return digest.hexdigest()

    def write(self, number):
        mine = []
        count = 0
        while not self.stop.is_set():
            count += 1
            path = os.path.join(self.top, f"written-{number}-{count}")
            digest = self.write_one(path, WRITER_MIB[count % len(WRITER_MIB)])
            with self.lock:
                if digest is None:
                    self.refused += 1
                    continue
                self.written[path] = digest
            mine.append(path)
            if len(mine) > KEPT:
                with self.lock:
                    del self.written[mine[0]]
                os.unlink(mine.pop(0))

    def read(self, known):
        while not self.stop.is_set():
            for path, digest in known.items():
                if sha256_of(path) != digest:
                    self.problems.append(f"{path} has other bytes than were written")
                self.reads += 1

    def run(self, target, *arguments):
        def work():
            try:
                target(*arguments)
            except Exception as problem:  # pylint: disable=broad-except
                self.problems.append(f"{target.__name__}: {problem!r}")

        thread = threading.Thread(target=work)
        thread.start()
        return thread


class FullCacheDisk(SystemTest):
    def write_known(self, top):
        """More than the cache holds besides, so that reading goes to the object store too."""
        known = {}
        for number in range(24):
            path = os.path.join(top, f"known-{number}")
            content = os.urandom(MIB if number % 2 else 50_000)
            with open(path, "wb") as file:
                file.write(content)
            known[path] = hashlib.sha256(content).hexdigest()
        return known

    def test_writers_are_refused_readers_go_on_and_room_comes_back(self):
        with SmallDiskVolume() as volume:
            known = self.write_known(volume.mount)
            volume.weir("sync", volume.mount)
            load = Load(volume.mount)
            threads = [load.run(load.write, number) for number in range(WRITERS)] + [load.run(load.read, known)]
            time.sleep(SECONDS)
            load.stop.set()
            for thread in threads:
                thread.join()
            self.assertEqual(load.problems, [])
            self.assertGreater(load.refused, 0, "the disk was never full")
            self.assertGreater(len(load.written), 0, "no file was written whole")
            self.assertGreater(load.reads, len(known))
            self.assert_room_comes_back(volume.mount)
            self.assert_nothing_lost({**known, **load.written})
            volume.umount()
            volume.fsck()
            volume.up()
            self.assert_nothing_lost({**known, **load.written})
            print(f"refused {load.refused}, read {load.reads}, kept {len(load.written)} files")

    def test_closing_a_reader_does_not_fail_because_a_writer_was_refused(self):
        """cat of such a file ended with "No space left on device"."""
        with SmallDiskVolume() as volume:
            path = os.path.join(volume.mount, "file")
            content = bytearray(os.urandom(50_000))
            with open(path, "wb") as file:
                file.write(content)
            filler = Filler(volume)
            filler.fill()
            content[7:14] = b"changed"
            refused = 0
            while not refused:  # a log of a database has some room of its own
                writer = os.open(path, os.O_RDWR)
                content[0:8] = os.urandom(8)
                os.pwrite(writer, content, 0)
                try:
                    os.close(writer)
                except OSError as problem:
                    self.assertEqual(problem.errno, errno.ENOSPC)
                    refused += 1
            with open(path, "rb") as reader:
                self.assertEqual(reader.read(), content)
            filler.free()
            deadline = time.monotonic() + 60
            while volume.json("status", volume.mount)["unpublished_files"] > 0:
                self.assertLess(time.monotonic(), deadline, "it is not published although there is room")
                time.sleep(0.2)
            volume.kill()
            volume.up()
            self.assertEqual(sha256_of(path), hashlib.sha256(content).hexdigest())

    def assert_room_comes_back(self, top):
        """What was refused works again as soon as what is stored can leave the cache, and nobody does anything."""
        deadline = time.monotonic() + 60
        load = Load(top)
        while load.write_one(os.path.join(top, "later"), max(WRITER_MIB)) is None:
            self.assertLess(time.monotonic(), deadline, "there is no room for one file after a minute")
            time.sleep(0.5)

    def assert_nothing_lost(self, digests):
        for path, digest in digests.items():
            self.assertEqual(sha256_of(path), digest, path)


if __name__ == "__main__":
    main()
