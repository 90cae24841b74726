"""Certificates for servers of the tests, by the openssl program: an authority that nobody knows, and what it signed."""

import os
import subprocess

CONFIG = """
[ca]
default_ca = own
[own]
new_certs_dir = {directory}
database = {directory}/index.txt
serial = {directory}/serial
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


class Authority:
    """`ca_file` is what clients have to trust. Makes files in `directory`."""

    def __init__(self, directory):
        self.directory = directory
        self.ca_file = self.path("ca.pem")
        with open(self.path("config"), "w", encoding="utf-8") as file:
            file.write(CONFIG.format(directory=directory))
        with open(self.path("index.txt"), "w", encoding="utf-8"):
            pass
        with open(self.path("serial"), "w", encoding="utf-8") as file:
            file.write("01\n")
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("ca.key"), "-out", self.ca_file,
                     "-days", "3650", "-subj", "/CN=Weir test authority")

    def path(self, name):
        return os.path.join(self.directory, name)

    def openssl(self, *arguments):
        done = subprocess.run(("openssl", *arguments), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"openssl {arguments[0]} exited {done.returncode}\n{done.stderr}")

    def sign(self, name, subject="IP:127.0.0.1,DNS:localhost", begin="20200101000000Z", end="20491231000000Z"):
        """Files with the certificate and its key, valid in that time for these hosts."""
        certificate, key, request, extensions = (self.path(f"{name}.{end_}") for end_ in ("pem", "key", "csr", "ext"))
        with open(extensions, "w", encoding="utf-8") as file:
            file.write(f"subjectAltName = {subject}\n")
        self.openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        self.openssl("ca", "-batch", "-notext", "-config", self.path("config"), "-cert", self.ca_file, "-keyfile", self.path("ca.key"),
                     "-in", request, "-out", certificate, "-startdate", begin, "-enddate", end, "-extfile", extensions)
        return certificate, key
