"""What tests of several nodes stand on works: nodes are killed, stopped, cut off and healed, the database dies and comes
back, and nothing of a fleet is left when its test has ended."""

import os
import signal
import subprocess
import sys
import threading
import time

import harness
from fleet import Fleet, FleetTest, eventually, read, write
from fleet_guardian import mounts, processes
from harness import SOURCE

sys.path.insert(0, os.path.join(SOURCE, "tests", "servers"))
from fault_server import FaultServer  # noqa: E402

# Ends by SIGKILL while its node is mounted.
DYING = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from fleet import Fleet
with Fleet(1) as fleet:
    print(fleet.root, flush=True)
    time.sleep(600)
"""


class Harness(FleetTest):
    def test_a_killed_node_comes_back_with_what_was_closed(self):
        with Fleet(1) as fleet:
            node = fleet.nodes[0]
            write(node.path("file"), b"closed")
            node.kill()
            self.assertFalse(node.mounted())
            node.mount()
            self.assertEqual(read(node.path("file")), b"closed")
            fleet.umount()
            fleet.fsck()

    def test_calls_wait_while_a_node_is_stopped(self):
        with Fleet(1) as fleet:
            node = fleet.nodes[0]
            node.stop()
            done = threading.Event()
            writer = threading.Thread(target=lambda: (write(node.path("file"), b"x"), done.set()))
            writer.start()
            self.assertFalse(done.wait(0.5))
            node.go_on()
            self.assertTrue(done.wait(20))
            writer.join()

    def test_a_database_that_was_killed_has_what_it_had(self):
        with Fleet(1) as fleet:
            node = fleet.nodes[0]
            write(node.path("file"), b"closed")
            node.umount()
            fleet.database.kill()
            fleet.database.start_again()
            node.mount()
            self.assertEqual(read(node.path("file")), b"closed")

    def test_a_store_in_s3_is_cut_off_and_comes_back(self):
        with Fleet(1, store=FaultServer) as fleet:
            node = fleet.nodes[0]
            write(node.path("before"), os.urandom(100_000))
            fleet.settle()
            self.assertEqual(node.state_of("before"), "stored")
            node.cut_from_store()
            write(node.path("after"), os.urandom(100_000))
            time.sleep(1)
            self.assertEqual(node.state_of("after"), "local")
            node.heal()
            fleet.settle()
            self.assertEqual(node.state_of("after"), "stored")
            self.assertGreaterEqual(len(fleet.server.counters()["objects"]), 2)

    def test_nothing_is_left_of_a_test_that_was_killed(self):
        test = subprocess.Popen((sys.executable, "-c", DYING, os.path.dirname(os.path.abspath(__file__))),
                                stdout=subprocess.PIPE, text=True)
        with test:
            root = test.stdout.readline().strip()
            self.assertIn("weir-fleet-", root)
            eventually(lambda: mounts(root), 60, "it is mounted")
            test.send_signal(signal.SIGKILL)
        eventually(lambda: not os.path.exists(root), 30, f"{root} is removed")
        self.assertEqual(processes(root + "/"), [])
        self.assertEqual(mounts(root), [])


if __name__ == "__main__":
    harness.main()
