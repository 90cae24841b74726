"""Ceph's S3 gateway, with one monitor and one OSD that keeps everything in memory."""

import os
import shutil
import subprocess
import uuid

from server import ACCESS_KEY, SECRET_KEY, Server, free_ports

PROGRAMS = ("ceph-mon", "ceph-osd", "ceph", "radosgw", "radosgw-admin", "monmaptool")

SETTINGS = """
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{monitor}
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 10000
mon data avail crit = 1
run dir = {directory}/run
admin socket = {directory}/run/$name.asok
pid file =
log file = {directory}/$name.log
log to stderr = false
keyring = {directory}/keyring
mon data = {directory}/mon
osd data = {directory}/osd
osd objectstore = memstore
memstore device bytes = {bytes}
osd max object name len = 256
osd max object namespace len = 64
osd heartbeat grace = 120
rgw data = {directory}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw thread pool size = 64
rgw enable usage log = false
rgw run sync thread = false
rgw dns name =
"""


class Radosgw(Server):
    name = "radosgw"
    memory_bytes = 4 << 30

    @classmethod
    def why_not(cls):
        missing = [program for program in PROGRAMS if shutil.which(program) is None]
        return f"{', '.join(missing)} of Ceph is missing" if missing else None

    def describe(self):
        done = subprocess.run(("radosgw", "--version"), capture_output=True, text=True, check=False)
        return "Ceph radosgw " + " ".join(done.stdout.split()[2:3])

    def launch(self):
        [monitor, self.port] = free_ports(2)
        fsid = str(uuid.uuid4())
        for name in ("run", "mon", "osd", "rgw"):
            os.mkdir(self.path(name))
        with open(self.path("ceph.conf"), "w", encoding="utf-8") as file:
            file.write(SETTINGS.format(fsid=fsid, monitor=monitor, port=self.port, directory=self.directory,
                                       bytes=self.memory_bytes))
        self.start_monitor(fsid, monitor)
        self.start_osd()
        self.ceph("radosgw-admin", "user", "create", "--uid=weir", "--display-name=weir", f"--access-key={ACCESS_KEY}",
                  f"--secret={SECRET_KEY}")
        self.spawn("radosgw", "-c", self.path("ceph.conf"), "-n", "client.admin", "-f")

    def ceph(self, program, *arguments):
        return self.run(program, "-c", self.path("ceph.conf"), *arguments)

    def start_monitor(self, fsid, port):
        self.run("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{port}]", "--fsid", fsid, self.path("monmap"))
        self.ceph("ceph-mon", "--mkfs", "-i", "a", "--monmap", self.path("monmap"))
        self.spawn("ceph-mon", "-c", self.path("ceph.conf"), "-i", "a", "-f")

    def start_osd(self):
        identity = str(uuid.uuid4())
        self.ceph("ceph", "--connect-timeout", "30", "osd", "new", identity)
        self.ceph("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)
        self.spawn("ceph-osd", "-c", self.path("ceph.conf"), "-i", "0", "-f")
        self.wait_until("its OSD is up", lambda: " 1 up" in self.ceph("ceph", "--connect-timeout", "30", "osd", "stat"))
