"""Every node knows all nodes of the volume, and finds out within the lease of 20 s which of them are dead."""

import harness
from fleet import Fleet, FleetTest, eventually, read, write

LEASE_S = 20


def states(node):
    return {member["host"]: member["state"] for member in node.status().get("members", ())}


class Members(FleetTest):
    def test_status_on_any_node_shows_all_nodes(self):
        with Fleet(mounted=False) as fleet:
            for node, zone in zip(fleet.nodes, ("east", "east", "west")):
                node.mount("--zone", zone)
            for node in fleet.nodes:
                eventually(lambda: len(node.status().get("members", ())) == 3, 10, f"{node} knows three nodes")
                members = node.status()["members"]
                self.assertEqual({member["host"]: member["zone"] for member in members},
                                 {"node-a": "east", "node-b": "east", "node-c": "west"})
                self.assertEqual({member["state"] for member in members}, {"alive"})
                self.assertEqual(len({member["node"] for member in members}), 3)
                text = node.weir("status", node.mount_point).stdout
                for other in fleet.nodes:
                    self.assertIn(other.machine.hostname, text)
            fleet.nodes[2].umount()
            eventually(lambda: states(fleet.nodes[0]).get("node-c") == "left", 10, "c has left")

    def test_a_dead_node_that_was_killed_comes_back_as_the_same_node(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            write(b.path("closed"), b"closed")
            number = b.status()["node"]["id"]
            b.kill()
            eventually(lambda: states(a).get("node-b") == "dead", LEASE_S * 2, "b is dead")
            b.mount()
            self.assertEqual(b.status()["node"]["id"], number)
            self.assertEqual(read(b.path("closed")), b"closed")
            eventually(lambda: states(a).get("node-b") == "alive", 10, "b is alive")


if __name__ == "__main__":
    harness.main()
