"""Three nodes mount one volume: what one does, the others see."""

import os

import harness
from fleet import Fleet, FleetTest, eventually, read, write


class ThreeNodes(FleetTest):
    def test_names_of_one_node_are_names_of_all(self):
        with Fleet() as fleet:
            a, b, c = fleet.nodes
            os.mkdir(a.path("directory"))
            write(b.path("directory", "one"), b"1")
            write(c.path("directory", "two"), b"2")
            for node in fleet.nodes:
                self.assertEqual(sorted(os.listdir(node.path("directory"))), ["one", "two"], node)
            os.rename(c.path("directory", "one"), c.path("directory", "three"))
            self.assertEqual(read(a.path("directory", "three")), b"1")
            os.unlink(a.path("directory", "two"))
            for node in fleet.nodes:
                eventually(lambda: sorted(os.listdir(node.path("directory"))) == ["three"], 2, f"{node} sees one name")

    def test_a_node_that_was_unmounted_finds_what_others_did(self):
        with Fleet() as fleet:
            a, b, _ = fleet.nodes
            write(a.path("file"), b"first")
            self.assertEqual(read(b.path("file")), b"first")
            b.umount()
            write(a.path("file"), b"second")
            b.mount()
            self.assertEqual(read(b.path("file")), b"second")
            fleet.umount()
            fleet.fsck()

    def test_a_killed_node_comes_back(self):
        with Fleet() as fleet:
            a, b, _ = fleet.nodes
            write(b.path("file"), b"closed")
            b.kill()
            self.assertEqual(read(a.path("file")), b"closed")
            b.mount()
            self.assertEqual(read(b.path("file")), b"closed")


if __name__ == "__main__":
    harness.main()
