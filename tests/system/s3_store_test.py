"""A volume whose contents are in S3: what was stored is there again on a machine that has nothing, with every server that runs here."""

import os
import shutil
import subprocess

import harness
from s3_volume import S3Volume, servers

SECRETS = ("weir-secret",)


def make_tree(top):
    """Files of every form that content has, some larger than a chunk."""
    for name, size in (("empty", 0), ("inline", 100), ("small", 30_000), ("image", 5_000_000), ("large", 60_000_000)):
        with open(os.path.join(top, name), "wb") as file:
            file.write(os.urandom(size))


class S3StoreTest(harness.SystemTest):
    def with_every_server(self, work):
        kinds = servers.available(servers.ALL)
        self.assertTrue(kinds, "no S3 server can be started here")
        for kind in kinds:
            with self.subTest(server=kind.name), kind() as server, S3Volume(server) as volume:
                print(f"with {server.describe()}", flush=True)
                work(volume)

    def test_what_is_stored_survives_the_loss_of_the_whole_cache(self):
        def work(volume):
            volume.format()
            volume.mount()
            make_tree(volume.mount_point)
            before = harness.fingerprint(volume.mount_point)
            volume.weir("sync", volume.mount_point, "--to", "stored")
            volume.weir("umount", volume.mount_point)
            shutil.rmtree(volume.cache)
            volume.mount()
            self.assertEqual(harness.fingerprint(volume.mount_point), before)
            volume.weir("fsck", "--deep", volume.mount_point)
            os.unlink(volume.path("large"))
            volume.weir("gc", "--now", volume.mount_point)
            volume.weir("umount", volume.mount_point)
            volume.weir("fsck", "--deep", volume.meta)

        self.with_every_server(work)

    def test_no_secret_is_shown_or_kept(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            texts = [volume.format().stdout]
            volume.mount()
            make_tree(volume.mount_point)
            volume.weir("sync", volume.mount_point, "--to", "stored")
            texts += [volume.weir("status", volume.mount_point).stdout, volume.weir("status", "--json", volume.mount_point).stdout]
            self.assertIn("s3://bucket/some/prefix?endpoint=http://127.0.0.1", texts[1])
            volume.weir("umount", volume.mount_point)
            with open(volume.log, encoding="utf-8") as file:
                texts.append(file.read())
            for secret in (*SECRETS, server.credentials.access_key):
                for text in texts:
                    self.assertNotIn(secret, text)
                found = subprocess.run(("grep", "-rlF", secret, volume.meta, volume.cache), capture_output=True, text=True, check=False)
                self.assertEqual(found.stdout, "")

    def test_credentials_reach_the_daemon_that_takes_over(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            volume.mount()
            volume.weir("upgrade", volume.mount_point)
            with open(volume.path("after-upgrade"), "wb") as file:
                file.write(os.urandom(200_000))
            volume.weir("sync", volume.mount_point, "--to", "stored")


if __name__ == "__main__":
    harness.main()
