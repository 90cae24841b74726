#!/usr/bin/env python3
"""Weir for a user who is not root: fusermount3 mounts, and what is not permitted is said in one sentence."""

import os
import shutil
import subprocess
import sys
import unittest

from harness import CliTest, WEIR, why_not

USER = 65534  # nobody
INSIDE = "WEIR_TEST_IN_NAMESPACE"


class OrdinaryUser(CliTest):
    def setUp(self):
        super().setUp()
        if shutil.which("fusermount3") is None:
            self.skipTest("there is no fusermount3")
        # The build may lie where only root can read.
        self.program = os.path.join(self.root, "weir")
        shutil.copy(WEIR, self.program)
        self.home = os.path.join(self.root, "home")
        os.mkdir(self.home)
        os.chown(self.home, USER, USER)
        self.mount = os.path.join(self.home, "data")
        self.state = os.path.join(self.home, ".local/share/weir", self.mount[1:].replace("/", "+"))
        self.meta = os.path.join(self.state, "meta")
        self.store = os.path.join(self.state, "store")
        self.cache = os.path.join(self.state, "cache")

    def as_user(self, *command, check=True, path=os.environ["PATH"]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                              timeout=60, check=False, user=USER, group=USER, extra_groups=[], cwd=self.home,
                              env={"HOME": self.home, "PATH": path})
        if check:
            self.assertEqual((done.returncode, done.stderr), (0, ""), f"{command}\n{done.stdout}")
        return done

    def user_fails(self, exit_code, *arguments, says=(), **options):
        done = self.as_user(self.program, *arguments, check=False, **options)
        told = f"weir {' '.join(arguments)} exited {done.returncode} and said: {done.stderr!r}"
        self.assertEqual(done.returncode, exit_code, told)
        self.assertEqual((done.stdout, done.stderr.count("\n")), ("", 1), told)
        for part in says:
            self.assertIn(part, done.stderr, told)

    def test_a_volume_in_the_home_directory(self):
        self.as_user(self.program, "up", "data")
        content = os.urandom(5 << 20).hex()
        with open(os.path.join(self.home, "source"), "w", encoding="ascii") as file:
            file.write(content)
        self.as_user("cp", "source", "data/copy")
        self.as_user(self.program, "sync", "data")
        self.as_user(self.program, "evict", "data")
        self.assertEqual(self.as_user("cat", "data/copy").stdout, content)
        self.as_user(self.program, "status", "data")
        self.as_user(self.program, "umount", "data")
        self.assertFalse(self.is_mounted())
        self.as_user(self.program, "fsck", "data")
        self.as_user(self.program, "up", "data")
        self.assertEqual(self.as_user("cat", "data/copy").stdout, content)
        self.as_user(self.program, "umount", "data")
        self.assertEqual(self.daemons(), [])

    def test_a_killed_daemon_is_followed_by_a_working_mount(self):
        self.as_user(self.program, "up", "data")
        self.as_user("sh", "-c", "echo kept > data/file")
        for _ in range(2):
            self.kill_daemon()
            self.user_fails(1, "status", "data", says=["daemon", "gone"])
            self.as_user(self.program, "up", "data")
            self.assertEqual(self.as_user("cat", "data/file").stdout, "kept\n")
        self.kill_daemon()
        self.as_user(self.program, "umount", "data")
        self.assertFalse(self.is_mounted())

    def test_without_fusermount3_the_package_is_named_and_nothing_is_left(self):
        empty = os.path.join(self.root, "empty")
        os.mkdir(empty)
        self.user_fails(1, "up", "data", says=["root", "fusermount3", "fuse3"], path=empty)
        self.assertFalse(self.is_mounted())
        self.assertEqual(self.daemons(), [])
        done = self.as_user(self.program, "doctor", check=False, path=empty)
        self.assertEqual(done.returncode, 1)
        self.assertIn("install the package fuse3", done.stdout)
        self.as_user(self.program, "up", "data")
        self.as_user(self.program, "umount", "data")

    def test_a_mount_point_of_root(self):
        theirs = os.path.join(self.root, "theirs")
        os.mkdir(theirs)
        self.user_fails(1, "up", theirs, says=[theirs])
        self.user_fails(1, "up", os.path.join(self.root, "new"), says=[os.path.join(self.root, "new")])
        self.assertEqual(self.daemons(), [])

    def test_a_volume_of_root_is_used_but_not_commanded(self):
        root_mount, root_state = os.path.join(self.root, "mount"), os.path.join(self.root, "state")
        self.ok("up", root_mount, "--dir", root_state)
        os.chmod(root_mount, 0o777)
        self.as_user("sh", "-c", f"echo mine > {root_mount}/file")
        for command in ("status", "stat", "sync", "umount"):
            self.user_fails(1, command, root_mount, says=["root", root_mount])
        self.user_fails(1, "up", root_mount, says=["mounted", root_mount])
        self.user_fails(1, "mount", root_state + "/meta", self.home)
        self.assertTrue(self.is_mounted(root_mount))
        self.ok("umount", root_mount)

    def test_root_commands_the_volume_of_a_user(self):
        self.as_user(self.program, "up", "data")
        self.as_user("sh", "-c", "echo kept > data/file")
        self.assertTrue(self.json("fsck", self.meta)["clean"])
        self.ok("umount", self.meta)
        self.assertFalse(self.is_mounted())

    def test_sharing_a_mount_that_the_system_does_not_permit(self):
        with open("/etc/fuse.conf", encoding="utf-8") as file:
            if "user_allow_other" in (line.strip() for line in file):
                self.skipTest("/etc/fuse.conf permits it")
        self.user_fails(1, "up", "data", "--allow-other", says=["user_allow_other"])
        self.assertFalse(self.is_mounted())

    def test_a_device_that_is_closed_to_users(self):
        os.chmod("/dev/fuse", 0o600)
        self.addCleanup(os.chmod, "/dev/fuse", 0o666)
        self.user_fails(1, "up", "data", says=["/dev/fuse", "chmod 666"])
        self.assertFalse(self.is_mounted())


def in_namespace_with_open_device():
    """Runs this file again where /dev/fuse is another node of the same device that every user may open."""
    directory = os.path.join(os.environ.get("WEIR_TEST_SCRATCH", "/var/tmp"), f"weir-device-{os.getpid()}")
    # In a changed root "/" is no mount point; then /dev is. Copies of other mounts would keep their daemons after umount.
    script = r"""
        { mount --make-rprivate / || mount --make-rprivate /dev; } 2>/dev/null &&
        awk '$3 ~ /^fuse($|[.])/ {print $2}' /proc/self/mounts | while read -r mounted; do
            umount --lazy --no-canonicalize -- "$(printf '%b' "$mounted")" || true  # gone meanwhile
        done &&
        mkdir "$0" && mount -t tmpfs -o mode=755 tmpfs "$0" &&
        mknod -m 666 "$0/fuse" c $(stat -c '0x%t 0x%T' /dev/fuse) && mount --bind "$0/fuse" /dev/fuse && exec "$@"
    """
    done = subprocess.run(["unshare", "--mount", "--propagation", "unchanged", "--", "sh", "-c", script, directory,
                           sys.executable, *sys.argv], env=os.environ | {INSIDE: "yes"}, check=False)
    if os.path.isdir(directory):
        os.rmdir(directory)
    return done.returncode


if __name__ == "__main__":
    if why_not() is None and INSIDE not in os.environ:
        sys.exit(in_namespace_with_open_device())
    unittest.main()
