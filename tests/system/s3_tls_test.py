"""A store behind TLS with an authority of its own, and behind proxies: what is right works, what is wrong is one sentence."""

import os
import shutil

import harness
from s3_volume import S3Volume, servers

import certificates  # of tests/servers, which s3_volume makes known
import relay

ROUND_BYTES = 5_000_000


class S3TlsTest(harness.SystemTest):
    def one_sentence(self, done, *words):
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def there_and_back(self, volume):
        """What was written is there after the cache is lost: puts and gets went through."""
        content = os.urandom(ROUND_BYTES)
        volume.mount()
        with open(volume.path("file"), "wb") as file:
            file.write(content)
        volume.weir("sync", volume.mount_point, "--to", "stored")
        volume.weir("umount", volume.mount_point)
        shutil.rmtree(volume.cache)
        volume.mount()
        with open(volume.path("file"), "rb") as file:
            self.assertEqual(file.read(), content)
        volume.weir("umount", volume.mount_point)

    def test_the_right_authority_is_trusted_and_no_other(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            authority = certificates.Authority(server.directory)
            with relay.TlsEnd(server.port, *authority.sign("right")) as end:
                url = f"s3://bucket/tls?endpoint=https://127.0.0.1:{end.port}"
                self.one_sentence(volume.weir("format", volume.meta, "--store", url, check=False),
                                  "name the file of the authority", "ca=/path")
                self.one_sentence(volume.weir("format", volume.meta, "--store", url + "&ca=/no/such/file", check=False),
                                  "/no/such/file")
                volume.weir("format", volume.meta, "--store", f"{url}&ca={authority.ca_file}")
                self.there_and_back(volume)
                # The same, named by the environment.
                volume.environment["AWS_CA_BUNDLE"] = authority.ca_file
                volume.weir("format", volume.meta + "2", "--store", url.replace("tls", "tls2"))

    def test_a_certificate_that_is_over_or_of_another_host_is_refused(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            authority = certificates.Authority(server.directory)
            over = authority.sign("over", begin="20200101000000Z", end="20210101000000Z")
            other = authority.sign("other", subject="DNS:store.example")
            for certificate, words in ((over, ("expired", "renew the certificate")),
                                       (other, ("127.0.0.1", "correct endpoint= in the store URL"))):
                with relay.TlsEnd(server.port, *certificate) as end:
                    url = f"s3://bucket/tls?endpoint=https://127.0.0.1:{end.port}&ca={authority.ca_file}"
                    self.one_sentence(volume.weir("format", volume.meta, "--store", url, check=False), *words)

    def test_a_real_server_over_tls(self):
        kinds = servers.available(servers.TLS)
        if not kinds:
            self.skipTest("no real server that speaks TLS can be started here")
        for kind in kinds:
            with kind() as server, S3Volume(server) as volume:
                print(f"with {server.describe()} over TLS", flush=True)
                self.one_sentence(volume.weir("format", volume.meta, "--store", volume.url, check=False), "ca=/path")
                volume.url += f"&ca={server.authority.ca_file}"
                volume.format()
                self.there_and_back(volume)

    def test_through_a_proxy_that_the_environment_names(self):
        with servers.FaultServer() as server, S3Volume(server) as volume:
            # The fault server takes requests as a proxy does; nobody knows that host otherwise.
            volume.environment["http_proxy"] = server.url
            volume.weir("format", volume.meta, "--store", "s3://bucket/proxy?endpoint=http://store.invalid:9000")
            self.there_and_back(volume)
            self.assertGreater(server.counters()["proxied"], 5)

    def test_through_a_proxy_that_tunnels_tls(self):
        with servers.FaultServer() as server, S3Volume(server) as volume, relay.TunnelProxy() as proxy:
            authority = certificates.Authority(server.directory)
            with relay.TlsEnd(server.port, *authority.sign("named", subject="DNS:store.invalid")) as end:
                volume.environment["https_proxy"] = f"http://127.0.0.1:{proxy.port}"
                volume.weir("format", volume.meta, "--store",
                            f"s3://bucket/tunnel?endpoint=https://store.invalid:{end.port}&ca={authority.ca_file}")
                self.there_and_back(volume)
                self.assertGreater(proxy.connections, 0)


if __name__ == "__main__":
    harness.main()
