"""The fault server of our own (docs/test-servers.md), and its commands."""

import contextlib
import json
import os
import subprocess
import urllib.parse
import urllib.request

from server import SOURCE, Server

PROGRAM = os.environ.get("WEIR_S3_FAULT_SERVER",
                         os.path.join(SOURCE, "build", "release", "src", "testing", "weir_s3_fault_server"))


class FaultServer(Server):
    name = "fault-server"

    def __init__(self, machine=None, address="127.0.0.1"):
        """Listens on that address; with a `machine` (tests/system/fleet_network.py), there."""
        super().__init__()
        self.machine, self.address = machine, address
        self.control_url = ""

    @property
    def url(self):
        return f"http://{self.address}:{self.port}"

    def sockets(self):
        """Within, this thread reaches the server."""
        return self.machine.sockets() if self.machine else contextlib.nullcontext()

    def make_bucket(self):
        with self.sockets():
            return super().make_bucket()

    @classmethod
    def why_not(cls):
        return None if os.path.exists(PROGRAM) else f"{PROGRAM} is not built"

    def describe(self):
        return "fault server of our own"

    def launch(self):
        inside = self.machine.inside() if self.machine else ()
        process = self.spawn(*inside, PROGRAM, "0", "0", self.address, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = urllib.parse.urlsplit(process.stdout.readline().strip()).port
        self.control_url = process.stdout.readline().strip()

    def command(self, name, **document):
        """One of the commands of docs/test-servers.md: command("add", kind="slow_down", count=3)."""
        request = urllib.request.Request(f"{self.control_url}/_fault/{name}", data=json.dumps(document).encode())
        with self.sockets(), urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def counters(self):
        with self.sockets(), urllib.request.urlopen(f"{self.control_url}/_fault/counters", timeout=30) as reply:
            return json.load(reply)
