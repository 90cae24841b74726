"""Nodes that were taken for dead come back by themselves, and lose nothing that they had written."""

import os
import threading

import harness
from fleet import Fleet, FleetTest, OpenFile, eventually, read, write
from fleet_members_test import LEASE_S, states


class Background:
    """A call that may wait."""

    def __init__(self, action):
        self.action, self.failure = action, None
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        try:
            self.action()
        except OSError as failure:
            self.failure = failure

    def waits(self, seconds):
        self.thread.join(seconds)
        return self.thread.is_alive()


class Fenced(FleetTest):
    def test_nodes_that_were_taken_for_dead_come_back_and_lose_nothing(self):
        """a hangs, b is cut off; c goes on, and changes what a was writing. After that each is there again."""
        with Fleet() as fleet:
            a, b, c = fleet.nodes
            write(a.path("shared"), b"first")
            write(a.path("own"), b"first")
            shared, own = OpenFile(a.path("shared"), "r+b"), OpenFile(a.path("own"), "r+b")
            shared.write(b"written by a while it hung")
            own.write(b"written by a, and by nobody else")
            a.stop()
            b.unplug()
            creation = Background(lambda: write(b.path("cut-off"), b"written by b"))
            eventually(lambda: states(c).get("node-a") == states(c).get("node-b") == "dead", LEASE_S * 2, "a and b are dead")
            write(c.path("shared"), b"written by c")
            self.assertTrue(creation.waits(0.1), "a node without a database made a file")
            a.go_on()
            b.heal()
            shared.close()
            own.close()
            eventually(lambda: set(states(c).values()) == {"alive"}, LEASE_S, "all are alive again")
            self.assertFalse(creation.waits(60))
            self.assertIsNone(creation.failure)
            for node in fleet.nodes:
                self.assertEqual(read(node.path("shared")), b"written by c", node)
                self.assertEqual(read(node.path("own")), b"written by a, and by nobody else", node)
                self.assertEqual(read(node.path("cut-off")), b"written by b", node)
            self.assert_conflict_copy(fleet, b"written by a while it hung")
            fleet.umount()
            fleet.fsck()

    def assert_conflict_copy(self, fleet, content):
        a, _, c = fleet.nodes
        copies = [name for name in os.listdir(c.path()) if name not in ("shared", "own", "cut-off")]
        self.assertEqual(len(copies), 1, copies)
        self.assertTrue(copies[0].startswith("shared"), copies)
        self.assertEqual(read(c.path(copies[0])), content)
        self.assertTrue(any(copies[0] in report for report in a.status()["reports"]), a.status()["reports"])


if __name__ == "__main__":
    harness.main()
