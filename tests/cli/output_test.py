#!/usr/bin/env python3
"""What commands print: one JSON document with --json, readable text without, and progress only for terminals."""

import contextlib
import json
import os
import pty
import subprocess
import unittest

from harness import CliTest, WEIR


class Output(CliTest):
    def test_every_command_prints_one_json_document(self):
        up = self.json("up", self.mount, "--dir", self.state)
        self.assertEqual((up["mount_point"], up["created"], up["already_mounted"]), (self.mount, True, False))
        again = self.json("up", self.mount, "--dir", self.state)
        self.assertEqual((again["created"], again["already_mounted"]), (False, True))
        path = self.write("file", os.urandom(9 << 20))

        status = self.json("status", self.mount)
        self.assertEqual(status["mount_point"], self.mount)
        self.assertEqual(status["pid"], self.pid())
        self.assertEqual(self.json("status", "rocksdb://" + self.meta)["pid"], self.pid())
        self.assertEqual(self.json("sync", self.mount)["failed"], 0)

        stat = self.json("stat", path)[0]
        self.assertEqual((stat["size"], stat["chunks"], stat["chunks_stored"], stat["state"]), (9 << 20, 3, 3, "stored"))
        self.assertTrue(stat["complete"])
        self.assertGreaterEqual(self.json("evict", path)["bytes_done"], 9 << 20)
        self.assertFalse(self.json("stat", path)[0]["complete"])
        self.assertEqual(self.json("warm", self.mount)["failed"], 0)
        self.assertTrue(self.json("stat", path)[0]["complete"])
        self.assertTrue(self.json("fsck", self.mount)["clean"])
        os.remove(path)
        self.assertEqual(self.json("gc", self.mount, "--now")["objects_deleted"], 3)
        levels = {finding["level"] for finding in json.loads(self.weir("doctor", self.mount, "--json").stdout)
                  if finding["name"] != "mount" or self.mount in finding["what"]}  # others may have dead mounts now
        self.assertIn("ok", levels)
        self.assertNotIn("fail", levels)
        self.assertEqual(self.json("umount", self.mount)["mount_point"], self.mount)

        self.assertFalse(self.json("status", self.meta)["mounted"])
        self.assertTrue(self.json("fsck", self.meta, "--deep", "--repair")["clean"])
        self.assertEqual(self.json("gc", self.meta)["objects_deleted"], 0)
        self.assertIn("version", self.json("version"))
        created = self.json("format", self.root + "/m2", "--store", self.root + "/s2", "--name", "second")
        self.assertEqual(created["name"], "second")

    def test_failures_with_json_are_documents_too(self):
        absent = self.root + "/absent"
        for command in (["up", "/"], ["format", absent + "/meta", "--store", self.store], ["mount", absent, self.root],
                        ["umount", absent], ["status", absent], ["stat", absent], ["sync", absent], ["warm", absent],
                        ["evict", absent], ["gc", absent], ["fsck", absent]):
            self.fails(1, *command, "--json")
        for command in (["up"], ["stat", "--frob"], ["sync", absent, "--to", "moon"]):
            self.fails(2, *command, "--json")
        done = self.weir("doctor", absent, "--json")
        self.assertEqual(done.returncode, 1)
        self.assertIn("fail", [finding["level"] for finding in json.loads(done.stdout)])

    def test_one_path_that_is_not_there_does_not_keep_the_others_from_being_served(self):
        self.up()
        path, absent = self.write("file", os.urandom(5 << 20)), self.mount + "/absent"
        for command in ("stat", "sync", "evict", "warm"):
            done = self.weir(command, absent, path, "--json")
            self.assertEqual((done.returncode, done.stderr), (1, f"weir: {absent} does not exist\n"), command)
            served = json.loads(done.stdout)
            self.assertEqual(len(served) if command == "stat" else served["files_done"], 1, command)

    def test_output_that_cannot_be_written_is_a_failure(self):
        self.up()
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([WEIR, "status", self.mount], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output", done.stderr)

    def test_names_that_are_not_utf8_do_not_break_json(self):
        self.up()
        path = os.path.join(os.fsencode(self.mount), b"bad-\xff-name")
        with open(path, "wb") as file:
            file.write(b"x")
        done = subprocess.run([WEIR, "stat", "--json", path], stdout=subprocess.PIPE, check=True)
        self.assertEqual(json.loads(done.stdout)[0]["size"], 1)

    def test_text_tells_people_what_was_done(self):
        self.assertIn(self.mount, self.ok("up", self.mount, "--dir", self.state))
        self.assertIn("already", self.ok("up", self.mount, "--dir", self.state))
        path = self.write("file", os.urandom(5 << 20))
        self.assertIn("stored", self.ok("sync", path))
        self.assertIn("complete", self.ok("stat", path))
        self.assertIn("freed", self.ok("evict", path))
        self.assertIn("0 of 2 chunks", self.ok("stat", path))
        self.assertIn("in the cache", self.ok("warm", path))
        self.assertIn("clean", self.ok("fsck", self.mount))
        self.assertIn(self.store, self.ok("status", self.mount))
        self.assertIn("unmounted", self.ok("umount", self.mount))

    def test_evicting_what_is_open_says_that_it_stays(self):
        self.up()
        path = self.write("file", os.urandom(5 << 20))
        self.ok("sync", path)
        with open(path, "rb") as file:
            file.read(1)
            done = self.weir("evict", path)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertIn("in use", done.stderr)
        self.assertTrue(self.json("stat", path)[0]["complete"])

    def test_what_was_read_or_synced_a_moment_ago_can_be_evicted(self):
        self.up()
        for number in range(10):
            path = self.write(f"file{number}", os.urandom((5 << 20) + number))
            self.ok("sync", path)
            self.ok("evict", path)
            self.read(f"file{number}")
            self.ok("evict", path)

    def test_progress_is_for_terminals_and_leaves_no_trace(self):
        self.up()
        for number in range(20):
            self.write(f"file{number}", os.urandom(300_000))
        terminal, child_end = pty.openpty()
        done = subprocess.run([WEIR, "sync", self.mount], stdout=subprocess.PIPE, stderr=child_end, check=True)
        os.close(child_end)
        shown = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while piece := os.read(terminal, 4096):
                shown += piece
        shown = shown.decode()
        os.close(terminal)
        self.assertTrue(shown.endswith("\r\x1b[K"), repr(shown[-80:]))
        self.assertNotIn("\r", done.stdout.decode())

    def test_manual_pages_go_to_stdout(self):
        for command in self.ok("help").split("Commands:")[1].split("\n\n")[0].split("\n"):
            if command.strip() and command.split()[0] != "help":
                self.assertIn("EXIT STATUS", self.ok(command.split()[0], "--help"))


if __name__ == "__main__":
    unittest.main()
