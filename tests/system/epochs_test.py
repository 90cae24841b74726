"""A file that was opened before it was complete: later opens are read by the kernel itself, and all see one file."""

import mmap
import os
import random
import signal
import subprocess
import time

from harness import SystemTest, Volume, main

MIB = 1 << 20
SIZE = 20 * MIB


def read_all(descriptor, size=SIZE + MIB):
    got = b""
    while piece := os.pread(descriptor, size - len(got), len(got)):
        got += piece
    return got


class Epochs(SystemTest):
    def setUp(self):
        self.volume = Volume()
        self.volume.up()
        self.addCleanup(self.volume.__exit__)
        self.path = os.path.join(self.volume.mount, "file")
        self.write_anew()
        self.open_descriptors = []
        self.addCleanup(lambda: [os.close(descriptor) for descriptor in self.open_descriptors])

    def write_anew(self):
        self.content = bytearray(random.Random(1).randbytes(SIZE))
        with open(self.path, "wb") as file:
            file.write(self.content)

    def open(self, path=None, flags=os.O_RDONLY):
        descriptor = os.open(path or self.path, flags)
        self.open_descriptors.append(descriptor)
        return descriptor

    def close(self, descriptor):
        self.open_descriptors.remove(descriptor)
        os.close(descriptor)

    def read_requests(self):
        return self.volume.json("status", self.volume.mount)["kernel"]["requests"].get("READ", 0)

    def need_passthrough(self):
        if not self.volume.json("status", self.volume.mount)["kernel"]["passthrough"]:
            self.skipTest("no passthrough here, so there is one way to read a file")

    def opened_early(self):
        """A descriptor of before the file was complete, which it is now."""
        self.volume.weir("sync", self.path)
        self.volume.weir("evict", self.path)
        early = self.open()
        self.assertEqual(os.pread(early, 100, 0), self.content[:100])
        self.volume.weir("warm", self.path)
        return early

    def test_who_opens_it_later_costs_the_daemon_no_read(self):
        self.need_passthrough()
        early = self.opened_early()
        late = self.open()
        before = self.read_requests()
        self.assertEqual(read_all(late), self.content)
        with mmap.mmap(late, 0, prot=mmap.PROT_READ) as mapped:
            self.assertEqual(mapped[:], self.content)
        self.assertEqual(self.read_requests(), before)
        self.assertEqual(read_all(early), self.content)
        self.assertEqual(os.fstat(early).st_ino, os.fstat(late).st_ino)
        self.assertEqual(os.stat(self.path).st_ino, os.fstat(early).st_ino)
        self.close(early)
        again = self.open()
        before = self.read_requests()
        self.assertEqual(read_all(again), self.content)
        self.assertEqual(self.read_requests(), before)

    def test_two_names_of_a_file_show_one_mode(self):
        """Also when the kernel knows the file by two node ids, of which nobody has one open."""
        self.need_passthrough()
        other = self.path + "-other"
        early = self.opened_early()
        late = self.open()
        self.close(late)
        self.close(early)
        os.link(self.path, other)
        for number, forgets in enumerate([False, True, False, True]):
            if forgets:
                with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as drop:
                    drop.write("2")
            for at, (changed, looked_at) in enumerate([(self.path, other), (other, self.path)]):
                mode = 0o600 + 8 * number + at
                os.stat(looked_at)
                os.chmod(changed, mode)
                self.assertEqual(os.stat(looked_at).st_mode & 0o777, mode)
        os.unlink(other)
        os.chmod(self.path, 0o644)
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o644)
        self.assertEqual(os.stat(self.path).st_nlink, 1)

    def assert_all_see(self, descriptors, mappings):
        for descriptor in descriptors:
            self.assertEqual(os.fstat(descriptor).st_size, len(self.content))
            self.assertEqual(read_all(descriptor), self.content)
        for mapped in mappings:
            self.assertEqual(mapped[:], self.content[:len(mapped)])

    def change_and_look(self, early, late, writer):
        mappings = [mmap.mmap(descriptor, SIZE, prot=mmap.PROT_READ) for descriptor in (early, late)]
        self.assert_all_see([early, late], mappings)
        for offset in (0, 5 * MIB - 3, SIZE - 7):
            os.pwrite(writer, b"changed", offset)
            self.content[offset:offset + 7] = b"changed"
            for descriptor, mapped in zip((early, late), mappings):
                self.assertEqual(os.pread(descriptor, 7, offset), b"changed")
                self.assertEqual(mapped[offset:offset + 7], b"changed")
        os.pwrite(writer, b"more", SIZE)
        self.content += b"more"
        self.assert_all_see([early, late], mappings)
        os.truncate(self.path, SIZE - 5)
        os.truncate(self.path, SIZE)
        self.content[SIZE - 5:] = bytes(5)
        self.assert_all_see([early, late], mappings)
        os.posix_fallocate(writer, 0, SIZE + 10)
        self.content += bytes(10)
        self.assert_all_see([early, late], mappings)
        os.chmod(self.path, 0o600)
        for descriptor in (early, late):
            self.assertEqual(os.fstat(descriptor).st_mode & 0o777, 0o600)
        for mapped in mappings:
            mapped.close()

    def check_through_life(self):
        for descriptor in list(self.open_descriptors):
            self.close(descriptor)
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), self.content)
        self.volume.weir("sync", self.path)
        self.volume.weir("evict", self.path)
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), self.content)
        self.volume.umount()
        self.volume.fsck()
        self.volume.up()
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), self.content)

    def test_both_see_what_is_written(self):
        for flags in (os.O_WRONLY, os.O_RDWR):
            with self.subTest(flags=flags):
                self.write_anew()
                early = self.opened_early()
                late = self.open()
                self.change_and_look(early, late, self.open(flags=flags))
                self.check_through_life()

    def test_who_opens_the_old_descriptor_again_writes_into_the_same_file(self):
        early = self.opened_early()
        late = self.open()
        # There is no name that the kernel could look up again.
        self.assertEqual(read_all(self.open(f"/proc/self/fd/{early}")), self.content)
        self.change_and_look(early, late, self.open(f"/proc/self/fd/{early}", os.O_RDWR))
        self.check_through_life()

    def test_a_mapping_of_the_early_descriptor_reaches_what_the_file_grew_by(self):
        """The kernel asks for no size at a page fault: who read there got SIGBUS."""
        early = self.opened_early()
        late = self.open()
        writer = self.open(flags=os.O_WRONLY)
        for size in (SIZE // 2 + 1, SIZE // 2 + 4097, SIZE - 3):
            with mmap.mmap(early, SIZE, prot=mmap.PROT_READ) as mapped:
                os.ftruncate(writer, size)
                self.assertEqual(os.fstat(early).st_size, size)
                os.pwrite(writer, self.content[size:], size)
                child = os.fork()
                if child == 0:
                    os._exit(0 if mapped[:] == self.content else 1)
                self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assert_all_see([early, late], [])
        self.check_through_life()

    def test_stores_through_a_mapping_are_seen_by_both_when_they_are_published(self):
        early = self.opened_early()
        late = self.open()
        self.assertEqual(read_all(early), self.content)
        writer = self.open(flags=os.O_RDWR)
        with mmap.mmap(writer, 0) as mapped:
            mapped[3 * MIB:3 * MIB + 6] = b"stored"
            self.content[3 * MIB:3 * MIB + 6] = b"stored"
            self.assertEqual(os.pread(late, 6, 3 * MIB), b"stored")
            mapped.flush()
        os.close(os.dup(writer))
        self.assert_all_see([early, late], [])
        self.check_through_life()

    def test_they_outlive_the_daemon(self):
        early = self.opened_early()
        late = self.open()
        for _ in range(3):
            os.kill(self.volume.pid(), signal.SIGKILL)
            self.change_and_look(early, late, self.open(flags=os.O_WRONLY))
            del self.content[SIZE:]
            os.truncate(self.path, SIZE)
            self.assert_all_see([early, late], [])
        self.check_through_life()

    def test_old_and_new_after_all_were_closed(self):
        """Each node id may have pages of its own: none of them may come back when the other changed the file."""
        for round_number in range(6):
            early = self.opened_early()
            late = self.open()
            self.assert_all_see([early, late], [])
            self.close(late if round_number % 2 == 0 else early)
            with open(self.path, "r+b") as writer:
                writer.seek(round_number * MIB)
                writer.write(b"round %d" % round_number)
            self.content[round_number * MIB:round_number * MIB + 7] = b"round %d" % round_number
            self.close(early if round_number % 2 == 0 else late)
            self.assertEqual(read_all(self.open()), self.content)
            self.close(self.open_descriptors[-1])
        self.check_through_life()

    def test_a_file_with_two_names(self):
        os.link(self.path, self.path + "2")
        early = self.opened_early()
        late = self.open()
        self.assertEqual(read_all(late), self.content)
        self.change_and_look(early, self.open(self.path + "2"), self.open(flags=os.O_RDWR))
        self.check_through_life()

    def test_a_second_name_while_both_are_open(self):
        early = self.opened_early()
        late = self.open()
        os.link(self.path, self.path + "2")
        self.change_and_look(early, late, self.open(self.path + "2", os.O_RDWR))
        os.unlink(self.path + "2")
        self.check_through_life()

    def step(self, dice):
        choice = dice.randrange(9)
        readers = self.open_descriptors
        if choice == 0 or not readers:
            flags = dice.choice([os.O_RDONLY] * 4 + [os.O_RDWR])
            old = f"/proc/self/fd/{dice.choice(readers)}" if readers and dice.random() < 0.2 else None
            self.open(old, flags)
        elif choice == 1:
            self.close(dice.choice(readers))
        elif choice == 2:
            offset = dice.randrange(len(self.content))
            with open(self.path, "r+b", buffering=0) as writer:
                os.pwrite(writer.fileno(), b"written", offset)
            if len(self.content) < offset + 7:
                self.content += bytes(offset + 7 - len(self.content))
            self.content[offset:offset + 7] = b"written"
        elif choice == 3:
            size = dice.randrange(SIZE // 2, SIZE)
            os.truncate(self.path, size)
            self.content = self.content[:size] + bytes(max(0, size - len(self.content)))
        elif choice == 4:
            self.volume.weir("sync", self.path)
            self.volume.weir("evict", self.path, check=False)  # busy when it is open
        elif choice == 5:
            self.volume.weir("warm", self.path)
        elif choice == 6 and dice.random() < 0.2:
            os.kill(self.volume.pid(), signal.SIGKILL)
        else:
            descriptor = dice.choice(readers)
            offset = dice.randrange(len(self.content))
            self.assertEqual(os.fstat(descriptor).st_size, len(self.content))
            self.assertEqual(os.pread(descriptor, 5000, offset), self.content[offset:offset + 5000])
            with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as mapped:
                self.assertEqual(mapped[offset:offset + 5000], self.content[offset:offset + 5000])

    def test_any_order_of_opens_changes_and_fills(self):
        for seed in range(int(os.environ.get("WEIR_TEST_EPOCH_SEEDS", "1"))):
            with self.subTest(seed=seed):
                dice = random.Random(seed)
                self.write_anew()
                for _ in range(150):
                    self.step(dice)
                self.assert_all_see(self.open_descriptors, [])
                self.check_through_life()

    def test_a_running_program_stays_protected(self):
        with open("/bin/sleep", "rb") as program:
            self.content = bytearray(program.read())
        with open(self.path, "wb") as file:
            file.write(self.content)
        os.chmod(self.path, 0o755)
        self.volume.weir("sync", self.path)
        self.volume.weir("evict", self.path)
        with subprocess.Popen([self.path, "60"]) as running:
            try:
                time.sleep(0.2)
                self.volume.weir("warm", self.path)
                for _ in range(2):
                    self.assertEqual(read_all(self.open()), self.content)
                    with self.assertRaises(OSError) as refused:
                        self.open(flags=os.O_WRONLY)
                    self.assertEqual(refused.exception.errno, 26)  # ETXTBSY
            finally:
                running.kill()


if __name__ == "__main__":
    main()
