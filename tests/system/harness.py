"""What the whole-system tests share: a volume of their own, mounted by the real program, beside a plain directory."""

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

WEIR = os.environ.get("WEIR", "weir")
SCRATCH = os.environ.get("WEIR_TEST_SCRATCH", "/var/tmp")
# For every mount, such as "--passthrough off".
OPTIONS = shlex.split(os.environ.get("WEIR_TEST_WEIR_OPTIONS", ""))
SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def why_not():
    """The reason why nothing can be mounted here, or None."""
    if not os.path.exists("/dev/fuse"):
        return "/dev/fuse is missing"
    if os.geteuid() != 0:
        return "not root"
    return None


def run(*command, check=True, timeout=600, **options):
    """Runs a command; its output is text. On failure the test shows all it printed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} exited {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done


class Volume:
    """A volume in a scratch directory: `mount` is its mount point, `plain` a directory on the disk beside it."""

    def __init__(self, *options):
        self.options = [*options, *OPTIONS]
        self.root = tempfile.mkdtemp(prefix="weir-test-", dir=SCRATCH)
        self.state = os.path.join(self.root, "state")
        self.mount = os.path.join(self.root, "mount")
        self.plain = os.path.join(self.root, "plain")
        os.mkdir(self.mount)
        os.mkdir(self.plain)

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError, KeyError, ValueError):
            with open(f"/proc/{self.pid()}/cmdline", encoding="utf-8") as file:
                running = self.mount in file.read()
            if running:
                self.kill()  # first: a daemon that ends by itself writes into its cache once more
        run("umount", "-l", self.mount, check=False)
        shutil.rmtree(self.root, ignore_errors=True)

    def up(self):
        run(WEIR, "up", self.mount, "--dir", self.state, *self.options, timeout=60)

    def umount(self):
        run(WEIR, "umount", self.mount, timeout=120)

    def weir(self, *arguments, check=True, timeout=600):
        return run(WEIR, *arguments, check=check, timeout=timeout)

    def json(self, *arguments, timeout=600):
        return json.loads(self.weir(*arguments, "--json", timeout=timeout).stdout)

    def record(self):
        with open(os.path.join(self.state, "meta", "daemon.json"), encoding="utf-8") as file:
            return json.load(file)

    def pid(self):
        return self.record()["pid"]

    def supervisor(self):
        return self.record()["supervisor"]

    def kill(self):
        """SIGKILL of the daemon and its supervisor at once, and until both are gone: nobody goes on with the mount."""
        pids = [self.pid(), self.supervisor()]
        os.kill(pids[0], signal.SIGSTOP)  # it would start another supervisor
        for pid in reversed(pids):
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            wait_until_gone(pid)

    def fsck(self):
        """Unmounted or mounted: the volume has no problem."""
        done = self.weir("fsck", os.path.join(self.state, "meta"), "--json", check=False)
        if done.returncode != 0:
            raise AssertionError(f"fsck exited {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")


def wait_until_gone(pid):
    """The leader of a process is a zombie before its other threads, and its locks, are gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        while True:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                dead = file.read().rsplit(")", 1)[1].split()[0] == "Z"
            if dead and len(os.listdir(f"/proc/{pid}/task")) <= 1:
                return
            time.sleep(0.002)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


def fingerprint(top, times=True):
    """Everything about a tree that a user can see, to be compared with another's."""
    names = {}
    first_name = {}
    for directory, subdirectories, files in os.walk(top):
        subdirectories.sort()
        for name in sorted(subdirectories + files) + ["."]:
            path = os.path.normpath(os.path.join(directory, name))
            relative = os.path.relpath(path, top)
            status = os.lstat(path)
            kind = stat.S_IFMT(status.st_mode)
            item = [oct(status.st_mode), status.st_uid, status.st_gid]
            if kind == stat.S_IFLNK:
                item.append(os.readlink(path))
            if kind == stat.S_IFREG:
                item += [status.st_size, sha256_of(path), status.st_nlink]
                item.append(first_name.setdefault(status.st_ino, relative))
            if kind == stat.S_IFDIR:
                item.append(status.st_nlink)
            if times and kind != stat.S_IFDIR:
                item.append(status.st_mtime_ns)
            if kind != stat.S_IFLNK:
                item.append({name: os.getxattr(path, name) for name in sorted(os.listxattr(path))})
            names[relative] = item
    return names


class SystemTest(unittest.TestCase):
    maxDiff = 4000

    def assert_same_tree(self, left, right, times=True):
        a, b = fingerprint(left, times), fingerprint(right, times)
        self.assertEqual(sorted(a), sorted(b))
        for name, item in a.items():
            self.assertEqual(item, b[name], name)

    def in_both(self, volume, work):
        """Does the same work on the mount and on the plain directory; returns both results."""
        return work(volume.mount), work(volume.plain)


def main():
    reason = why_not()
    if reason:
        print(f"FAILED: whole-system tests mount real volumes, and cannot here: {reason}", file=sys.stderr)
        sys.exit(1)
    unittest.main(verbosity=2)
