"""The kernel reads complete files by itself; writers beside such readers are seen at once, and nothing is lost."""

import ctypes
import mmap
import os
import random
import subprocess
import sys
import threading
import time

from harness import SystemTest, Volume, main, sha256_of

MIB = 1 << 20


def read_requests(volume):
    return volume.json("status", volume.mount)["kernel"]["requests"].get("READ", 0)


def fill(path, size, seed=1):
    content = random.Random(seed).randbytes(size)
    with open(path, "wb") as file:
        file.write(content)
    return content


def pread_all(descriptor, size):
    got = b""
    while len(got) < size:
        piece = os.pread(descriptor, size - len(got), len(got))
        if not piece:
            break
        got += piece
    return got


class Passthrough(SystemTest):
    def setUp(self):
        self.volume = Volume()
        self.volume.up()
        self.addCleanup(self.volume.__exit__)
        self.path = os.path.join(self.volume.mount, "file")

    def passes(self):
        return self.volume.json("status", self.volume.mount)["kernel"]["passthrough"]

    def need_passthrough(self):
        """What is read, mapped and refused is the same without it; that the daemon sees no request is not."""
        if not self.passes():
            self.skipTest("mounted with --passthrough off" if "--passthrough" in self.volume.options
                          else "this kernel has no FUSE passthrough")

    def test_a_complete_file_costs_the_daemon_no_read(self):
        self.need_passthrough()
        content = fill(self.path, 20 * MIB + 5)
        before = read_requests(self.volume)
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), content)
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
                self.assertEqual(mapped[:], content)
        direct = os.open(self.path, os.O_RDONLY | os.O_DIRECT)
        buffer = mmap.mmap(-1, MIB)
        self.assertEqual(os.preadv(direct, [buffer], 4 * MIB), MIB)
        self.assertEqual(buffer[:], content[4 * MIB:5 * MIB])
        os.close(direct)
        self.assertEqual(read_requests(self.volume), before)

    def test_an_evicted_file_is_served_while_it_is_filled_and_passed_through_afterwards(self):
        self.need_passthrough()
        content = fill(self.path, 20 * MIB)
        self.volume.weir("sync", self.path)
        self.volume.weir("evict", self.path)
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), content)
        self.volume.weir("warm", self.path)
        before = read_requests(self.volume)
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), content)
        self.assertEqual(read_requests(self.volume), before)

    def test_a_reader_sees_what_is_written_beside_it(self):
        for flags in (os.O_WRONLY, os.O_RDWR):
            for stored in (False, True):
                content = bytearray(fill(self.path, 9 * MIB, seed=flags))
                if stored:
                    self.volume.weir("sync", self.path)
                reader = os.open(self.path, os.O_RDONLY)
                mapped = mmap.mmap(reader, 0, prot=mmap.PROT_READ)
                self.assertEqual(mapped[:], content)
                writer = os.open(self.path, flags)
                for offset in (0, 5 * MIB - 3, 9 * MIB - 7):
                    os.pwrite(writer, b"changed", offset)
                    content[offset:offset + 7] = b"changed"
                    self.assertEqual(os.pread(reader, 7, offset), b"changed")
                    self.assertEqual(mapped[offset:offset + 7], b"changed")
                os.pwrite(writer, b"more", 9 * MIB)
                content += b"more"
                self.assertEqual(os.fstat(reader).st_size, len(content))
                self.assertEqual(os.pread(reader, 10, 9 * MIB), b"more")
                os.close(writer)
                self.assertEqual(pread_all(reader, len(content)), content)
                with open(self.path, "rb") as second:
                    self.assertEqual(second.read(), content)
                mapped.close()
                os.close(reader)
                self.check_through_life(bytes(content))

    def test_a_mapping_whose_descriptor_is_closed_sees_what_is_written(self):
        """It showed the old bytes, and the old end: a store behind that killed the process."""
        content = bytearray(fill(self.path, 9 * MIB))
        # Python's own mapping keeps a descriptor.
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        with open(self.path, "rb") as reader:
            address = libc.mmap(None, 9 * MIB, mmap.PROT_READ, mmap.MAP_SHARED, reader.fileno(), 0)
        self.assertNotEqual(address, ctypes.c_void_p(-1).value)
        mapped = (ctypes.c_char * (9 * MIB)).from_address(address)
        self.assertEqual(mapped.raw, content)
        with open(self.path, "r+b") as writer:
            writer.seek(5 * MIB)
            writer.write(b"changed")
            writer.truncate(8 * MIB)
            writer.truncate(9 * MIB)
        content[5 * MIB:5 * MIB + 7] = b"changed"
        content[8 * MIB:] = bytes(MIB)
        self.assertEqual(mapped.raw, content)
        with open(self.path, "r+b") as writer:
            writer.write(b"again")
        content[:5] = b"again"
        self.assertEqual(mapped.raw, content)
        libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(9 * MIB))
        self.check_through_life(bytes(content))

    def test_truncation_under_a_reader(self):
        content = fill(self.path, 9 * MIB)
        reader = os.open(self.path, os.O_RDONLY)
        os.truncate(self.path, 5 * MIB)
        self.assertEqual(os.fstat(reader).st_size, 5 * MIB)
        self.assertEqual(pread_all(reader, 9 * MIB), content[:5 * MIB])
        os.truncate(self.path, 1000)
        self.assertEqual(pread_all(reader, 9 * MIB), content[:1000])
        with open(self.path, "r+b") as writer:
            writer.seek(2 * MIB)
            writer.write(b"end")
        expected = content[:1000] + bytes(2 * MIB - 1000) + b"end"
        self.assertEqual(pread_all(reader, 9 * MIB), expected)
        with open(self.path, "wb") as writer:
            writer.write(b"new")
        self.assertEqual(pread_all(reader, 9 * MIB), b"new")
        os.close(reader)
        self.check_through_life(b"new")

    def test_stores_through_a_mapping_beside_a_reader_are_published(self):
        content = bytearray(fill(self.path, 9 * MIB))
        reader = os.open(self.path, os.O_RDONLY)
        writer = os.open(self.path, os.O_RDWR)
        mapped = mmap.mmap(writer, 0)
        mapped[5 * MIB:5 * MIB + 6] = b"stored"
        content[5 * MIB:5 * MIB + 6] = b"stored"
        self.assertEqual(os.pread(reader, 6, 5 * MIB), b"stored")
        os.close(writer)
        # The mapping outlives its descriptor, and the last store comes after both are closed.
        os.close(reader)
        mapped[0:4] = b"late"
        content[0:4] = b"late"
        with open(self.path, "rb") as another:
            self.assertEqual(another.read(), content)
        mapped.close()
        self.wait_until_published(bytes(content))
        self.check_through_life(bytes(content))

    def test_stores_into_a_hole_that_a_truncation_made_are_read_back(self):
        """read() gave zeros for what had been stored through the mapping, and SEEK_DATA found nothing."""
        content = bytearray(10 * MIB)
        fill(self.path, 9 * MIB)
        reader = os.open(self.path, os.O_RDONLY)
        writer = os.open(self.path, os.O_RDWR)
        os.ftruncate(writer, 0)
        os.ftruncate(writer, len(content))
        mapped = mmap.mmap(writer, len(content))  # its own end would publish: it closes a descriptor
        for offset in (25263, 5 * MIB, 9 * MIB):
            mapped[offset:offset + 6] = b"stored"
            content[offset:offset + 6] = b"stored"
        self.assertEqual(pread_all(writer, len(content)), content)
        self.assertEqual(pread_all(reader, len(content)), content)
        if not self.passes():
            os.fsync(writer)  # the kernel does not write back for SEEK_DATA (docs/consistency.md)
        self.assertLessEqual(os.lseek(writer, 0, os.SEEK_DATA), 25263)
        punched = subprocess.run(["fallocate", "--punch-hole", "--offset", str(5 * MIB), "--length", "3", self.path])
        self.assertEqual(punched.returncode, 0)
        content[5 * MIB:5 * MIB + 3] = bytes(3)
        self.assertEqual(pread_all(writer, len(content)), content)
        mapped.close()
        os.close(writer)
        os.close(reader)
        self.check_through_life(bytes(content))

    def test_stores_into_a_file_that_became_small_are_published(self):
        """What was stored after a first publish of the small content was lost when the last descriptor was closed."""
        fill(self.path, 9 * MIB)
        reader = os.open(self.path, os.O_RDONLY)
        writer = os.open(self.path, os.O_RDWR)
        os.ftruncate(writer, 0)
        content = bytearray(os.urandom(24171))
        os.pwrite(writer, content, 0)
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        address = libc.mmap(None, len(content), mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, writer, 0)
        mapped = (ctypes.c_char * len(content)).from_address(address)
        for offset in (22695, 5):
            os.close(os.dup(writer))  # publishes
            mapped[offset:offset + 6] = b"stored"
            content[offset:offset + 6] = b"stored"
        libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(len(content)))
        os.close(reader)
        os.close(writer)
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), content)
        self.check_through_life(bytes(content))

    def test_a_log_is_followed_while_others_append(self):
        content = fill(self.path, 300_000)
        reader = os.open(self.path, os.O_RDONLY)
        self.assertEqual(pread_all(reader, 300_000), content)
        for number in range(50):
            line = f"line {number}\n".encode()
            subprocess.run(["sh", "-c", f"printf 'line {number}\\n' >> {self.path}"], check=True)
            self.assertEqual(os.pread(reader, 100, len(content)), line)
            content += line
            self.assertEqual(os.fstat(reader).st_size, len(content))
        os.close(reader)
        self.check_through_life(content)

    def test_two_files_of_one_content_stay_two(self):
        content = fill(self.path, 5 * MIB)
        twin = os.path.join(self.volume.mount, "twin")
        fill(twin, 5 * MIB)
        first, second = os.open(self.path, os.O_RDONLY), os.open(twin, os.O_RDONLY)
        with open(self.path, "r+b") as writer:
            writer.write(b"only here")
        self.assertEqual(os.pread(first, 9, 0), b"only here")
        self.assertEqual(pread_all(second, 5 * MIB), content)
        os.close(first)
        os.close(second)
        with open(twin, "rb") as file:
            self.assertEqual(file.read(), content)
        self.check_through_life(b"only here" + content[9:])

    def test_a_running_program_cannot_be_written_and_can_be_replaced(self):
        program = os.path.join(self.volume.mount, "program")
        with open("/bin/sleep", "rb") as source, open(program, "wb") as target:
            target.write(source.read())
            target.write(bytes(200_000))
        os.chmod(program, 0o755)
        with subprocess.Popen([program, "100"]) as running:
            try:
                with self.assertRaisesRegex(OSError, "Text file busy"):
                    os.open(program, os.O_WRONLY)
                fill(program + ".new", 100_000)
                os.rename(program + ".new", program)
                self.assertIsNone(running.poll())
            finally:
                running.kill()

    def test_mixed_opens_never_fail(self):
        """Random opens, writes, maps and closes by several processes: what they read is what was written."""
        worker = r"""
import mmap, os, random, sys
path, seed = sys.argv[1], int(sys.argv[2])
rng = random.Random(seed)
size = 6 << 20
held = []
for _ in range(300):
    action = rng.randrange(6)
    if action < 3 or not held:
        flags = rng.choice([os.O_RDONLY, os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
        fd = os.open(path, flags)
        mapped = mmap.mmap(fd, 0, prot=mmap.PROT_READ) if flags == os.O_RDONLY and rng.random() < 0.3 else None
        held.append((fd, flags, mapped))
    elif action == 3:
        fd, flags, mapped = held.pop(rng.randrange(len(held)))
        if mapped:
            mapped.close()
        os.close(fd)
    else:
        fd, flags, mapped = rng.choice(held)
        slot = rng.randrange(size // 4096)
        if flags != os.O_RDONLY:
            block = bytes([rng.randrange(1, 255)]) * 4096
            os.pwrite(fd, block, slot * 4096)
        if flags != os.O_WRONLY:
            got = os.pread(fd, 4096, slot * 4096)
            assert len(got) == 4096 and got == got[:1] * 4096, (slot, set(got))
for fd, flags, mapped in held:
    if mapped:
        mapped.close()
    os.close(fd)
"""
        with open(self.path, "wb") as file:
            file.write(bytes([7]) * (6 * MIB))
        for seed in range(3):
            workers = [subprocess.Popen([sys.executable, "-c", worker, self.path, str(10 * seed + number)])
                       for number in range(3)]
            self.assertEqual([process.wait(timeout=120) for process in workers], [0, 0, 0])
        with open(self.path, "rb") as file:
            content = file.read()
        self.assertEqual(len(content), 6 * MIB)
        self.check_through_life(content)

    def test_an_open_beside_a_direct_write_does_not_fail_when_a_reader_has_just_closed(self):
        """The write, which goes past the page cache, keeps the reader's file in the kernel's inode."""
        fill(self.path, MIB)
        over = time.monotonic() + 5
        failures = []

        def write():
            descriptor = os.open(self.path, os.O_WRONLY)
            while time.monotonic() < over:
                for slot in range(4):
                    os.pwrite(descriptor, bytes(64 << 10), slot << 16)
                os.close(os.dup(descriptor))  # publishes, so that readers are passed through
                time.sleep(0.001)
            os.close(descriptor)

        def open_and_close(flags):
            while time.monotonic() < over:
                try:
                    os.close(os.open(self.path, flags))
                except OSError as failure:
                    failures.append(failure)
                time.sleep(0.0005)

        threads = [threading.Thread(target=target, args=arguments) for target, arguments in (
            (write, ()), (write, ()), (open_and_close, (os.O_RDONLY,)), (open_and_close, (os.O_RDONLY,)),
            (open_and_close, (os.O_RDWR,)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def wait_until_published(self, content):
        deadline = time.monotonic() + 30
        while self.volume.json("status", self.volume.mount)["open_files"] > 0:
            self.assertLess(time.monotonic(), deadline, "the file is not settled")
            time.sleep(0.2)
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), content)

    def check_through_life(self, content):
        """Now, from the object store, and after a restart."""
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), content)
        self.volume.weir("sync", self.path)
        self.wait_until_published(content)
        self.volume.weir("evict", self.path)
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), content)
        self.volume.umount()
        self.volume.fsck()
        self.volume.up()
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), content)
        self.assertEqual(len(sha256_of(self.path)), 64)


if __name__ == "__main__":
    main()
