"""The network that tests of several nodes run on cuts what it is told to cut, and nothing else."""

import socket
import threading
import unittest

import fleet_network
import harness
from fleet_network import DATABASE, STORE, FleetNetwork


class Listener:
    """Answers everybody who connects, on one machine."""

    def __init__(self, machine, address):
        with machine.sockets():
            self.socket = socket.socket()
        self.socket.bind((address, 0))
        self.socket.listen()
        self.address = self.socket.getsockname()
        threading.Thread(target=self.answer, daemon=True).start()

    def answer(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"here")


def reaches(machine, listener):
    with machine.sockets():
        connection = socket.socket()
    with connection:
        connection.settimeout(0.5)
        try:
            connection.connect(listener.address)
            return connection.recv(4) == b"here"
        except OSError:
            return False


@unittest.skipIf(fleet_network.why_not(), str(fleet_network.why_not()))
class Network(harness.SystemTest):
    def setUp(self):
        self.network = FleetNetwork(3)
        self.addCleanup(self.network.close)
        a, b, c = self.network.nodes
        self.listeners = {"database": Listener(self.network.hub, DATABASE), "store": Listener(self.network.hub, STORE),
                          "a": Listener(a, a.address), "b": Listener(b, b.address), "c": Listener(c, c.address)}
        for listener in self.listeners.values():
            self.addCleanup(listener.socket.close)

    def heard(self, node):
        return {name for name, listener in self.listeners.items() if reaches(node, listener)}

    def test_all_reach_all(self):
        for node in self.network.nodes:
            self.assertEqual(self.heard(node), {"database", "store", "a", "b", "c"})

    def test_a_cut_between_two_nodes_is_between_these_two_only(self):
        a, b, c = self.network.nodes
        self.network.cut(a, b.address)
        self.assertEqual(self.heard(a), {"database", "store", "a", "c"})
        self.assertEqual(self.heard(b), {"database", "store", "b", "c"})
        self.assertEqual(self.heard(c), {"database", "store", "a", "b", "c"})
        self.network.heal(b)
        self.test_all_reach_all()

    def test_a_node_is_cut_from_the_database_alone(self):
        a, b, _ = self.network.nodes
        self.network.cut(a, DATABASE)
        self.assertEqual(self.heard(a), {"store", "a", "b", "c"})
        self.assertEqual(self.heard(b), {"database", "store", "a", "b", "c"})
        self.network.heal(a)
        self.test_all_reach_all()

    def test_an_unplugged_node_is_alone(self):
        a, b, _ = self.network.nodes
        self.network.unplug(b)
        self.assertEqual(self.heard(b), {"b"})
        self.assertEqual(self.heard(a), {"database", "store", "a", "c"})
        self.network.heal(b)
        self.test_all_reach_all()


if __name__ == "__main__":
    harness.main()
