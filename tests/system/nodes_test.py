"""Nodes that are found dead: what they may not do any more, what becomes of what they had written, how they come back."""

import json
import os
import subprocess
import sys
import time

import harness
from fleet import Fleet, FleetTest, eventually, read, write
from harness import SOURCE

sys.path.insert(0, os.path.join(SOURCE, "tests", "servers"))
from fault_server import FaultServer  # noqa: E402

WRITER = """
import sys
files = [open(name, "wb", buffering=0) for name in sys.argv[1:]]
for file in files:
    file.write(b"written by a")
print("written", flush=True)
sys.stdin.read()
for file in files:
    file.close()
"""
FOUND_DEAD_S = 40  # the lease of 20 s, a look every 2 s, and a slow machine


def state_of(observer, node):
    return next(member["state"] for member in observer.status()["members"] if member["mount_point"] == node.mount_point)


class Nodes(FleetTest):
    def test_a_node_that_was_stopped_keeps_what_it_wrote_beside_what_others_wrote(self):
        """The others had reason to think that it is dead, and went on. Neither side's bytes are lost."""
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            write(a.path("report"), b"first")
            write(a.path("untouched"), b"first")
            # A process of its own: whoever starts others closes its files in between, which waits for a stopped node.
            writer = a.popen(sys.executable, "-c", WRITER, "report", "untouched",
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.assertEqual(writer.stdout.readline(), b"written\n")
            a.stop()
            eventually(lambda: state_of(b, a) == "dead", FOUND_DEAD_S, "the stopped node is found dead")
            write(b.path("report"), b"written by b, which is longer")
            a.go_on()
            writer.communicate()
            self.assertEqual(writer.returncode, 0)
            time.sleep(1.5)  # the lifetime of names
            self.assertEqual(read(b.path("report")), b"written by b, which is longer")
            self.assertEqual(read(b.path("untouched")), b"written by a")
            copies = [name for name in os.listdir(b.mount_point) if ".conflict-" in name]
            self.assertEqual(len(copies), 1, copies)
            self.assertEqual(read(b.path(copies[0])), b"written by a")
            self.assertTrue(copies[0].startswith("report."), copies)
            self.assertEqual(read(a.path("report")), b"written by b, which is longer")
            status = a.status()
            self.assertTrue(any(copies[0] in report for report in status["reports"]), status["reports"])
            self.assertEqual(status["node"]["times_found_dead"], 1)
            eventually(lambda: state_of(b, a) == "alive", 10, "the others see that it is back")
            fleet.umount()
            fleet.fsck()

    def test_a_killed_node_is_dead_to_the_others_and_comes_back_as_itself(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            write(a.path("closed"), b"x" * 200_000)
            node = a.status()["node"]
            a.kill()
            eventually(lambda: state_of(b, a) == "dead", FOUND_DEAD_S, "the killed node is found dead")
            self.assertEqual(os.listdir(b.mount_point), ["closed"])
            a.mount()
            again = a.status()["node"]
            self.assertEqual(again["id"], node["id"])
            self.assertGreater(again["epoch"], node["epoch"])
            self.assertEqual(read(a.path("closed")), b"x" * 200_000)
            eventually(lambda: state_of(b, a) == "alive", 10, "the others see that it is back")
            a.sync("--to", "stored")
            self.assertEqual(read(b.path("closed")), b"x" * 200_000)
            fleet.umount()
            fleet.fsck()

    def test_what_another_node_has_to_upload_is_not_lost(self):
        """fsck sees one cache. What lies in those of other nodes is not damage."""
        with Fleet(2, store=FaultServer) as fleet:
            a, b = fleet.nodes
            a.cut_from_store()
            write(a.path("big"), os.urandom(300_000))
            found = json.loads(b.weir("fsck", b.mount_point, "--json").stdout)
            self.assertEqual((found["problems"], found["unstored_elsewhere"]), ([], 1))
            a.umount()
            found = json.loads(b.weir("fsck", b.mount_point, "--json").stdout)
            self.assertEqual((found["problems"], found["unstored_elsewhere"]), ([], 1))

    def test_one_cache_directory_is_one_node(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            second = os.path.join(b.root, "second")
            os.makedirs(second)
            refused = b.weir("mount", fleet.url, second, "--cache-dir", a.cache, check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(a.mount_point, refused.stderr)
            self.assertFalse(os.path.ismount(second))
            b.umount()
            b.mount()
            self.assertEqual(b.status()["node"]["id"], 2)

    def test_a_database_that_is_away_for_long_makes_nobody_dead(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            fleet.database.kill()
            time.sleep(25)
            fleet.database.start_again()
            write(a.path("file"), b"x")
            time.sleep(5)
            for observer, node in ((a, b), (b, a)):
                self.assertEqual(state_of(observer, node), "alive")
                self.assertEqual(observer.status()["node"]["times_found_dead"], 0)
            self.assertEqual(read(b.path("file")), b"x")


if __name__ == "__main__":
    harness.main()
