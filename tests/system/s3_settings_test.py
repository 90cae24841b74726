"""Settings of a store that are wrong, at format and at mount: one sentence that names which."""

import os
import shutil

import harness
from s3_volume import S3Volume, servers

WRONG_ENVIRONMENT = (
    ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "the secret key is not that of this access key"),
    ({"AWS_ACCESS_KEY_ID": "wrong"}, "does not know this access key"),
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "there are no credentials for S3"),
)


class S3SettingsTest(harness.SystemTest):
    def one_sentence(self, done, *words):
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def attempt_mount(self, volume, **environment):
        return volume.weir("mount", volume.meta, volume.mount_point, "--cache-dir", volume.cache, "--log-file", volume.log,
                           *harness.OPTIONS, check=False, **environment)

    def attempts(self, volume):
        """The same wrong thing at format of another volume, and at mount of one that is there."""
        def attempt_format(**environment):
            return volume.weir("format", volume.meta + "-other", "--store", volume.url.replace("prefix", "other"), check=False,
                               **environment)

        return attempt_format, lambda **environment: self.attempt_mount(volume, **environment)

    def test_wrong_keys(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            for attempt in self.attempts(volume):
                for environment, words in WRONG_ENVIRONMENT:
                    self.one_sentence(attempt(**environment), words)

    def test_a_wrong_clock(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            server.command("settings", clock_skew_ms=3_600_000)
            for attempt in self.attempts(volume):
                self.one_sentence(attempt(), "the clock of this machine is wrong")

    def test_no_permission(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            server.command("credential", access_key="nothing", secret_key="s", may_read=False, may_write=False)
            server.command("credential", access_key="reader", secret_key="s", may_write=False)
            for attempt in self.attempts(volume):
                self.one_sentence(attempt(AWS_ACCESS_KEY_ID="nothing", AWS_SECRET_ACCESS_KEY="s"), "lack the permission", "s3:PutObject")
            attempt_format = self.attempts(volume)[0]
            self.one_sentence(attempt_format(AWS_ACCESS_KEY_ID="reader", AWS_SECRET_ACCESS_KEY="s"), "lack the permission")

    def test_a_bucket_that_is_not_there(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.url = volume.url.replace("bucket", "no-such-bucket", 1)
            self.one_sentence(volume.weir("format", volume.meta, "--store", volume.url, check=False), "the bucket does not exist")

    def test_a_store_that_is_gone_at_mount(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            marker = server.client().request("DELETE", "/bucket/some/prefix/weir-store")
            self.assertEqual(marker.status, 204)
            self.one_sentence(self.attempt_mount(volume), "weir-store")

    def test_another_region_is_named(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            refused = volume.weir("format", volume.meta, "--store", volume.url + "&region=eu-west-1", check=False)
            self.one_sentence(refused, "the bucket is in another region", "region= in the URL to us-east-1")

    def test_another_region_is_named_by_real_servers(self):
        # The others take every region.
        kinds = [kind for kind in servers.available() if kind is servers.Versitygw]
        if not kinds:
            self.skipTest("versitygw cannot be started here")
        with kinds[0]() as server, S3Volume(server) as volume:
            refused = volume.weir("format", volume.meta, "--store", volume.url + "&region=eu-west-1", check=False)
            self.one_sentence(refused, "the bucket is in another region", "us-east-1")

    def test_a_url_with_a_secret_is_refused_and_not_repeated(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            refused = volume.weir("format", volume.meta, "--store", "s3://key:hushhush@bucket/x", check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertNotIn("hushhush", refused.stdout + refused.stderr)
            # Nothing of all that is in the way of the right settings.
            volume.format()
            volume.mount()

    def test_credentials_of_the_machine_are_renewed_before_they_expire(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
                del volume.environment[name]
            volume.environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = server.control_url
            # The service has new ones at any time; those that Weir has end in eight seconds, less than its five minutes.
            server.command("metadata", lifetime_seconds=8, renew_seconds=4)
            volume.format()
            volume.mount()
            for number in range(12):
                with open(volume.path(str(number)), "wb") as file:
                    file.write(os.urandom(100_000))
                volume.weir("sync", volume.mount_point, "--to", "stored")
                harness.time.sleep(1)
            answers = server.counters()["answers"]
            self.assertEqual([name for name in answers if "Expired" in name or "Access" in name], [], answers)
            self.assertEqual(volume.status()["upload"]["errors"], 0)
            volume.weir("umount", volume.mount_point)
            shutil.rmtree(volume.cache)
            volume.mount()
            with open(volume.path("0"), "rb") as file:
                self.assertEqual(len(file.read()), 100_000)


if __name__ == "__main__":
    harness.main()
