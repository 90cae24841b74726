"""What is set on an open file travels with its publish: an unpacked file is two commits, and nothing that was answered is lost."""

import contextlib
import os
import random
import signal
import stat
import tarfile

import harness
from fleet import Fleet, FleetTest, eventually, read, write

FILES = 300
LONG_AGO_NS = 1_000_000_000_123_456_789
USER = 1234


def commits(fleet):
    """Each takes one number. Leases and ranges of ids are a few among them."""
    return int(fleet.database.sql("SELECT last_value FROM weir.versions", "weir"))


def looks(path):
    found = os.stat(path)
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, found.st_mtime_ns, found.st_size


def set_all(descriptor, mode=0o640):
    """In the order in which GNU tar does it."""
    os.utime(descriptor, ns=(LONG_AGO_NS, LONG_AGO_NS))
    os.fchown(descriptor, USER, USER + 1)
    os.fchmod(descriptor, mode)


def make_archive(path, uid):
    dice = random.Random(1)
    with tarfile.open(path, "w") as archive:
        for number in range(FILES):
            member = tarfile.TarInfo(f"file{number}")
            member.size, member.mode = 4096, dice.choice((0o600, 0o644, 0o755))
            member.uid = member.gid = uid
            member.mtime = 1_000_000_000 + number
            with open("/dev/urandom", "rb") as content:
                archive.addfile(member, content)


def looks_in(archive):
    with tarfile.open(archive) as found:
        return {member.name: (member.mode, member.uid, member.gid, member.mtime * 10**9, member.size) for member in found}


class CarriedAttributes(FleetTest):
    def unpack(self, fleet, *as_whom, uid=0):
        archive = os.path.join(fleet.root, f"archive{uid}")
        make_archive(archive, uid)
        a, b = fleet.nodes
        top = a.path(f"of{uid}")
        os.mkdir(top)
        os.chown(top, uid, uid)
        before = commits(fleet)
        a.run(*as_whom, "tar", "--numeric-owner", "-xpf", archive, "-C", top)
        made = commits(fleet) - before
        self.assertLess(made, 2.2 * FILES)
        wanted = looks_in(archive)
        for node in (a, b):
            names = os.listdir(node.path(f"of{uid}"))
            self.assertEqual({name: looks(node.path(f"of{uid}", name)) for name in names}, wanted, node)

    def test_an_archive_is_two_commits_a_file(self):
        with Fleet(2) as fleet:
            self.unpack(fleet)
            os.chmod(fleet.root, 0o755)
            for node in fleet.nodes:
                os.chmod(node.root, 0o755)
            self.unpack(fleet, "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", uid=USER)

    def test_a_killed_daemon_forgets_nothing_that_was_set(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            for name, size in (("small", 4096), ("large", 300_000)):
                descriptor = os.open(a.path(name), os.O_RDWR | os.O_CREAT, 0o600)
                os.write(descriptor, b"x" * size)
                set_all(descriptor)
                a.status()
                os.kill(a.pids[0], signal.SIGKILL)
                wanted = (0o640, USER, USER + 1, LONG_AGO_NS, size)
                self.assertEqual(looks(descriptor), wanted)
                os.fchmod(descriptor, 0o600)
                a.status()
                os.kill(a.pids[0], signal.SIGKILL)
                os.fchmod(descriptor, 0o640)
                os.close(descriptor)
                self.assertEqual(looks(a.path(name)), wanted)
                self.assertEqual(looks(b.path(name)), wanted)

    def test_what_was_synced_survives_the_machine(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            for name, size in (("small", 4096), ("large", 300_000)):
                descriptor = os.open(a.path(name), os.O_RDWR | os.O_CREAT, 0o600)
                os.write(descriptor, b"x" * size)
                set_all(descriptor)
                os.fsync(descriptor)
                a.status()
                a.kill()
                with contextlib.suppress(OSError):
                    os.close(descriptor)
                a.mount()
                for node in (a, b):
                    self.assertEqual(looks(node.path(name)), (0o640, USER, USER + 1, LONG_AGO_NS, size))
                self.assertEqual(read(a.path(name)), b"x" * size)

    def test_other_nodes_need_not_wait_for_close(self):
        """A log that is written for days: who locks others out of it does so within seconds."""
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            with open(a.path("log"), "wb", buffering=0) as log:
                log.write(b"first")
                os.chmod(a.path("log"), 0o600)
                self.assertEqual(looks(a.path("log"))[0], 0o600)
                eventually(lambda: looks(b.path("log"))[0] == 0o600, 30, "the mode on the other node")
                self.assertEqual(looks(b.path("log"))[4], 0)
                log.write(b"second")
            self.assertEqual(read(b.path("log")), b"firstsecond")
            self.assertEqual(looks(b.path("log"))[0], 0o600)

    def test_a_write_takes_setuid_away(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            write(a.path("program"), b"x")
            os.chmod(a.path("program"), 0o666)
            descriptor = os.open(a.path("program"), os.O_WRONLY)
            os.write(descriptor, b"y")
            os.fchmod(descriptor, 0o6777)
            self.assertEqual(looks(descriptor)[0], 0o6777)
            a.run("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "sh", "-c", "echo more >> program")
            self.assertEqual(looks(descriptor)[0], 0o777)
            os.close(descriptor)
            self.assertEqual(looks(b.path("program"))[0], 0o777)


if __name__ == "__main__":
    harness.main()
