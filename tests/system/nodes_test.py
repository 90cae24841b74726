"""What makes a node a node: its cache directory; and what of it other nodes cannot see."""

import json
import os
import signal
import sys
import time

import harness
from fleet import Fleet, FleetTest, read, write
from harness import SOURCE

sys.path.insert(0, os.path.join(SOURCE, "tests", "servers"))
from fault_server import FaultServer  # noqa: E402


def state_of(observer, node):
    return next(member["state"] for member in observer.status()["members"] if member["mount_point"] == node.mount_point)


class Nodes(FleetTest):
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

    def test_a_daemon_that_dies_while_the_store_is_away_comes_back(self):
        """It looked for the store before it served: every call hung until the store was back."""
        with Fleet(1, store=FaultServer) as fleet:
            node = fleet.nodes[0]
            write(node.path("before"), b"b" * 100_000)
            node.status()
            node.cut_from_store()
            daemon = node.pids[0]
            os.kill(daemon, signal.SIGKILL)
            write(node.path("after"), b"a" * 100_000)
            self.assertEqual(read(node.path("before")), b"b" * 100_000)
            self.assertNotEqual(node.status()["pid"], daemon)
            node.heal()
            node.sync("--to", "stored")
            fleet.umount()
            fleet.fsck()

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
