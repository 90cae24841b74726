"""Sequences of calls, found by the exerciser, after which a mount was not like a plain disk."""

import ctypes
import itertools
import os

from harness import SystemTest, Volume, main

LIBC = ctypes.CDLL(None, use_errno=True)


class LikeADisk(SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.volume = Volume()
        cls.volume.up()

    @classmethod
    def tearDownClass(cls):
        cls.volume.__exit__()

    def test_opening_read_only_with_truncation_truncates(self):
        """The old content stayed: O_RDONLY|O_TRUNC was ignored."""

        def sizes(top):
            path = os.path.join(top, "truncated")
            with open(path, "wb") as file:
                file.write(b"old content")
            reader = os.open(path, os.O_RDONLY | os.O_TRUNC)
            content = os.read(reader, 100)
            os.close(reader)
            return content, os.path.getsize(path)

        self.assertEqual(*self.in_both(self.volume, sizes))

    def test_allocation_that_changes_no_byte_sets_the_times(self):
        """The file looked unmodified after fallocate() within its size, or with FALLOC_FL_KEEP_SIZE."""
        long_ago = 1_000_000_000

        def times():
            path = os.path.join(self.volume.mount, "allocated")
            with open(path, "wb") as file:
                file.write(b"x" * 10000)
            found = []
            kinds = ((0, 100), (1, 20000), (3, 20000))
            for (mode, offset), written_before in itertools.product(kinds, (False, True)):
                writer = os.open(path, os.O_WRONLY)
                if written_before:
                    os.write(writer, b"y")
                os.utime(path, (long_ago, long_ago))
                if LIBC.fallocate(writer, mode, ctypes.c_long(offset), ctypes.c_long(50)) != 0:
                    raise OSError(ctypes.get_errno(), "fallocate")
                found.append(os.fstat(writer).st_mtime > long_ago)
                os.close(writer)
                found.append(os.stat(path).st_mtime > long_ago)
            return found

        # As ext4 does now; that of 6.1 leaves them at a hole behind the end, that of 5.15 always.
        self.assertEqual(times(), [True] * 12)

    def test_truncation_to_the_same_size_sets_the_times(self):
        """The file looked unmodified."""

        def modified(top):
            path = os.path.join(top, "truncated to its size")
            found = []
            for size in (0, 10, 100_000):
                with open(path, "wb") as file:
                    file.write(b"x" * size)
                os.utime(path, (1_000_000_000, 1_000_000_000))
                os.truncate(path, size)
                found.append(os.stat(path).st_mtime > 1_000_000_000)
            return found

        self.assertEqual(*self.in_both(self.volume, modified))


if __name__ == "__main__":
    main()
