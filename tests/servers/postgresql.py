"""A PostgreSQL server of its own for a test, from the distribution's packages: a new cluster in a scratch directory."""

import glob
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time

SCRATCH = os.environ.get("WEIR_TEST_SCRATCH", "/var/tmp")
PORT = 5432
START_SECONDS_MAX = 120


def programs():
    """The directory of the newest installation, or None."""
    found = [path for path in glob.glob("/usr/lib/postgresql/*/bin") if os.path.exists(os.path.join(path, "initdb"))]
    return max(found, key=lambda path: float(re.search(r"/postgresql/([\d.]+)/", path).group(1)), default=None)


class PostgreSql:
    """Listens on a Unix socket in `directory`, which is made in `scratch`, and on `addresses`, if there are any, in the namespace of `prefix`.

    As root it runs as user postgres, since the server refuses root. It dies with this process. With fsync off, as by
    default, it loses nothing by SIGKILL: the machine's memory lives on.
    """

    def __init__(self, addresses=(), prefix=(), settings=None, scratch=SCRATCH):
        self.addresses, self.prefix = list(addresses), list(prefix)
        self.settings = {"fsync": "off", "shared_buffers": "32MB", "max_connections": "100", **(settings or {})}
        self.scratch, self.directory = scratch, ""
        self.process = None

    @classmethod
    def why_not(cls):
        """The reason why it cannot be started on this machine, or None."""
        if programs() is None:
            return "PostgreSQL is not installed; install package postgresql"
        return None

    def start(self):
        """Blocks until it answers."""
        self.directory = tempfile.mkdtemp(prefix="weir-postgresql-", dir=self.scratch)
        try:
            os.chmod(self.directory, 0o755)
            if os.geteuid() == 0:
                shutil.chown(self.directory, "postgres", "postgres")
            self._run("initdb", "-D", self._data(), "-A", "trust", "-U", "weir", "-E", "UTF8", "--locale=C", "--no-sync")
            with open(os.path.join(self._data(), "pg_hba.conf"), "a", encoding="utf-8") as file:
                file.write("host all all samenet trust\n")
            self.start_again()
        except BaseException:
            self.stop()
            raise
        return self

    def start_again(self):
        """After kill(). Blocks until it answers."""
        settings = {"listen_addresses": ",".join(self.addresses), "unix_socket_directories": self.directory,
                    "port": str(PORT), **self.settings}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with open(os.path.join(self.directory, "server.log"), "ab") as log:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                (*self.prefix, *self._as_server("postgres"), "-D", self._data(), *options),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory)
        deadline = time.monotonic() + START_SECONDS_MAX
        while self._ready() != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL did not start:\n{self.log()}")
            time.sleep(0.02)

    def kill(self):
        """SIGKILL to the server and all of its processes, as a crash of the machine would end them."""
        children = self._children()
        for pid in (self.process.pid, *children):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()
        for pid in children:
            while os.path.exists(f"/proc/{pid}"):
                time.sleep(0.002)

    def shut_down(self):
        """As an administrator does who will not wait for clients."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def become_standby_of(self, primary):
        """Gives up what it has, copies the other, and follows it. Blocks until it answers."""
        self.kill()
        shutil.rmtree(self._data())
        self._run("pg_basebackup", "-h", primary.directory, "-U", "weir", "-D", self._data(), "-R", "-X", "stream", "-c", "fast",
                  "--no-sync")
        self.start_again()

    def promote(self):
        """The standby is the primary from now on. Blocks until it takes writes."""
        self.sql("SELECT pg_promote()")

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.process = None
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = ""

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def create_database(self, name):
        self.sql(f'CREATE DATABASE "{name}"')

    def url(self, database="postgres"):
        """For who shares the filesystem."""
        return f"postgres://weir@/{database}?host={self.directory}"

    def network_url(self, database="postgres"):
        """For who reaches it by its address only."""
        return f"postgres://weir@{self.addresses[0]}:{PORT}/{database}"

    def sql(self, statement, database="postgres"):
        """Runs it; returns what it printed, a row a line, columns separated by tabs."""
        return self._run("psql", "-h", self.directory, "-U", "weir", "-d", database, "-v", "ON_ERROR_STOP=1", "-X", "-q",
                         "-A", "-t", "-F", "\t", "-c", statement)

    def log(self):
        with open(os.path.join(self.directory, "server.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def _data(self):
        return os.path.join(self.directory, "data")

    def _ready(self):
        return subprocess.run((os.path.join(programs(), "pg_isready"), "-q", "-h", self.directory), check=False,
                              stdin=subprocess.DEVNULL).returncode

    def _as_server(self, program):
        command = ["setpriv"]
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            command += ["--reuid", str(account.pw_uid), "--regid", str(account.pw_gid), "--clear-groups"]
        return [*command, "--pdeathsig", "KILL", os.path.join(programs(), program)]

    def _run(self, program, *arguments):
        done = subprocess.run((*self._as_server(program), *arguments), capture_output=True, text=True, timeout=120,
                              check=False, cwd=self.directory)
        if done.returncode != 0:
            raise AssertionError(f"{program} exited {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def _children(self):
        found = []
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/children", encoding="utf-8") as file:
                found += [int(pid) for pid in file.read().split()]
        return found
