#!/usr/bin/env python3
"""Damage in the store and in the cache is found, named by path, and repaired where nothing is lost."""

import glob
import hashlib
import json
import os
import shutil
import unittest

from harness import CliTest


class Fsck(CliTest):
    def setUp(self):
        super().setUp()
        self.up()
        os.mkdir(os.path.join(self.mount, "d"))
        self.content = os.urandom(9 << 20)
        self.write("d/file", self.content)
        self.ok("sync", self.mount)

    def objects(self):
        return sorted(glob.glob(self.store + "/objects/chunks/*/*"))

    def check(self, *options, target=None):
        done = self.weir("fsck", target or self.meta, "--json", *options)
        return done.returncode, json.loads(done.stdout)

    def kinds(self, result):
        return sorted(problem["kind"] for problem in result["problems"])

    def test_an_orphan_object_is_reported_and_removed_by_repair(self):
        self.umount()
        orphan = f"{self.store}/objects/chunks/aa/{'aa' * 32}.7"
        os.makedirs(os.path.dirname(orphan), exist_ok=True)
        with open(orphan, "wb") as file:
            file.write(b"nobody's")
        code, result = self.check()
        self.assertEqual((code, self.kinds(result)), (1, ["orphan_object"]))
        self.assertTrue(os.path.exists(orphan))
        code, result = self.check("--repair")
        self.assertEqual((code, result["repaired_count"], result["clean"]), (0, 1, False))
        self.assertFalse(os.path.exists(orphan))
        self.assertEqual(self.check()[0], 0)
        self.assertEqual(len(self.objects()), 3)

    def test_a_missing_object_is_put_again_from_the_cache(self):
        self.umount()
        os.remove(self.objects()[0])
        code, result = self.check()
        self.assertEqual((code, self.kinds(result)), (1, ["missing_object"]))
        self.assertIn("/d/file", result["problems"][0]["what"])
        self.assertTrue(result["problems"][0]["repairable"])
        self.assertEqual(self.check("--repair")[1]["repaired_count"], 1)
        code, result = self.check("--deep")
        self.assertEqual((code, result["verified_objects"]), (0, 3))

    def test_repair_that_mended_everything_lets_a_script_go_on_and_says_what_it_did(self):
        self.umount()
        os.remove(self.objects()[0])
        self.assertIn("1 problem found, all repaired", self.ok("fsck", self.meta, "--repair"))
        self.assertIn("clean", self.ok("fsck", self.meta, "--repair"))

    def test_repair_that_left_something_fails_and_says_how_much(self):
        self.ok("evict", self.mount)
        self.umount()
        os.remove(self.objects()[1])
        orphan = f"{self.store}/objects/chunks/aa/{'aa' * 32}.7"
        os.makedirs(os.path.dirname(orphan), exist_ok=True)
        with open(orphan, "wb") as file:
            file.write(b"nobody's")
        done = self.weir("fsck", self.meta, "--repair")
        self.assertEqual((done.returncode, done.stderr), (1, "weir: 2 problems found, 1 repaired\n"))
        self.assertFalse(os.path.exists(orphan))

    def test_a_missing_object_without_a_copy_is_named_and_left(self):
        self.ok("evict", self.mount)
        self.umount()
        os.remove(self.objects()[1])
        code, result = self.check("--repair")
        self.assertEqual((code, result["repaired_count"]), (1, 0))
        self.assertIn("/d/file", result["problems"][0]["what"])

    def test_a_changed_object_is_found_by_deep(self):
        self.ok("evict", self.mount)
        path = self.objects()[0]
        with open(path, "r+b") as file:
            first = file.read(1)
            file.seek(0)
            file.write(bytes([first[0] ^ 1]))
        self.assertEqual(self.check(target=self.mount)[0], 0)
        code, result = self.check("--deep", target=self.mount)
        self.assertEqual((code, self.kinds(result)), (1, ["corrupt_object"]))
        self.assertIn("/d/file", result["problems"][0]["what"])

    def test_a_short_object_is_found(self):
        os.truncate(self.objects()[0], 100)
        code, result = self.check(target=self.mount)
        self.assertEqual((code, self.kinds(result)), (1, ["wrong_object_size"]))

    def test_a_changed_object_never_reaches_a_reader(self):
        self.ok("evict", self.mount)
        with open(self.objects()[0], "r+b") as file:
            file.write(b"\0" * 100)
        with self.assertRaises(OSError):
            self.read("d/file")

    def test_content_that_is_neither_stored_nor_cached_is_lost_and_named(self):
        os.rename(self.store, self.store + ".away")
        self.write("unstored", os.urandom(5 << 20))
        self.umount()
        os.rename(self.store + ".away", self.store)
        self.assertEqual(self.check()[0], 0)
        shutil.rmtree(self.cache)
        code, result = self.check()
        self.assertEqual((code, self.kinds(result)), (1, ["lost_chunk", "lost_chunk"]))
        self.assertIn("/unstored", result["problems"][0]["what"])

    def test_a_mounted_volume_under_load_is_clean(self):
        for round_number in range(5):
            for number in range(30):
                self.write(f"d/f{number}", os.urandom(100_000 + round_number))
            self.assertEqual(self.check(target=self.mount)[1]["problems"], [])

    def test_deleted_content_waits_for_the_collector_and_is_no_problem(self):
        os.remove(os.path.join(self.mount, "d/file"))
        self.assertEqual(self.check(target=self.mount)[0], 0)
        self.umount()
        self.assertEqual(self.check()[0], 0)
        self.assertEqual(self.json("gc", self.meta, "--now")["objects_deleted"], 3)
        self.assertEqual(self.objects(), [])
        self.assertEqual(self.check()[0], 0)

    def test_objects_are_what_their_names_say(self):
        for path in self.objects():
            with open(path, "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).hexdigest(), os.path.basename(path).split(".")[0])


if __name__ == "__main__":
    unittest.main()
