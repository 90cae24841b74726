"""What commands say of an object store that is away or slow: why they wait, and the figures for a monitor."""

import os
import re
import subprocess
import time

import harness
from s3_volume import S3Volume, servers


class S3StatusTest(harness.SystemTest):
    def start_sync(self, volume):
        return subprocess.Popen((harness.WEIR, "sync", volume.mount_point, "--to", "stored"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=volume.environment)

    def said_by(self, ended):
        with ended.stdout, ended.stderr:
            return ended.stdout.read() + ended.stderr.read()

    def test_a_sync_that_waits_for_the_store_says_why_once(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            volume.mount()
            server.command("settings", refuse_connections=True)
            with open(volume.path("file"), "wb") as file:
                file.write(os.urandom(200_000))
            waiting = self.start_sync(volume)
            time.sleep(4)
            self.assertIsNone(waiting.poll(), "sync returned although the store is away")
            shown = volume.weir("status", volume.mount_point).stdout
            self.assertRegex(shown, r"the store fails for \d+ s: .*connect")
            server.command("settings", refuse_connections=False)
            self.assertEqual(waiting.wait(60), 0)
            said = self.said_by(waiting)
            self.assertRegex(said, r"(?m)^syncing: the object store fails for \d+ s: .*$")
            self.assertEqual(said.count("syncing: "), 1, said)
            self.assertNotIn("the store fails", volume.weir("status", volume.mount_point).stdout)

    def test_a_sync_that_an_unmount_ends_calls_nothing_stored(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            volume.mount()
            server.command("settings", refuse_connections=True)
            with open(volume.path("file"), "wb") as file:
                file.write(os.urandom(200_000))
            waiting = self.start_sync(volume)
            time.sleep(1)
            volume.weir("umount", volume.mount_point)
            self.assertEqual(waiting.wait(60), 1)
            said = self.said_by(waiting)
            self.assertIn("0 files (0 B) are stored", said)
            self.assertIn("stopped while waiting for the upload", said)

    def test_a_sync_says_that_the_store_wants_fewer_requests(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            volume.mount()
            server.command("rate", requests_per_second=5, burst_ms=200)
            for number in range(60):
                with open(volume.path(str(number)), "wb") as file:
                    file.write(os.urandom(20_000))
            waiting = self.start_sync(volume)
            time.sleep(3)
            status = volume.status()["object_store"]
            self.assertGreater(status["refused"], 0)
            self.assertGreater(status["writes_per_second_max"], 0)
            server.command("rate", requests_per_second=0, burst_ms=200)
            self.assertEqual(waiting.wait(60), 0)
            said = self.said_by(waiting)
            self.assertIn("the object store asks for fewer requests", said)

    def test_the_figures_are_as_a_monitor_reads_them(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            refused = volume.weir("status", volume.meta, "--metrics", check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("is not mounted", refused.stderr)
            volume.mount()
            with open(volume.path("file"), "wb") as file:
                file.write(os.urandom(200_000))
            volume.weir("sync", volume.mount_point, "--to", "stored")
            figures = {}
            for line in volume.weir("status", volume.mount_point, "--metrics").stdout.splitlines():
                if not line.startswith("#"):
                    self.assertRegex(line, r'^weir_[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+$')
                    name, value = line.rsplit(" ", 1)
                    figures[re.sub(r"\{.*", "", name)] = float(value)
            self.assertEqual(figures["weir_upload_bytes_total"], 200_000)
            self.assertEqual(figures["weir_upload_backlog_bytes"], 0)
            self.assertEqual(figures["weir_store_failing_seconds"], 0)
            self.assertEqual(figures["weir_info"], 1)


if __name__ == "__main__":
    harness.main()
