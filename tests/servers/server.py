"""What all S3 servers of the tests have in common: processes on free loopback ports, in a directory of their own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from signed_http import Client, Credentials

SCRATCH = os.environ.get("WEIR_TEST_SCRATCH", "/var/tmp")
SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
# Where tests/servers/prepare puts what no distribution has.
PREPARED = os.environ.get("WEIR_TEST_SERVERS", os.path.join(SOURCE, "build", "servers"))
ACCESS_KEY = "weir-access"
SECRET_KEY = "weir-secret"
BUCKET = "bucket"


def free_ports(count):
    """Ports that nobody has at this moment; held together, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Server:
    """One S3 server with a bucket. Its data lie in `directory` and are gone after stop().

    A subclass has `name`, why_not() and launch(), which starts processes and sets `port`. They die with this process.
    """

    name = ""
    start_seconds_max = 120

    def __init__(self):
        self.port = 0
        self.directory = ""
        self.processes = []
        self.credentials = Credentials(ACCESS_KEY, SECRET_KEY)
        self.bucket = BUCKET

    @classmethod
    def why_not(cls):
        """The reason why it cannot be started on this machine, or None."""
        return None

    def launch(self):
        raise NotImplementedError

    def describe(self):
        """One line for a run's report: make and version."""
        return self.name

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options):
        return Client(self.url, self.credentials, **options)

    def start(self):
        """Blocks until the server has its bucket."""
        self.directory = tempfile.mkdtemp(prefix=f"weir-{self.name}-", dir=SCRATCH)
        try:
            self.launch()
            self.wait_until("it has a bucket", self.make_bucket)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGKILL)
            process.wait()
            if process.stdin:
                process.stdin.close()
            if process.stdout:
                process.stdout.close()
        self.processes = []
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def make_bucket(self):
        return self.client(timeout=5).request("PUT", f"/{self.bucket}").status == 200

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def run(self, *command, environment=None):
        """A command that has to succeed; returns what it printed."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=self.directory,
                              env={**os.environ, **(environment or {})})
        if done.returncode != 0:
            raise AssertionError(f"{self.name}: {' '.join(command)} exited {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def spawn(self, *command, environment=None, **options):
        """A process of the server; its output is in a file of the directory, unless `options` say otherwise."""
        with open(self.path(f"{os.path.basename(command[0])}.log"), "ab") as log:
            settings = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **options}
            process = subprocess.Popen(("setpriv", "--pdeathsig", "KILL", *command), cwd=self.directory,
                                       env={**os.environ, **(environment or {})}, **settings)
        self.processes.append(process)
        return process

    def wait_until(self, what, condition):
        deadline = time.monotonic() + self.start_seconds_max
        last = "no answer that says why"
        while True:
            try:
                if condition():
                    return
            except OSError as failure:
                last = str(failure)
            ended = [process for process in self.processes if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"{self.name} did not come so far that {what} ({last}); {len(ended)} of its "
                                     f"processes ended\n{self.logs()}")
            time.sleep(0.1)

    def logs(self):
        texts = []
        for name in sorted(os.listdir(self.directory)):
            if name.endswith(".log"):
                with open(self.path(name), encoding="utf-8", errors="replace") as file:
                    texts.append(f"-- {name}\n{file.read()[-2000:]}")
        return "\n".join(texts)
