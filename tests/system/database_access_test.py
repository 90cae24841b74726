"""How a PostgreSQL server is reached: TLS and password files as libpq has them."""

import os
import shutil
import sys
import tempfile
import unittest

import harness
from harness import SystemTest, main, run

sys.path.insert(0, os.path.join(harness.SOURCE, "tests", "servers"))
from certificates import Authority  # noqa: E402
from postgresql import PORT, PostgreSql  # noqa: E402

ADDRESS = "127.0.77.1"
PASSWORD = "a secret: word"
ACCESS = "local all all trust\nhostssl all all 127.0.0.0/8 scram-sha-256\n"


@unittest.skipIf(PostgreSql.why_not(), f"no PostgreSQL here: {PostgreSql.why_not()}")
class DatabaseAccess(SystemTest):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="weir-test-", dir=harness.SCRATCH)
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        os.chmod(self.root, 0o755)
        self.authority = self.make_authority("authority")
        certificate, key = self.authority.sign("server", f"IP:{ADDRESS}")
        self.database = PostgreSql([ADDRESS], settings={"ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": key})
        shutil.chown(key, "postgres", "postgres")
        os.chmod(key, 0o600)
        self.database.start()
        self.addCleanup(self.database.stop)
        self.database.sql(f"ALTER USER weir PASSWORD '{PASSWORD}'")
        with open(os.path.join(self.database.directory, "data", "pg_hba.conf"), "w", encoding="utf-8") as file:
            file.write(ACCESS)
        self.database.sql("SELECT pg_reload_conf()")
        self.passwords = os.path.join(self.root, "passwords")
        with open(self.passwords, "w", encoding="utf-8") as file:
            file.write(f"{ADDRESS}:{PORT}:*:weir:{PASSWORD.replace(':', chr(92) + ':')}\n")
        os.chmod(self.passwords, 0o600)

    def make_authority(self, name):
        directory = os.path.join(self.root, name)
        os.mkdir(directory)
        return Authority(directory)

    def url(self, *parameters, password=""):
        return f"postgres://weir{password}@{ADDRESS}:{PORT}/postgres?" + "&".join(parameters)

    def format(self, url, environment=None):
        return run(harness.WEIR, "format", url, "--store", os.path.join(self.root, "store"), check=False,
                   env={**os.environ, "HOME": self.root, **(environment or {})})

    def fails(self, url, *says):
        done = self.format(url)
        self.assertEqual(done.returncode, 1, done.stdout)
        for part in says:
            self.assertIn(part, done.stderr)
        self.assertNotIn("secret", done.stderr)

    def test_a_checked_certificate_and_a_password_file(self):
        url = self.url("sslmode=verify-full", f"sslrootcert={self.authority.ca_file}", f"passfile={self.passwords}")
        done = self.format(url)
        self.assertEqual(done.returncode, 0, done.stderr)
        mount = os.path.join(self.root, "mount")
        os.mkdir(mount)
        run(harness.WEIR, "mount", url, mount, "--cache-dir", os.path.join(self.root, "cache"), *harness.OPTIONS, timeout=120)
        try:
            with open(os.path.join(mount, "file"), "wb") as file:
                file.write(b"content")
            ciphers = self.database.sql("SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                                        " WHERE application_name = 'weir' AND NOT ssl")
            self.assertEqual(ciphers.strip(), "0")
            self.assertNotIn("secret", run(harness.WEIR, "status", mount, "--json").stdout)
        finally:
            run(harness.WEIR, "umount", mount, timeout=120)

    def test_the_password_file_of_the_environment(self):
        url = self.url("sslmode=verify-ca", f"sslrootcert={self.authority.ca_file}")
        done = self.format(url, {"PGPASSFILE": self.passwords})
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_certificate_of_somebody_else_is_refused(self):
        other = self.make_authority("other")
        self.fails(self.url("sslmode=verify-full", f"sslrootcert={other.ca_file}", f"passfile={self.passwords}"), "certificate")

    def test_a_server_that_wants_tls_refuses_plain_connections(self):
        self.fails(self.url("sslmode=disable", f"passfile={self.passwords}"), "no encryption")

    def test_a_wrong_password_is_said_and_never_shown(self):
        self.fails(self.url("sslmode=require"), "no password")
        self.fails(self.url("sslmode=require", password=":secret%20wrong"), "authentication failed")


if __name__ == "__main__":
    main()
