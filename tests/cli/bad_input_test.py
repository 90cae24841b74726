#!/usr/bin/env python3
"""What is wrong with arguments and places is said in one sentence, with the right exit code, and changes nothing."""

import errno
import os
import subprocess
import unittest

from harness import CliTest


class Usage(CliTest):
    def test_malformed_sizes_are_quoted(self):
        for size in ("2TB ", " 2TB", "-1", "big", "1e9", "0x10", "", "10 GiB", "99999999999999999999"):
            self.fails(2, "up", self.mount, "--cache-size", size, says=["--cache-size"])
        self.assertIn("'2TB '", self.fails(2, "up", self.mount, "--cache-size", "2TB "))
        self.assertFalse(os.path.exists(self.mount))

    def test_unknown_commands_and_options_name_the_help(self):
        self.fails(2, "mnt", says=["'mnt'", "weir help"])
        self.fails(2, "mount", "--frob", self.meta, self.mount, says=["--frob", "weir mount --help"])

    def test_metadata_urls_of_other_kinds_are_wrong_usage(self):
        for url in ("mysql://db/x", "rocksdb://relative", "s3://bucket/meta"):
            self.fails(2, "mount", url, self.mount)


class Format(CliTest):
    def test_an_existing_volume_is_not_formatted_again(self):
        self.format()
        self.fails(1, "format", self.meta, "--store", self.store + "2", says=["already"])
        self.fails(1, "format", self.meta + "2", "--store", self.store, says=[self.store])

    def test_nothing_is_put_into_another_volume(self):
        self.format()
        for inside, what in ((self.meta, "metadata"), (self.store, "object store"), (self.store + "/objects", "object store")):
            os.makedirs(inside, exist_ok=True)
            self.fails(1, "format", self.root + "/m", "--store", inside + "/new", says=[f"the {what} of another volume"])
            self.fails(1, "format", inside + "/new", "--store", self.root + "/s", says=[f"the {what} of another volume"])
        self.assertTrue(self.json("fsck", self.meta)["clean"])

    def test_foreign_files_stay(self):
        os.makedirs(self.meta)
        os.makedirs(self.store)
        for directory in (self.meta, self.store):
            notes = os.path.join(directory, "notes.txt")
            with open(notes, "w", encoding="utf-8") as file:
                file.write("mine")
            self.fails(1, "format", self.meta, "--store", self.store, says=[directory, "empty"])
            os.remove(notes)
        self.ok("format", self.meta, "--store", self.store)

    def test_a_missing_parent_is_named(self):
        self.fails(1, "format", os.path.join(self.root, "no/meta"), "--store", self.store, says=[self.root + "/no"])

    def test_metadata_is_not_put_into_a_mounted_volume(self):
        self.up()
        inside = os.path.join(self.mount, "meta")
        self.fails(1, "format", inside, "--store", os.path.join(self.root, "s"), says=["inside the Weir volume", self.mount])
        self.fails(1, "format", os.path.join(self.root, "m"), "--store", inside, says=["inside the Weir volume"])
        self.fails(1, "up", os.path.join(self.root, "other"), "--dir", inside, says=["inside the Weir volume"])
        self.assertEqual(os.listdir(self.mount), [])

    def test_a_file_where_a_directory_should_be(self):
        os.makedirs(self.state)
        with open(self.meta, "w", encoding="utf-8"):
            pass
        self.fails(1, "format", self.meta, "--store", self.store)


class Mount(CliTest):
    def test_unformatted_metadata_says_how_to_format(self):
        os.makedirs(self.mount)
        self.fails(1, "mount", self.meta, self.mount, says=["weir format"])
        os.makedirs(self.meta)
        self.fails(1, "mount", self.meta, self.mount, says=["weir format"])
        with open(os.path.join(self.meta, "x"), "w", encoding="utf-8"):
            pass
        self.fails(1, "mount", self.meta, self.mount, says=[self.meta])

    def test_a_metadata_path_that_is_a_file_or_something_else(self):
        os.makedirs(self.mount)
        self.fails(1, "mount", "/etc/passwd", self.mount, says=["/etc/passwd is not a directory"])
        self.fails(1, "mount", "/proc", self.mount, says=["/proc", "something else than Weir metadata"])
        self.fails(1, "mount", "/etc/passwd/meta", self.mount, says=["/etc/passwd/meta"])

    def test_a_missing_mount_point_comes_with_the_command_that_makes_it(self):
        self.format()
        os.rmdir(self.mount)
        self.fails(1, "mount", self.meta, self.mount, says=[f"mkdir -p {self.mount}"])

    def test_a_mount_point_that_is_a_file(self):
        self.format()
        os.rmdir(self.mount)
        with open(self.mount, "w", encoding="utf-8"):
            pass
        self.fails(1, "mount", self.meta, self.mount, says=["not a directory"])

    def test_a_mount_point_with_files_is_covered_only_on_demand(self):
        self.format()
        hidden = os.path.join(self.mount, "hidden")
        with open(hidden, "w", encoding="utf-8"):
            pass
        self.fails(1, "mount", self.meta, self.mount, says=["not empty", "--nonempty"])
        self.ok("mount", self.meta, self.mount, "--nonempty", "--cache-dir", self.cache, "--log-file", self.root + "/log")
        self.assertEqual(os.listdir(self.mount), [])
        self.umount()
        self.assertTrue(os.path.exists(hidden))

    def test_a_mount_point_in_use_by_another_volume(self):
        self.up()
        other = os.path.join(self.root, "other")
        self.ok("format", other, "--store", other + "-store")
        self.fails(1, "mount", other, self.mount, says=["mounted", f"weir umount {self.mount}"])
        self.fails(1, "up", self.mount, "--dir", self.root + "/state2", says=["mounted"])
        self.assertFalse(os.path.exists(self.root + "/state2"))

    def test_a_mount_point_that_is_a_symlink_to_nowhere(self):
        self.format()
        os.symlink("nowhere", self.root + "/link")
        self.fails(1, "mount", self.meta, self.root + "/link", says=["symlink that leads nowhere"])
        self.fails(1, "up", self.root + "/link", "--dir", self.root + "/state2", says=["symlink that leads nowhere"])
        self.assertFalse(os.path.exists(self.root + "/state2"))

    def test_paths_with_blanks_slashes_symlinks_and_dots(self):
        self.mount = os.path.join(self.root, "ünï \U0001f980 dir")
        self.ok("up", self.mount + "/", "--dir", self.state)
        os.symlink(self.mount, self.root + "/link")
        self.write("file", b"x" * 5000)
        for path in (self.mount + "//file", self.root + "/link/file", self.root + "/./state/../link/file"):
            self.assertEqual(self.json("stat", path)[0]["size"], 5000, path)
        relative = os.path.basename(self.mount)
        self.assertEqual(self.json("stat", relative + "/file", cwd=self.root)[0]["size"], 5000)
        self.assertTrue(self.json("up", "link", "--dir", "state/", cwd=self.root)["already_mounted"])
        self.ok("umount", "link/", cwd=self.root)
        self.fails(1, "umount", "link", cwd=self.root, says=["no Weir volume is mounted at link"])
        self.assertEqual(self.json("up", "link", "--dir", "state", cwd=self.root)["mount_point"], self.mount)
        self.assertEqual(self.read("file"), b"x" * 5000)

    def test_the_root_directory_is_no_mount_point(self):
        self.format()
        self.fails(1, "mount", self.meta, "/")
        self.fails(1, "up", "/")

    def test_a_store_that_is_gone(self):
        self.format()
        os.rename(self.store, self.store + ".away")
        self.fails(1, "mount", self.meta, self.mount, says=["object store", self.store])
        os.mkdir(self.store)
        self.fails(1, "mount", self.meta, self.mount, says=["object store", self.store])
        self.assertFalse(self.is_mounted())

    def test_a_cache_on_a_read_only_disk(self):
        self.format()
        disk = self.disk("disk", "size=64m")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        self.fails(1, "mount", self.meta, self.mount, "--cache-dir", disk + "/cache", says=[f"weir: cache directory {disk}/cache is on a", "disk"])
        self.assertFalse(self.is_mounted())

    def test_a_cache_on_a_full_disk(self):
        self.format()
        disk = self.disk("disk", "size=1m")
        with self.assertRaises(OSError), open(os.path.join(disk, "fill"), "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        self.fails(1, "mount", self.meta, self.mount, "--cache-dir", disk + "/cache", says=[f"weir: cache directory {disk}/cache is on a", "disk"])
        self.assertFalse(self.is_mounted())

    def test_a_mount_that_failed_does_not_forget_the_cache_of_the_last_one(self):
        """After a mistyped --cache-dir, what was not stored yet lay in a cache that the next mount did not look into."""
        self.format()
        self.ok("mount", self.meta, self.mount, "--cache-dir", self.cache, "--log-file", self.root + "/log")
        os.rename(self.store, self.store + ".away")
        self.write("unstored", b"precious" * 100_000)
        self.umount()
        os.rename(self.store + ".away", self.store)
        self.fails(1, "mount", self.meta, self.mount, "--cache-dir", "/proc/nothing", "--log-file", self.root + "/log")
        self.ok("mount", self.meta, self.mount, "--log-file", self.root + "/log")
        self.assertEqual(self.read("unstored"), b"precious" * 100_000)
        self.assertEqual(self.json("status", self.mount)["cache"]["directory"], self.cache)

    def test_a_store_that_goes_away_under_a_mounted_volume(self):
        self.up()
        self.write("stored", os.urandom(5 << 20))
        self.ok("sync", self.mount)
        os.rename(self.store, self.store + ".away")
        self.write("unstored", b"precious" * 700_000)
        self.assertEqual(self.read("unstored"), b"precious" * 700_000)
        self.assertEqual(self.json("status", self.mount)["upload"]["backlog_bytes"], 5_600_000)
        self.assertIn("not in the object store yet", self.ok("umount", self.mount))
        self.fails(1, "up", self.mount, "--dir", self.state, says=["object store", self.store])
        os.rename(self.store + ".away", self.store)
        self.up()
        self.ok("sync", self.mount)
        self.assertTrue(self.json("fsck", self.mount)["clean"])

    def test_a_disk_that_fills_up_under_a_mounted_volume(self):
        disk = self.disk("disk", "size=100m")
        self.state = disk + "/state"
        self.up("--cache-reserve", "1MiB")
        kept = self.write("kept", os.urandom(5 << 20))
        self.ok("sync", kept)
        with self.assertRaises(OSError) as raised, open(self.mount + "/big", "wb", buffering=0) as file:
            while True:
                file.write(os.urandom(1 << 20))
        self.assertEqual(raised.exception.errno, errno.ENOSPC)
        self.assertEqual(len(self.read("kept")), 5 << 20)
        os.remove(self.mount + "/big")
        self.ok("gc", self.mount, "--now")
        self.write("after", b"works again")
        self.umount()
        self.up("--cache-reserve", "1MiB")
        self.assertEqual(self.read("after"), b"works again")
        self.assertTrue(self.json("fsck", self.mount)["clean"])

    def test_a_cache_or_log_below_the_mount_point(self):
        self.format()
        self.fails(1, "mount", self.meta, self.mount, "--cache-dir", self.mount + "/c", says=["below mount point"])
        self.fails(1, "mount", self.meta, self.mount, "--log-file", self.mount + "/l", says=["below mount point"])

    def test_a_log_that_cannot_be_written(self):
        self.format()
        self.fails(1, "mount", self.meta, self.mount, "--log-file", "/proc/nothing/weir.log", says=["/proc/nothing"])
        self.assertFalse(self.is_mounted())

    def test_a_cache_of_another_volume(self):
        self.up()
        self.umount()
        other = os.path.join(self.root, "other")
        self.ok("format", other, "--store", other + "-store")
        self.fails(1, "mount", other, self.mount, "--cache-dir", self.cache, says=[self.cache])

    def test_a_volume_of_a_newer_program(self):
        self.format()
        with open(os.path.join(self.meta, "format"), "w", encoding="utf-8") as file:
            file.write("weir metadata in rocksdb, format 99\n")
        self.fails(1, "mount", self.meta, self.mount, says=["99", "newer"])
        self.fails(1, "fsck", self.meta, says=["99", "newer"])


class Up(CliTest):
    def test_a_state_directory_with_other_files_is_left_alone(self):
        os.makedirs(self.state)
        with open(os.path.join(self.state, "notes.txt"), "w", encoding="utf-8"):
            pass
        self.fails(1, "up", self.mount, "--dir", self.state, says=[self.state])
        self.assertEqual(os.listdir(self.state), ["notes.txt"])

    def test_a_state_directory_below_the_mount_point(self):
        self.fails(1, "up", self.mount, "--dir", self.mount + "/state", says=["below mount point"])

    def test_the_same_volume_at_another_place(self):
        self.up()
        self.fails(1, "up", self.mount + "2", "--dir", self.state, says=[self.mount, str(self.pid())])


class Paths(CliTest):
    def test_commands_outside_of_volumes_say_so(self):
        self.up()
        for command in ("stat", "sync", "warm", "evict"):
            self.fails(1, command, "/etc/passwd", says=["/etc/passwd"])
            self.fails(1, command, self.mount + "/absent", says=["does not exist"])
        for command in ("status", "gc", "fsck", "umount"):
            self.fails(1, command, "/etc", says=["/etc"])

    def test_a_symlink_that_leads_out_is_not_followed_to_a_strangers_inode(self):
        self.up()
        os.symlink("/etc/passwd", os.path.join(self.mount, "link"))
        self.fails(1, "stat", os.path.join(self.mount, "link"), says=["leads out"])

    def test_repair_of_a_mounted_volume_is_refused(self):
        self.up()
        self.fails(1, "fsck", self.mount, "--repair", says=["unmount"])

    def test_a_mount_below_another_one_is_named_when_that_is_unmounted(self):
        self.up()
        inner = os.path.join(self.mount, "inner")
        os.mkdir(inner)
        self.ok("up", inner, "--dir", self.root + "/inner-state")
        self.assertEqual(self.json("status", inner)["mount_point"], inner)
        self.assertEqual(self.json("status", self.mount)["mount_point"], self.mount)
        self.fails(1, "umount", self.mount, says=[f"in use by the mount at {inner};"])
        self.ok("umount", inner)
        self.umount()

    def test_umount_of_what_is_not_mounted(self):
        self.format()
        self.fails(1, "umount", self.meta, says=["not mounted"])
        self.fails(1, "umount", self.mount, says=[self.mount])


if __name__ == "__main__":
    unittest.main()
