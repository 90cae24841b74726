"""versitygw over a directory: strict, and the fastest of them."""

import os
import re
import subprocess

from certificates import Authority
from server import ACCESS_KEY, PREPARED, SECRET_KEY, Server, free_ports

PROGRAM = os.path.join(PREPARED, "bin", "versitygw")


class Versitygw(Server):
    name = "versitygw"
    authority = None

    @classmethod
    def why_not(cls):
        return None if os.path.exists(PROGRAM) else "versitygw is not built; tests/servers/prepare does it where Go is recent"

    def describe(self):
        done = subprocess.run(("go", "version", "-m", PROGRAM), capture_output=True, text=True, check=False)
        version = re.search(r"^\s+mod\s+\S+\s+(\S+)", done.stdout, re.MULTILINE)
        return f"versitygw {version.group(1) if version else 'of unknown version'}"

    def launch(self):
        [self.port] = free_ports(1)
        os.mkdir(self.path("data"))
        self.spawn(PROGRAM, "--access", ACCESS_KEY, "--secret", SECRET_KEY, "--port", f"127.0.0.1:{self.port}", "--quiet",
                   *self.tls(), "posix", self.path("data"))

    def tls(self):
        return ()


class TlsVersitygw(Versitygw):
    """The same over TLS, with a certificate of an authority of its own: `authority`."""

    name = "versitygw-tls"

    def launch(self):
        self.authority = Authority(self.directory)
        super().launch()

    def tls(self):
        certificate, key = self.authority.sign("server")
        return "--cert", certificate, "--key", key

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def client(self, **options):
        return super().client(ca_file=self.authority.ca_file, **options)
