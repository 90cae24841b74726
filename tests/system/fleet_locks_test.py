"""fcntl and flock locks between programs on several nodes: they exclude each other, wait in turn, see what was written
under the lock before, and end with the program, with its node, but not with the daemon."""

import fcntl
import os
import signal
import struct
import subprocess
import sys
import threading
import time

import harness
from fleet import Fleet, FleetTest, eventually, read, write
from harness import wait_until_gone

ROUNDS = int(os.environ.get("WEIR_TEST_LOCK_ROUNDS", "40"))
LEASE_S = 20  # after which a node that is not heard of is dead
TELL_S = 10   # for what should take no time on a loaded machine

# Raises a number in a file, which it keeps open, so often, each time under a lock; the file is as long as the number.
COUNTER = """
import fcntl, os, sys
path, kind, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
fd = os.open(path, os.O_RDWR)
for _ in range(rounds):
    if kind == "flock":
        fcntl.flock(fd, fcntl.LOCK_EX)
    else:
        fcntl.lockf(fd, fcntl.LOCK_EX, 1 << 30, 0)
    number = int(os.pread(fd, 20, 0) or b"0")
    assert os.fstat(fd).st_size in (0, 20 + number), (number, os.fstat(fd).st_size)
    os.pwrite(fd, b"%020d" % (number + 1), 0)
    os.pwrite(fd, b"x", 20 + number)
    if kind == "flock":
        fcntl.flock(fd, fcntl.LOCK_UN)
    else:
        fcntl.lockf(fd, fcntl.LOCK_UN, 1 << 30, 0)
"""

# Takes a lock, says so, and holds it until it is told to give it up, or ends.
HOLDER = """
import fcntl, os, struct, sys
path, kind, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
fd = os.open(path, os.O_RDWR)
def ofd(command, kind):
    fcntl.fcntl(fd, command, struct.pack("hhqqi4x", kind, os.SEEK_SET, first, count, 0))
try:
    if kind == "flock":
        fcntl.flock(fd, fcntl.LOCK_EX)
    elif kind == "ofd":
        ofd(38, fcntl.F_WRLCK)
    else:
        fcntl.lockf(fd, fcntl.LOCK_EX, count, first)
    print("held", flush=True)
except OSError as failure:
    print(failure.errno, flush=True)
for line in sys.stdin:
    word = line.strip()
    try:
        if word == "close":
            os.close(fd)
        elif word == "unlock" and kind == "flock":
            fcntl.flock(fd, fcntl.LOCK_UN)
        elif word == "unlock":
            fcntl.lockf(fd, fcntl.LOCK_UN, count, first)
        else:
            first, count = (int(number) for number in word.split())
            fcntl.lockf(fd, fcntl.LOCK_EX, count, first)
        print("done", flush=True)
    except OSError as failure:
        print(failure.errno, flush=True)
"""


class Holder:
    """A program that has, or waits for, a lock."""

    def __init__(self, node, name, kind="posix", first=0, count=0):
        self.process = node.popen(sys.executable, "-c", HOLDER, node.path(name), kind, str(first), str(count),
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = []
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()

    def listen(self):
        with self.process.stdout as output:
            for line in output:
                self.said.append(line.strip())

    def expect(self, *words, seconds=TELL_S):
        return eventually(lambda: self.said == list(words), seconds, f"the program says {words}, not {self.said}")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.listener.join()

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=60)
        self.process.stdin.close()
        self.listener.join()


class Locks(FleetTest):
    def holder(self, *arguments, **options):
        holder = Holder(*arguments, **options)
        self.addCleanup(holder.kill)
        return holder

    def test_a_number_raised_by_programs_on_two_nodes(self):
        for kind in ("flock", "posix"):
            with self.subTest(kind), Fleet(2) as fleet:
                write(fleet.nodes[0].path("number"), b"")
                start = time.monotonic()
                programs = [node.popen(sys.executable, "-c", COUNTER, node.path("number"), kind, str(ROUNDS))
                            for node in fleet.nodes for _ in range(2)]
                self.assertEqual([program.wait(timeout=300) for program in programs], [0] * 4)
                took = time.monotonic() - start
                content = read(fleet.nodes[1].path("number"))
                self.assertEqual((int(content[:20]), len(content)), (4 * ROUNDS, 20 + 4 * ROUNDS))
                print(f"{kind}: {4 * ROUNDS / took:.0f} turns/s over two nodes", file=sys.stderr)
                fleet.umount()
                fleet.fsck()

    def test_what_ends_a_lock(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            write(a.path("file"), b"x" * 100)
            for end in ("unlock", "close", "kill", "end"):
                for kind in ("posix", "flock", "ofd"):
                    if (end, kind) == ("unlock", "ofd"):
                        continue
                    with self.subTest(kind, end=end):
                        holder = self.holder(a, "file", kind)
                        holder.expect("held")
                        waiting = self.holder(b, "file", "flock" if kind == "flock" else "posix")
                        time.sleep(0.3)
                        self.assertEqual(waiting.said, [])
                        if end in ("unlock", "close"):
                            holder.ask(end)
                        elif end == "kill":
                            holder.kill()
                        else:
                            holder.end()
                        took = waiting.expect("held")
                        self.assertLess(took, TELL_S)
                        waiting.end()
                        holder.kill()

    def test_a_lock_of_another_node_is_shown_without_a_process(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            write(a.path("file"), b"x" * 100)
            self.holder(a, "file", "posix", 10, 5).expect("held")
            with open(b.path("file"), "r+b") as file:
                answer = fcntl.fcntl(file, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
                kind, _, first, count, pid = struct.unpack("hhqqi4x", answer)
                self.assertEqual((kind, first, count, pid), (fcntl.F_WRLCK, 10, 5, 0))
                with self.assertRaises(BlockingIOError):
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 12)
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 0)

    def test_a_signal_ends_a_wait_and_leaves_nothing(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            write(a.path("file"), b"")
            holder = self.holder(a, "file", "flock")
            holder.expect("held")
            start = time.monotonic()
            self.assertEqual(b.run("flock", "--wait", "1", b.path("file"), "true", check=False).returncode, 1)
            self.assertLess(time.monotonic() - start, TELL_S)
            holder.end()
            self.assertEqual(a.run("flock", "--nonblock", a.path("file"), "true", check=False).returncode, 0)

    def test_programs_on_two_nodes_that_wait_for_each_other(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            write(a.path("file"), b"x" * 100)
            one = self.holder(a, "file", "posix", 0, 10)
            two = self.holder(b, "file", "posix", 50, 10)
            one.expect("held")
            two.expect("held")
            one.ask("50 10")
            time.sleep(0.5)
            two.ask("0 10")
            deadlock = ["held", str(35)]  # EDEADLK
            eventually(lambda: deadlock in (one.said, two.said), TELL_S, "one of them is told")
            (two if one.said == deadlock else one).said.append("the other")
            (one if one.said == deadlock else two).end()
            last = two if two.said[-1] == "the other" else one
            last.said.remove("the other")
            last.expect("held", "done")

    def test_a_daemon_that_is_killed_holds_on(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            write(a.path("file"), b"")
            holder = self.holder(a, "file", "flock")
            ranges = self.holder(a, "file", "posix", 3, 4)
            holder.expect("held")
            ranges.expect("held")
            waiting = self.holder(b, "file", "flock")
            behind = self.holder(a, "file", "posix", 0, 10)
            for _ in range(2):
                pid = a.status()["pid"]
                os.kill(pid, signal.SIGKILL)
                wait_until_gone(pid)
                with open(b.path("file"), "r+b") as file, self.assertRaises(BlockingIOError):
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                a.status()
            self.assertEqual((waiting.said, behind.said), ([], []))
            holder.ask("unlock")
            waiting.expect("held")
            ranges.end()
            behind.expect("held")
            self.assertEqual(a.status()["reports"], [])

    def test_locks_of_a_node_that_dies_go_to_who_waits(self):
        with Fleet(3) as fleet:
            a, b, c = fleet.nodes
            write(a.path("file"), b"")
            holder = self.holder(a, "file", "flock")
            holder.expect("held")
            waiting = self.holder(b, "file", "flock")
            time.sleep(0.5)
            a.kill()
            took = waiting.expect("held", seconds=LEASE_S + 2 * TELL_S)
            print(f"the lock of a dead node was free after {took:.1f} s", file=sys.stderr)
            self.assertEqual(c.run("flock", "--nonblock", c.path("file"), "true", check=False).returncode, 1)
            a.mount()
            self.assertEqual(a.run("flock", "--nonblock", a.path("file"), "true", check=False).returncode, 1)
            waiting.end()
            self.assertEqual(a.run("flock", "--nonblock", a.path("file"), "true", check=False).returncode, 0)

    def test_locks_end_with_the_mount(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            write(a.path("file"), b"")
            holder = self.holder(a, "file", "flock")
            holder.expect("held")
            waiting = self.holder(b, "file", "flock")
            time.sleep(0.3)
            os.kill(a.status()["pid"], signal.SIGTERM)  # unmounts; what is open is served for some more seconds
            waiting.expect("held", seconds=60)
            eventually(lambda: sorted(member["state"] for member in b.status()["members"]) == ["alive", "left"], 30,
                       "the other node has left by itself")

    def test_locks_of_a_mount_that_keeps_them_to_itself(self):
        with Fleet(2, options=["--locks", "local"]) as fleet:
            a, b = fleet.nodes
            write(a.path("file"), b"")
            self.assertEqual(a.status()["locks"], "local")
            holder = self.holder(a, "file", "flock")
            holder.expect("held")
            self.assertEqual(a.run("flock", "--nonblock", a.path("file"), "true", check=False).returncode, 1)
            self.assertEqual(b.run("flock", "--nonblock", b.path("file"), "true", check=False).returncode, 0)


if __name__ == "__main__":
    harness.main()
