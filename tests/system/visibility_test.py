"""Three nodes mount one volume: what one closes, the others open, whatever their kernels still know of the file."""

import errno
import mmap
import os
import random
import time

import harness
from fleet import Fleet, FleetTest, eventually, read, write

MIB = 1 << 20
SIZES = (1, 100, 5_000, 70_000, 4 * MIB + 77)


def content_of(seed, size):
    return random.Random(seed).randbytes(size)


def write_stored(node, path, content):
    write(node.path(path), content)
    node.weir("sync", node.path(path))


def read_mapped(path):
    """Asks for no size but the one that fstat says."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return b""
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            return mapped[:]


class Visibility(FleetTest):
    def test_what_was_closed_is_opened(self):
        with Fleet() as fleet:
            for number in range(30):
                dice = random.Random(number)
                writer, *readers = dice.sample(fleet.nodes, 3)
                content = content_of(number, dice.choice(SIZES))
                write_stored(writer, "file", content)
                for reader in readers:
                    look = dice.choice((read, read_mapped))
                    self.assertEqual(look(reader.path("file")), content, (number, writer, reader))

    def test_small_files_at_once(self):
        """Faster than names and attributes run out."""
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            for number in range(300):
                one, other = (a, b) if number % 2 == 0 else (b, a)
                content = content_of(number, 1 + number * 7 % 4000)
                write(one.path("file"), content)
                self.assertEqual(read(other.path("file")), content, number)
                self.assertEqual(read_mapped(other.path("file")), content, number)

    def test_a_reader_keeps_its_version(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            for size in SIZES:
                old, new = content_of(1, size), content_of(2, size // 2 + 3)
                write_stored(a, "file", old)
                with open(b.path("file"), "rb", buffering=0) as early, open(b.path("file"), "rb") as unread:
                    self.assertEqual(os.pread(early.fileno(), size + 1, 0), old)
                    write_stored(a, "file", new)
                    with open(b.path("file"), "rb") as late:
                        self.assertEqual(late.read(), new)
                        self.assertEqual(os.pread(early.fileno(), size + 1, 0), old)
                        self.assertEqual(unread.read(), old)
                        self.assertEqual(os.fstat(early.fileno()).st_size, len(old))
                        self.assertEqual(os.fstat(late.fileno()).st_size, len(new))
                        self.assertEqual(os.fstat(early.fileno()).st_ino, os.fstat(late.fileno()).st_ino)
                        self.assertEqual(os.fstat(late.fileno()).st_ino, os.stat(b.path("file")).st_ino)

    def test_a_temporary_file_renamed_before_it_is_closed(self):
        with Fleet() as fleet:
            for number in range(60):
                writer, *readers = random.Random(number).sample(fleet.nodes, 3)
                content = content_of(number, 1 + number * 67 % 4000)
                with open(writer.path("temporary"), "wb", buffering=0) as file:
                    file.write(content)
                    os.rename(writer.path("temporary"), writer.path("final"))
                    for reader in readers:
                        self.assertEqual(read(reader.path("final")), content, number)

    def test_attributes_are_a_second_old_at_most(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            write(a.path("file"), b"x")
            for number in range(1, 6):
                write(a.path("file"), b"x" * (number * 100))
                self.assertEqual(os.stat(b.path("file")).st_mode & 0o777, 0o644)
                os.chmod(a.path("file"), 0o600 + number)
                time.sleep(1.05)
                seen = os.stat(b.path("file"))
                self.assertEqual((seen.st_size, seen.st_mode & 0o777), (number * 100, 0o600 + number))
                os.chmod(a.path("file"), 0o644)
                time.sleep(1.05)

    def test_unlinked_elsewhere_it_stays_usable(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            content = content_of(1, 3000)
            write(a.path("file"), content)
            with open(b.path("file"), "r+b", buffering=0) as file:
                os.unlink(a.path("file"))
                self.assertEqual(file.read(), content)
                file.write(b"and more")
                os.fsync(file.fileno())
                self.assertEqual(os.pread(file.fileno(), 4000, 0), content + b"and more")
                time.sleep(1.1)
                self.assertEqual(os.fstat(file.fileno()).st_size, len(content) + 8)
                self.assertEqual(os.fstat(file.fileno()).st_nlink, 0)
            with self.assertRaises(FileNotFoundError):
                read(b.path("file"))

    def test_a_descriptor_opened_again_is_no_error(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            write(a.path("file"), b"old")
            with open(b.path("file"), "rb") as file:
                write(a.path("file"), b"new content")
                again = read(f"/proc/self/fd/{file.fileno()}")
                self.assertIn(again, (b"old", b"new content"))
            self.assertEqual(read(b.path("file")), b"new content")

    def test_a_name_that_comes_and_goes(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            for number in range(50):
                one, other = (a, b) if number % 2 == 0 else (b, a)
                with self.assertRaises(OSError) as refused:
                    os.open(other.path("file"), os.O_RDONLY)
                self.assertEqual(refused.exception.errno, errno.ENOENT)
                write(one.path("file"), b"%d" % number)
                self.assertEqual(read(other.path("file")), b"%d" % number)
                os.rename(other.path("file"), other.path("moved"))
                self.assertEqual(read(one.path("moved")), b"%d" % number)
                os.unlink(one.path("moved"))
                eventually(lambda: os.listdir(other.path("")) == [], 2, "the directory is empty")


if __name__ == "__main__":
    harness.main()
