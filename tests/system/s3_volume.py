"""A volume whose contents are in a bucket of a server that a test started."""

import json
import os
import shutil
import sys
import tempfile

import harness
from harness import WEIR, run
from small_disk import make_disk

sys.path.insert(0, os.path.join(harness.SOURCE, "tests", "servers"))
import servers  # noqa: E402, F401


class S3Volume:
    """One made by `weir format` in a bucket, mounted with the credentials of its server."""

    def __init__(self, server, disk_bytes=None):
        """With `disk_bytes` the cache lies on an ext4 of its own, in a file of that size."""
        self.root = tempfile.mkdtemp(prefix="weir-s3-", dir=harness.SCRATCH)
        self.meta = os.path.join(self.root, "meta")
        self.mount_point = os.path.join(self.root, "mount")
        self.cache = os.path.join(self.root, "cache")
        self.log = os.path.join(self.root, "log")
        os.mkdir(self.mount_point)
        self.disk = None
        if disk_bytes is not None:
            self.disk = make_disk(self.root, disk_bytes)
            self.cache = os.path.join(self.disk, "cache")
        self.url = f"s3://{server.bucket}/some/prefix?endpoint={server.url}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "HOME": self.root,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": server.credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": server.credentials.secret_key,
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.weir("umount", self.mount_point, check=False)
        run("umount", "-l", self.mount_point, check=False)
        if self.disk:
            run("umount", "-l", self.disk, check=False)
        shutil.rmtree(self.root, ignore_errors=True)

    def weir(self, *arguments, check=True, **environment):
        return run(WEIR, *arguments, check=check, env={**self.environment, **environment})

    def format(self, *options, **environment):
        return self.weir("format", self.meta, "--store", self.url, *options, check=not environment, **environment)

    def mount(self, *options):
        self.weir("mount", self.meta, self.mount_point, "--cache-dir", self.cache, "--log-file", self.log,
                  *harness.OPTIONS, *options)

    def status(self):
        return json.loads(self.weir("status", self.mount_point, "--json").stdout)

    def path(self, *parts):
        return os.path.join(self.mount_point, *parts)
