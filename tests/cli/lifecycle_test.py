#!/usr/bin/env python3
"""How daemons come and go: in the background and in the foreground, by umount, by signals, and when they are killed."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

from harness import CliTest, WEIR


class Starting(CliTest):
    def test_the_mount_answers_when_up_returns(self):
        for _ in range(5):
            self.up()
            self.write("file", b"hello")
            self.umount()
            self.assertFalse(self.is_mounted())
            self.assertEqual(self.daemons(), [])

    def test_up_makes_the_mount_point_and_goes_on_with_the_same_volume(self):
        self.assertFalse(os.path.exists(self.mount))
        self.up()
        self.write("file", b"kept")
        first = self.json("status", self.mount)["volume"]["id"]
        self.umount()
        self.up()
        self.assertEqual(self.read("file"), b"kept")
        self.assertEqual(self.json("status", self.mount)["volume"]["id"], first)

    def test_the_daemon_keeps_nothing_of_its_starter(self):
        """A script that reads the output to its end, with another descriptor open, is not held up by the daemon."""
        read_end, write_end = os.pipe()
        done = subprocess.run([WEIR, "up", self.mount, "--dir", self.state], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              pass_fds=[write_end], timeout=30, check=True, cwd=self.root)
        os.close(write_end)
        self.assertEqual(os.read(read_end, 1), b"")
        os.close(read_end)
        self.assertIn(b"mounted", done.stdout)
        pid = self.pid()
        self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")
        self.assertEqual(os.getsid(pid), pid)

    def test_what_the_daemon_makes_is_private(self):
        self.up()
        self.write("file", os.urandom(100_000))
        self.assertEqual(os.stat(self.state).st_mode & 0o777, 0o700)
        for path in (self.meta, self.store, self.cache, os.path.join(self.state, "weir.log")):
            self.assertEqual(os.stat(path).st_mode & 0o077, 0, path)
        control = os.getxattr(self.mount, "user.weir.control").decode()
        self.assertEqual(os.stat(control).st_mode & 0o777, 0o600)

    def test_of_many_that_start_at_once_one_mounts(self):
        self.ok("up", self.mount, "--dir", self.state)
        self.umount()
        starters = [subprocess.Popen([WEIR, "up", self.mount, "--dir", self.state], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, text=True) for _ in range(5)]
        ended = [(starter.communicate(timeout=60)[1], starter.returncode) for starter in starters]
        self.assertIn(0, [code for _, code in ended])
        for sentence, code in ended:
            if code != 0:
                self.assertEqual(sentence.count("\n"), 1, sentence)
        self.assertEqual(sorted(self.daemons()), sorted([self.pid(), self.supervisor()]))
        self.write("file", b"works")

    def test_the_cache_used_last_is_used_again(self):
        self.format()
        cache = os.path.join(self.root, "fast-disk")
        log = os.path.join(self.root, "log")
        self.ok("mount", self.meta, self.mount, "--cache-dir", cache, "--log-file", log)
        self.write("file", os.urandom(5 << 20))
        self.umount()
        self.ok("mount", self.meta, self.mount, "--log-file", log)
        self.assertEqual(self.json("status", self.mount)["cache"]["directory"], cache)
        self.assertTrue(self.json("stat", os.path.join(self.mount, "file"))[0]["complete"])

    def test_another_cache_directory_is_reported(self):
        self.up()
        self.umount()
        self.up("--cache-dir", self.root + "/other")
        self.assertIn(self.cache, " ".join(self.json("status", self.mount)["reports"]))


class Foreground(CliTest):
    def start(self, **environment):
        log = open(os.path.join(self.root, "stderr"), "wb")  # pylint: disable=consider-using-with
        self.addCleanup(log.close)
        daemon = subprocess.Popen([WEIR, "mount", "--foreground", self.meta, self.mount, "--cache-dir", self.cache],
                                  stdout=subprocess.PIPE, stderr=log, env=os.environ | environment)
        self.addCleanup(daemon.communicate)
        self.addCleanup(daemon.kill)
        return daemon

    def test_the_service_manager_is_told_when_the_mount_is_ready(self):
        self.format()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(os.path.join(self.root, "notify"))
            manager.settimeout(30)
            daemon = self.start(NOTIFY_SOCKET=os.path.join(self.root, "notify"))
            self.assertEqual(manager.recv(100), b"READY=1")
            self.write("file", b"ready")
            self.assertEqual(self.json("status", self.mount)["supervisor"], daemon.pid)
            daemon.send_signal(signal.SIGTERM)
            self.assertEqual(manager.recv(100), b"STOPPING=1")
            self.assertEqual(daemon.wait(timeout=30), 0)
        self.assertFalse(self.is_mounted())
        with open(os.path.join(self.root, "stderr"), encoding="utf-8") as log:
            self.assertIn("is mounted at", log.read())

    def test_under_journald_lines_carry_their_priority(self):
        self.format()
        daemon = self.start(JOURNAL_STREAM="8:1")
        self.wait_for_mount()
        daemon.send_signal(signal.SIGINT)
        self.assertEqual(daemon.wait(timeout=30), 0)
        with open(os.path.join(self.root, "stderr"), encoding="utf-8") as log:
            lines = log.read().splitlines()
        self.assertTrue(lines)
        for line in lines:
            self.assertRegex(line, r"^<[3-7]>")

    def test_a_hangup_of_the_terminal_ends_it(self):
        self.format()
        daemon = self.start()
        self.wait_for_mount()
        daemon.send_signal(signal.SIGHUP)
        self.assertEqual(daemon.wait(timeout=30), 0)
        self.assertFalse(self.is_mounted())

    def wait_for_mount(self):
        deadline = time.monotonic() + 30
        while not self.is_mounted() or not os.path.exists(os.path.join(self.meta, "daemon.json")):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)


class Ending(CliTest):
    def test_sigterm_unmounts_and_loses_nothing(self):
        self.up()
        content = os.urandom(30 << 20)
        self.write("file", content)
        pid = self.pid()
        os.kill(pid, signal.SIGTERM)
        self.wait_until_gone(pid)
        self.assertFalse(self.is_mounted())
        self.assertTrue(self.json("fsck", self.meta)["clean"])
        self.up()
        self.assertEqual(self.read("file"), content)

    def test_sigterm_under_an_open_file_detaches_and_publishes_it(self):
        self.up()
        pid = self.pid()
        with open(os.path.join(self.mount, "file"), "wb", buffering=0) as file:
            file.write(b"before ")
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 10
            while self.is_mounted():
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)
            file.write(b"after")
        self.wait_until_gone(pid)
        self.up()
        self.assertEqual(self.read("file"), b"before after")

    def test_sigterm_does_not_wait_for_ever_for_open_files(self):
        self.up()
        pid = self.pid()
        file = open(os.path.join(self.mount, "file"), "wb", buffering=0)  # pylint: disable=consider-using-with
        file.write(b"half")
        os.kill(pid, signal.SIGTERM)
        self.wait_until_gone(pid, timeout=40)
        with self.assertRaises(OSError):
            file.write(b"more")
        with self.assertRaises(OSError):
            file.close()
        self.up()
        self.assertEqual(self.read("file"), b"half")

    def test_umount_of_a_volume_in_use_names_the_user(self):
        self.up()
        with subprocess.Popen(["sleep", "100"], cwd=self.mount) as sleeper:
            try:
                self.fails(1, "umount", self.mount, says=["in use", f"sleep ({sleeper.pid})", "--lazy"])
                self.write("file", b"still works")
            finally:
                sleeper.kill()

    def test_lazy_umount_frees_the_place_and_serves_what_is_open(self):
        self.up()
        pid = self.pid()
        with open(os.path.join(self.mount, "file"), "wb", buffering=0) as file:
            self.assertIn("still open", self.ok("umount", self.mount, "--lazy"))
            self.assertFalse(self.is_mounted())
            file.write(b"late")
            self.fails(1, "up", self.mount + "2", "--dir", self.state)
        self.wait_until_gone(pid)
        self.up()
        self.assertEqual(self.read("file"), b"late")

    def test_a_daemon_that_ends_late_leaves_the_next_mount_alone(self):
        """The place of a detached volume may be another's by the time its daemon ends."""
        self.up()
        pid = self.pid()
        file = open(os.path.join(self.mount, "file"), "wb", buffering=0)  # pylint: disable=consider-using-with
        file.write(b"x")
        self.ok("umount", self.mount, "--lazy")
        self.ok("up", self.mount, "--dir", self.root + "/second")
        os.kill(pid, signal.SIGTERM)
        self.wait_until_gone(pid, timeout=40)
        with self.assertRaises(OSError):
            file.close()
        self.write("second", b"fine")
        self.ok("umount", self.mount)

    def test_plain_umount_ends_the_daemon_too(self):
        self.up()
        self.write("file", b"content")
        pid = self.pid()
        subprocess.run(["umount", self.mount], check=True)
        self.wait_until_gone(pid)
        self.up()
        self.assertEqual(self.read("file"), b"content")

    def test_what_was_not_uploaded_is_said_and_uploaded_later(self):
        self.up()
        os.rename(self.store, self.store + ".away")
        content = os.urandom(9 << 20)
        self.write("file", content)
        self.assertIn("9.00 MiB are not in the object store yet", self.ok("umount", self.mount))
        os.rename(self.store + ".away", self.store)
        self.assertEqual(self.json("fsck", self.meta)["unstored_chunks"], 3)
        self.up()
        self.ok("sync", self.mount)
        self.assertEqual(self.json("stat", self.mount + "/file")[0]["state"], "stored")


class Killed(CliTest):
    def test_a_killed_daemon_leaves_nothing_that_the_next_mount_stumbles_over(self):
        self.up()
        content = os.urandom(9 << 20)
        self.write("file", content)
        for _ in range(3):
            self.kill_daemon()
            self.assertTrue(self.is_mounted())
            self.fails(1, "status", self.mount, says=["daemon", "gone"])
            self.fails(1, "stat", self.mount + "/file", says=["daemon", "gone"])
            self.up()
            self.assertEqual(self.read("file"), content)
        self.umount()
        self.assertTrue(self.json("fsck", self.meta)["clean"])

    def test_mount_after_a_kill(self):
        self.format()
        arguments = ["mount", self.meta, self.mount, "--cache-dir", self.cache, "--log-file", self.root + "/log"]
        self.ok(*arguments)
        self.kill_daemon()
        self.ok(*arguments)
        self.write("file", b"fine")

    def test_umount_removes_a_dead_mount(self):
        self.up()
        self.kill_daemon()
        self.assertIn("dead", self.ok("umount", self.mount))
        self.assertFalse(self.is_mounted())

    def test_doctor_reports_a_dead_mount(self):
        self.up()
        self.kill_daemon()
        done = self.weir("doctor", "--json")
        self.assertEqual(done.returncode, 1)
        dead = [finding for finding in json.loads(done.stdout) if finding["level"] == "fail" and self.mount in finding["what"]]
        self.assertEqual(len(dead), 1)

    def test_a_mount_that_does_not_answer_is_told_from_a_dead_one(self):
        self.up()
        pid = self.pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            self.fails(1, "umount", self.mount, says=["does not answer"], timeout=60)
            self.assertIn("detached", self.ok("umount", self.mount, "--lazy", timeout=60))
        finally:
            os.kill(pid, signal.SIGCONT)
        self.wait_until_gone(pid)


class TwoMounts(CliTest):
    def test_the_second_names_the_first(self):
        self.up()
        other = os.path.join(self.root, "other")
        os.mkdir(other)
        self.fails(1, "mount", self.meta, other, says=[str(self.pid()), self.mount])
        self.fails(1, "mount", "rocksdb://" + self.meta, other, says=[str(self.pid()), self.mount])
        self.assertFalse(self.is_mounted(other))
        self.write("file", b"the first goes on")

    def test_commands_by_metadata_url_find_the_daemon(self):
        self.up()
        self.assertTrue(self.json("status", self.meta)["mounted"])
        self.assertTrue(self.json("fsck", self.state)["live"])
        self.ok("umount", self.meta)
        self.assertFalse(self.is_mounted())

    def test_a_path_below_the_mount_and_a_bind_mount_lead_to_the_volume(self):
        self.up()
        os.mkdir(os.path.join(self.mount, "d"))
        self.write("d/file", b"x" * 5000)
        bound = os.path.join(self.root, "bound")
        os.mkdir(bound)
        subprocess.run(["mount", "--bind", os.path.join(self.mount, "d"), bound], check=True)
        self.assertEqual(self.json("stat", bound + "/file")[0]["size"], 5000)
        self.assertTrue(self.json("status", self.mount + "/d")["mounted"])
        subprocess.run(["umount", bound], check=True)


class Commands(CliTest):
    def test_many_clients_at_once(self):
        self.up()
        failed = []

        def ask():
            done = self.weir("status", self.mount, "--json")
            if done.returncode != 0:
                failed.append(done.stderr)

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])

    def test_a_command_waits_for_a_daemon_that_serves_files_and_no_commands_yet(self):
        """As one does that goes on after another, for seconds on a busy machine."""
        self.up()
        control = os.getxattr(self.mount, "user.weir.control").decode()
        os.rename(control, control + ".away")
        command = subprocess.Popen([WEIR, "status", self.mount, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            time.sleep(4)
        finally:
            os.rename(control + ".away", control)
        out, errors = command.communicate(timeout=60)
        self.assertEqual((command.returncode, errors), (0, ""))
        self.assertEqual(json.loads(out)["mount_point"], self.mount)

    def test_an_interrupted_sync_leaves_a_daemon_that_can_end(self):
        self.up()
        os.rename(self.store, self.store + ".away")
        self.write("file", os.urandom(5 << 20))
        with subprocess.Popen([WEIR, "sync", self.mount], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
            time.sleep(0.5)
            self.assertIsNone(client.poll())
            client.send_signal(signal.SIGINT)
        self.umount()


if __name__ == "__main__":
    unittest.main()
