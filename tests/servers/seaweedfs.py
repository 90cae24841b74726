"""SeaweedFS: master, volume server, filer and S3 gateway in one process."""

import json
import os
import subprocess

from server import ACCESS_KEY, PREPARED, SECRET_KEY, Server, free_ports

PROGRAM = os.path.join(PREPARED, "venv", "bin", "weed")


class Seaweedfs(Server):
    name = "seaweedfs"

    @classmethod
    def why_not(cls):
        return None if os.path.exists(PROGRAM) else "SeaweedFS is not installed; tests/servers/prepare does it"

    def describe(self):
        done = subprocess.run((PROGRAM, "version"), capture_output=True, text=True, check=False)
        return "SeaweedFS " + " ".join(done.stdout.split("\n", maxsplit=1)[0].split()[2:3])

    def launch(self):
        names = ["master", "volume", "filer", "s3"]
        ports = free_ports(2 * len(names))
        options = []
        for index, name in enumerate(names):
            options += [f"-{name}.port={ports[2 * index]}", f"-{name}.port.grpc={ports[2 * index + 1]}"]
        self.port = ports[6]
        os.mkdir(self.path("data"))
        identity = {"name": "weir", "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}], "actions": ["Admin"]}
        with open(self.path("s3.json"), "w", encoding="utf-8") as file:
            json.dump({"identities": [identity]}, file)
        self.spawn(PROGRAM, "server", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={self.path('data')}",
                   f"-s3.config={self.path('s3.json')}", "-s3.port.iceberg=0", "-s3.port.lance=0",
                   "-s3.autoCreateBucket=false", "-s3.iam=false", "-master.telemetry=false",
                   "-master.volumeSizeLimitMB=1024", "-volume.max=100", *options)
