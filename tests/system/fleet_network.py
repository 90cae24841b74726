"""Machines of a test on one wire: network namespaces, joined by a bridge in a namespace of their own, the hub.

Nothing is visible outside of these namespaces, so any number of networks can exist at a time. They share the
filesystem: what one mounts is a path for all. They are gone when this process and theirs have ended.
"""

import contextlib
import ctypes
import os
import subprocess

from harness import run

NETWORK = "10.77.0"
DATABASE = f"{NETWORK}.1"
STORE = f"{NETWORK}.2"
FIRST_NODE = 11
# Of nobody: frames to it are lost, silently, as on a cut cable.
NOBODY = "02:00:00:00:00:01"
CLONE_NEWNET = 0x40000000


def why_not():
    """The reason why there can be no such network here, or None."""
    done = run("unshare", "--net", "--uts", "ip", "link", "add", "probe", "type", "veth", "peer", "name", "other", check=False)
    if done.returncode != 0:
        return f"no network namespace can be made: {done.stderr.strip()}"
    return None


class Machine:
    """A namespace with `hostname`; at `address` once it is plugged in."""

    def __init__(self, hostname, address=None):
        self.hostname, self.address = hostname, address
        # Holds the namespaces while nobody else is in them.
        self.holder = subprocess.Popen(  # pylint: disable=consider-using-with
            ("setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--uts", "sh", "-c",
             f"hostname {hostname} && ip link set lo up && echo ready && exec cat"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "ready\n":
            raise AssertionError(f"no namespace for {hostname}")

    def inside(self, *command):
        """The command that does `command` on this machine."""
        return ("nsenter", f"--net=/proc/{self.holder.pid}/ns/net", f"--uts=/proc/{self.holder.pid}/ns/uts", "--", *command)

    def run(self, *command, **options):
        return run(*self.inside(*command), **options)

    @contextlib.contextmanager
    def sockets(self):
        """Sockets that this thread makes within are sockets of the machine, also afterwards."""
        libc = ctypes.CDLL(None, use_errno=True)

        def enter(descriptor):
            if libc.setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"enter the network of {self.hostname}")

        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/proc/{self.holder.pid}/ns/net", os.O_RDONLY)
        try:
            enter(there)
            yield
        finally:
            enter(home)
            os.close(home)
            os.close(there)

    def close(self):
        self.holder.stdin.close()
        self.holder.stdout.close()
        self.holder.kill()
        self.holder.wait()


class FleetNetwork:
    """`nodes`, machines called node-a, node-b, ..., and the `hub`, which has the addresses of database and store."""

    def __init__(self, count):
        self.hub = Machine("hub")
        self.nodes = []
        self.hub.run("ip", "link", "add", "bridge", "type", "bridge")
        for address in (DATABASE, STORE):
            self.hub.run("ip", "address", "add", f"{address}/24", "dev", "bridge")
        self.hub.run("ip", "link", "set", "bridge", "up")
        for number in range(count):
            self._add_node(number)

    def _add_node(self, number):
        name = chr(ord("a") + number)
        node = Machine(f"node-{name}", f"{NETWORK}.{FIRST_NODE + number}")
        self.nodes.append(node)
        self.hub.run("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "wire", "netns", str(node.holder.pid))
        self.hub.run("ip", "link", "set", f"to-{name}", "master", "bridge", "up")
        node.run("ip", "address", "add", f"{node.address}/24", "dev", "wire")
        node.run("ip", "link", "set", "wire", "up")

    def cut(self, node, address):
        """`node` is heard by nobody at `address` any more, nor hears anybody there, if that is a node."""
        self._lose(node, address)
        for other in self.nodes:
            if other.address == address:
                self._lose(other, node.address)

    def unplug(self, node):
        """`node` hears nobody and is heard by nobody."""
        self.hub.run("ip", "link", "set", f"to-{node.hostname[-1]}", "down")

    def heal(self, node):
        """Undoes all that was done to `node`, and what machines learnt from it: they ask for addresses anew."""
        self.hub.run("ip", "link", "set", f"to-{node.hostname[-1]}", "up")
        node.run("sh", "-c", "until ip link show wire | grep -q 'state UP'; do sleep 0.01; done", timeout=20)
        for other in (*self.nodes, self.hub):
            what = ("all",) if other is node else ("to", node.address)
            other.run("ip", "neighbour", "flush", *what, "nud", "all")

    @staticmethod
    def _lose(node, address):
        node.run("ip", "neighbour", "replace", address, "lladdr", NOBODY, "dev", "wire", "nud", "permanent")

    def close(self):
        for machine in (*self.nodes, self.hub):
            machine.close()
