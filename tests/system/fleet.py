"""Several nodes of one volume: a real PostgreSQL, an object store, and nodes on a network of their own, each with its
own cache, log and mount point. What a test does to them (killed, stopped, cut off) is undone, and all is cleared away, at
the end. Nodes share this machine's filesystem, so `node.path("x")` is the file x as that node's programs see it.

    with Fleet(3) as fleet:
        a, b, c = fleet.nodes
        write(a.path("x"), b"..."); read(b.path("x"))
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import fleet_network
import harness
from fleet_network import DATABASE, STORE, FleetNetwork
from harness import WEIR, run, wait_until_gone

sys.path.insert(0, os.path.join(harness.SOURCE, "tests", "servers"))
from postgresql import PostgreSql  # noqa: E402

GUARDIAN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fleet_guardian.py")


def why_not():
    """The reason why there can be no fleet here, or None."""
    return harness.why_not() or PostgreSql.why_not() or fleet_network.why_not()


class Node:
    """One machine that mounts the volume. `name` is a, b, ...; `options` are for every mount of it."""

    def __init__(self, fleet, machine, *options):
        self.fleet, self.machine = fleet, machine
        self.name = machine.hostname[-1]
        self.address = machine.address
        self.options = list(options)
        self.root = os.path.join(fleet.root, self.name)
        self.mount_point = os.path.join(self.root, "mount")
        self.cache = os.path.join(self.root, "cache")
        self.log = os.path.join(self.root, "log")
        os.makedirs(self.mount_point)
        self.pids = []  # of daemon and supervisor, as they were last known

    def __repr__(self):
        return f"node {self.name}"

    def path(self, *parts):
        return os.path.join(self.mount_point, *parts)

    def weir(self, *arguments, check=True, timeout=120, **options):
        """The program on this machine."""
        return run(*self.machine.inside(WEIR, *arguments), check=check, timeout=timeout, env=self.fleet.environment, **options)

    def run(self, *command, check=True, timeout=600, **options):
        """Another program on this machine, in the mount."""
        return run(*self.machine.inside(*command), check=check, timeout=timeout, **{"cwd": self.mount_point, **options})

    def popen(self, *command, **options):
        """The same in the background; the caller waits for it."""
        return subprocess.Popen(self.machine.inside(*command), **{"cwd": self.mount_point, **options})

    def mount(self, *options):
        self.weir("mount", self.fleet.url, self.mount_point, "--cache-dir", self.cache, "--log-file", self.log,
                  *harness.OPTIONS, *self.options, *options)
        self.status()

    def umount(self, *options):
        self.weir("umount", self.mount_point, *options)
        self.pids = []

    def mounted(self):
        with open("/proc/self/mounts", encoding="utf-8") as file:
            return any(line.split()[1] == self.mount_point for line in file)

    def status(self):
        status = json.loads(self.weir("status", self.mount_point, "--json").stdout)
        self.pids = [status["pid"], status["supervisor"]]
        return status

    def state_of(self, path):
        return os.getxattr(self.path(path), "user.weir.state").decode()

    def sync(self, *arguments):
        self.weir("sync", self.mount_point, *arguments)

    def kill(self):
        """SIGKILL of daemon and supervisor at once, until both are gone, and the dead mount removed: a machine that
        lost its power, but not its disk. mount() brings it back."""
        self._signal(signal.SIGSTOP)  # one would start the other again
        self._signal(signal.SIGKILL)
        for pid in self.pids:
            wait_until_gone(pid)
        self.pids = []
        run("umount", "-l", self.mount_point)

    def stop(self):
        """SIGSTOP: a machine that hangs. Calls on its mount hang too, until go_on()."""
        self._signal(signal.SIGSTOP)

    def go_on(self):
        self._signal(signal.SIGCONT)

    def _signal(self, number):
        for pid in self.pids:
            os.kill(pid, number)

    def cut_from_database(self):
        self.fleet.network.cut(self.machine, DATABASE)

    def cut_from_store(self):
        self.fleet.network.cut(self.machine, STORE)

    def cut_from(self, *nodes):
        for node in nodes:
            self.fleet.network.cut(self.machine, node.address)

    def cut_from_peers(self):
        self.cut_from(*(node for node in self.fleet.nodes if node is not self))

    def unplug(self):
        """No network at all."""
        self.fleet.network.unplug(self.machine)

    def heal(self):
        self.fleet.network.heal(self.machine)

    def log_text(self):
        with contextlib.suppress(FileNotFoundError), open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()
        return ""


class Fleet:
    """`store` is a class of tests/servers, whose server `self.server` is then, or None: a directory that all nodes see.
    `settings` are PostgreSQL's. Formatted and mounted by `with`, unless `mounted` is false."""

    def __init__(self, count=3, store=None, options=(), format_options=(), settings=None, mounted=True):
        self.count, self.store, self.settings = count, store, settings
        self.options, self.format_options, self.mount_at_once = list(options), list(format_options), mounted
        self.root = tempfile.mkdtemp(prefix="weir-fleet-", dir=harness.SCRATCH)
        os.chmod(self.root, 0o755)  # for user postgres
        self.environment = dict(os.environ)
        self.undo = contextlib.ExitStack()
        self.server = None
        self.nodes = []

    def __enter__(self):
        try:
            self._set_up()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def _set_up(self):
        guardian = subprocess.Popen((sys.executable, GUARDIAN, self.root), stdin=subprocess.PIPE)  # pylint: disable=consider-using-with
        self.network = self.undo.enter_context(contextlib.closing(FleetNetwork(self.count)))
        self.database = self.undo.enter_context(PostgreSql([DATABASE], self.network.hub.inside(), self.settings, self.root))
        self.undo.callback(guardian.wait)
        self.undo.callback(guardian.stdin.close)
        self.database.create_database("weir")
        self.url = self.database.network_url("weir")
        self.store_url = self._start_store()
        self.nodes = [Node(self, machine, *self.options) for machine in self.network.nodes]
        self.nodes[0].weir("format", self.url, "--store", self.store_url, "--name", "fleet", *self.format_options)
        if self.mount_at_once:
            for node in self.nodes:
                node.mount()

    def _start_store(self):
        if self.store is None:
            return os.path.join(self.root, "store")
        self.server = self.undo.enter_context(self.store(machine=self.network.hub, address=STORE))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "HOME": self.root,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": self.server.credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": self.server.credentials.secret_key,
        }
        return f"s3://{self.server.bucket}/some/prefix?endpoint={self.server.url}"

    def __exit__(self, kind, *_):
        if kind is not None and not issubclass(kind, unittest.SkipTest):
            self.keep_logs()
        # A stopped process is never ended by the end of this one.
        for node in self.nodes:
            with contextlib.suppress(ProcessLookupError):
                node.go_on()
        self.undo.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def keep_logs(self):
        """What a test that failed leaves in WEIR_TEST_LOGS, or prints the ends of."""
        directory = os.environ.get("WEIR_TEST_LOGS")
        for node in self.nodes:
            if directory:
                os.makedirs(directory, exist_ok=True)
                path = os.path.join(directory, f"{os.path.basename(self.root)}-{node.name}.log")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(node.log_text())
                print(f"log of {node}: {path}", file=sys.stderr)
            else:
                print(f"-- log of {node}\n{node.log_text()[-3000:]}", file=sys.stderr)

    def umount(self):
        for node in self.nodes:
            if node.mounted():
                node.umount()

    def settle(self, timeout_s=60):
        """Until everything that was written is stored."""
        for node in self.nodes:
            node.weir("sync", node.mount_point, "--to", "stored", timeout=timeout_s)

    def fsck(self, *options):
        """The volume has no problem; asked on the first node, which needs not have it mounted."""
        where = self.nodes[0].mount_point if self.nodes[0].mounted() else self.url
        done = self.nodes[0].weir("fsck", where, "--json", *options, check=False)
        if done.returncode != 0:
            raise AssertionError(f"fsck exited {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return json.loads(done.stdout)


class OpenFile:
    """A file that a process of its own has open. Whoever starts programs may not have files of a stopped node open: what
    it starts closes them first, and waits for that node."""

    PROGRAM = """
import sys
with open(sys.argv[1], sys.argv[2], buffering=0) as file:
    print("open", flush=True)
    for line in sys.stdin:
        file.write(bytes.fromhex(line))
        print("written", flush=True)
"""

    def __init__(self, path, mode):
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            (sys.executable, "-c", self.PROGRAM, path, mode), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._expect("open")

    def write(self, content):
        self.process.stdin.write(content.hex() + "\n")
        self.process.stdin.flush()
        self._expect("written")

    def close(self, timeout_s=60):
        """Raises where close() failed."""
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait(timeout_s) != 0:
            raise AssertionError("a file could not be closed")

    def _expect(self, word):
        line = self.process.stdout.readline().strip()
        if line != word:
            raise AssertionError(f"a process that holds a file said {line!r}, not {word}")


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def eventually(condition, seconds, what):
    """Asserts that it becomes true within the time; returns how long it took."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)
    return time.monotonic() - start


@unittest.skipIf(why_not(), f"no fleet here: {why_not()}")
class FleetTest(harness.SystemTest):
    """A test of several nodes."""
