"""The fault server of our own (docs/test-servers.md), and its commands."""

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

    def __init__(self):
        super().__init__()
        self.control_url = ""

    @classmethod
    def why_not(cls):
        return None if os.path.exists(PROGRAM) else f"{PROGRAM} is not built"

    def describe(self):
        return "fault server of our own"

    def launch(self):
        process = self.spawn(PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = urllib.parse.urlsplit(process.stdout.readline().strip()).port
        self.control_url = process.stdout.readline().strip()

    def command(self, name, **document):
        """One of the commands of docs/test-servers.md: command("add", kind="slow_down", count=3)."""
        request = urllib.request.Request(f"{self.control_url}/_fault/{name}", data=json.dumps(document).encode())
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def counters(self):
        with urllib.request.urlopen(f"{self.control_url}/_fault/counters", timeout=30) as reply:
            return json.load(reply)
