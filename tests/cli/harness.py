"""What the tests of the program share: running it, and a scratch directory that is clean again afterwards."""

import contextlib
import glob
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

WEIR = os.environ.get("WEIR", "weir")
# For every mount, such as "--passthrough off".
OPTIONS = shlex.split(os.environ.get("WEIR_TEST_WEIR_OPTIONS", ""))
SCRATCH = os.environ.get("WEIR_TEST_SCRATCH", "/var/tmp")


def why_not():
    """The reason why nothing can be mounted here, or None."""
    if os.geteuid() != 0:
        return "not root"
    if not os.path.exists("/dev/fuse"):
        return "there is no /dev/fuse"
    return None


def mount_points():
    """In the order in which they were mounted. The kernel writes blanks and the like in octal."""
    with open("/proc/self/mounts", "rb") as mounts:
        fields = [line.split()[1] for line in mounts]
    return [os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), field)) for field in fields]


class CliTest(unittest.TestCase):
    def setUp(self):
        if why_not():
            self.skipTest(why_not())
        self.program = shutil.which(WEIR) or WEIR
        self.root = tempfile.mkdtemp(prefix="weir-cli-", dir=SCRATCH)
        os.chmod(self.root, 0o755)
        self.mount = os.path.join(self.root, "mount")
        self.state = os.path.join(self.root, "state")
        self.meta = os.path.join(self.state, "meta")
        self.store = os.path.join(self.state, "store")
        self.cache = os.path.join(self.state, "cache")
        self.addCleanup(self.clean_up)

    def clean_up(self):
        for path in reversed(mount_points()):
            if path.startswith(self.root):
                subprocess.run(["umount", "-l", path], check=False, stderr=subprocess.DEVNULL)
        # Each of the two processes of a mount starts the other again.
        while pids := self.daemons():
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
            for pid in pids:
                self.wait_until_gone(pid)
        self.remove_state_directories()
        shutil.rmtree(self.root, ignore_errors=True)

    def remove_state_directories(self):
        """Those that `weir mount` and `weir up` made outside, for the mount points of this test (docs/commands.md)."""
        if os.geteuid() != 0:
            return
        name = self.root.strip("/").replace("%", "%25").replace("+", "%2B").replace("/", "+")
        for path in glob.glob(f"/var/lib/weir/{glob.escape(name)}+*"):
            shutil.rmtree(path)

    def daemons(self):
        """Processes of the program that have a file below the scratch directory open."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.path.realpath(f"/proc/{pid}/exe") != os.path.realpath(self.program):
                    continue
                links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
                if any(link.startswith(self.root) for link in links):
                    found.append(int(pid))
        return found

    # Running the program.
    def weir(self, *arguments, timeout=60, **options):
        if arguments[:1] in (("up",), ("mount",)):
            arguments += tuple(OPTIONS)
        return subprocess.run([WEIR, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              text=True, timeout=timeout, check=False, **options)

    def ok(self, *arguments, **options):
        done = self.weir(*arguments, **options)
        self.assertEqual((done.returncode, done.stderr), (0, ""), f"weir {' '.join(arguments)}\n{done.stdout}")
        return done.stdout

    def json(self, *arguments, **options):
        return json.loads(self.ok(*arguments, "--json", **options))

    def fails(self, exit_code, *arguments, says=(), **options):
        """It ends with this code, and one sentence on stderr that has all of `says` in it; with --json on stdout too."""
        done = self.weir(*arguments, **options)
        told = f"weir {' '.join(arguments)} exited {done.returncode} and said: {done.stderr!r}"
        self.assertEqual(done.returncode, exit_code, told)
        if "--json" in arguments:
            self.assertEqual("weir: " + json.loads(done.stdout)["error"]["what"] + "\n", done.stderr, told)
        else:
            self.assertEqual(done.stdout, "", told)
        self.assertTrue(done.stderr.startswith("weir: ") and done.stderr.endswith("\n"), told)
        self.assertEqual(done.stderr.count("\n"), 1, told)
        for part in says:
            self.assertIn(part, done.stderr, told)
        return done.stderr

    # A volume.
    def up(self, *options):
        self.ok("up", self.mount, "--dir", self.state, *options)

    def umount(self):
        self.ok("umount", self.mount)

    def format(self):
        os.makedirs(self.state, exist_ok=True)
        os.makedirs(self.mount, exist_ok=True)
        self.ok("format", self.meta, "--store", self.store)

    def record(self):
        with open(os.path.join(self.meta, "daemon.json"), encoding="utf-8") as file:
            return json.load(file)

    def pid(self):
        return self.record()["pid"]

    def supervisor(self):
        return self.record()["supervisor"]

    def kill_daemon(self):
        """The daemon and its supervisor, so that nobody goes on with the mount."""
        pids = [self.pid(), self.supervisor()]
        os.kill(pids[0], signal.SIGSTOP)  # it would start another supervisor
        for pid in reversed(pids):
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            self.wait_until_gone(pid)

    def wait_until_gone(self, pid, timeout=30):
        deadline = time.monotonic() + timeout
        while os.path.exists(f"/proc/{pid}"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return
            self.assertLess(time.monotonic(), deadline, f"process {pid} does not end")
            time.sleep(0.01)

    def is_mounted(self, path=None):
        return (path or self.mount) in mount_points()

    def disk(self, name, options):
        """A tmpfs of its own."""
        path = os.path.join(self.root, name)
        os.mkdir(path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
        return path

    def write(self, name, content):
        path = os.path.join(self.mount, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def read(self, name):
        with open(os.path.join(self.mount, name), "rb") as file:
            return file.read()
