"""A volume moves between metadata engines: `weir dump` and `weir load`."""

import json
import os
import sys
import unittest

import harness
from harness import SystemTest, Volume, fingerprint, main, run

sys.path.insert(0, os.path.join(harness.SOURCE, "tests", "servers"))
from postgresql import PostgreSql  # noqa: E402


@unittest.skipIf(PostgreSql.why_not(), f"no PostgreSQL here: {PostgreSql.why_not()}")
class DumpAndLoad(SystemTest):
    def setUp(self):
        self.database = PostgreSql().start()
        self.addCleanup(self.database.stop)
        self.volume = Volume()
        self.volume.up()
        self.addCleanup(self.volume.__exit__)
        self.meta = os.path.join(self.volume.state, "meta")
        self.dump = os.path.join(self.volume.root, "dump")
        self.fill()

    def fill(self):
        top = self.volume.mount
        os.makedirs(os.path.join(top, "a", "b"))
        for number in range(50):
            with open(os.path.join(top, "a", f"small{number}"), "wb") as file:
                file.write(os.urandom(100 * number))
        with open(os.path.join(top, "a", "b", "big"), "wb") as file:
            file.write(os.urandom(9 << 20))
        os.link(os.path.join(top, "a", "b", "big"), os.path.join(top, "second name"))
        os.symlink("a/b/big", os.path.join(top, "symlink"))
        os.setxattr(os.path.join(top, "a"), "user.colour", b"blue")

    def weir(self, *arguments):
        return json.loads(run(harness.WEIR, *arguments, "--json").stdout)

    def fails(self, *arguments):
        done = run(harness.WEIR, *arguments, check=False)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        return done.stderr

    def mount(self, url):
        """The cache of the volume that was dumped goes on."""
        run(harness.WEIR, "mount", url, self.volume.mount, "--cache-dir", os.path.join(self.volume.state, "cache"),
            *harness.OPTIONS, timeout=120)

    def unmount_stored(self):
        self.volume.weir("sync", self.volume.mount, "--to", "stored")
        self.volume.umount()

    def test_a_volume_moves_to_postgresql_and_back(self):
        before = fingerprint(self.volume.mount)
        self.unmount_stored()
        dumped = self.weir("dump", self.meta, self.dump)
        self.assertEqual(dumped["unstored_chunks"], 0)
        self.assertEqual(os.stat(self.dump).st_mode & 0o777, 0o600)
        loaded = self.weir("load", self.dump, self.database.url())
        self.assertEqual(loaded["rows"], dumped["rows"])
        self.mount(self.database.url())
        self.assertEqual(fingerprint(self.volume.mount), before)
        os.remove(os.path.join(self.volume.mount, "second name"))
        with open(os.path.join(self.volume.mount, "new"), "wb") as file:
            file.write(b"of the new one")
        self.weir("fsck", self.volume.mount)
        before = fingerprint(self.volume.mount)
        self.unmount_stored()
        # The store belongs to the new one: the other neither mounts nor collects.
        self.assertIn("store", self.fails("mount", self.meta, self.volume.mount))
        self.assertIn("store", self.fails("gc", self.meta, "--now"))
        again, second_dump = os.path.join(self.volume.root, "again"), self.dump + "2"
        self.weir("dump", self.database.url(), second_dump)
        self.weir("load", second_dump, again)
        self.mount(again)
        self.assertEqual(fingerprint(self.volume.mount), before)
        self.weir("fsck", self.volume.mount)
        self.volume.umount()

    def test_a_dump_is_loaded_once_unless_the_store_is_taken_on_purpose(self):
        self.unmount_stored()
        self.weir("dump", self.meta, self.dump)
        self.weir("load", self.dump, self.database.url())
        other = os.path.join(self.volume.root, "other")
        self.assertIn("--take-store", self.fails("load", self.dump, other))
        self.weir("load", self.dump, other, "--take-store")
        self.assertIn("store", self.fails("mount", self.database.url(), self.volume.mount))
        self.weir("fsck", other)

    def test_a_mounted_volume_is_not_dumped(self):
        self.assertIn("mounted", self.fails("dump", self.meta, self.dump))
        self.unmount_stored()
        self.weir("dump", self.meta, self.dump)
        self.weir("load", self.dump, self.database.url())
        self.mount(self.database.url())
        self.assertIn("in use", self.fails("dump", self.database.url(), self.dump + "2"))
        self.assertFalse(os.path.exists(self.dump + "2"))
        self.volume.umount()

    def test_nothing_is_written_over(self):
        self.unmount_stored()
        self.weir("dump", self.meta, self.dump)
        self.assertIn("already", self.fails("dump", self.meta, self.dump))
        self.assertIn("already", self.fails("load", self.dump, self.meta))
        self.weir("load", self.dump, self.database.url())
        self.assertIn("already", self.fails("load", self.dump, self.database.url(), "--take-store"))

    def test_a_load_that_breaks_off_leaves_no_volume_and_the_dumped_one_as_it_was(self):
        self.unmount_stored()
        self.weir("dump", self.meta, self.dump)
        size = os.path.getsize(self.dump)
        with open(self.dump, "rb") as whole, open(self.dump + ".short", "wb") as short:
            short.write(whole.read(size - 10))
        for place in (self.database.url(), os.path.join(self.volume.root, "other")):
            self.assertIn("cut short", self.fails("load", self.dump + ".short", place))
            self.assertIn("no volume", self.fails("mount", place, self.volume.mount))
        self.weir("fsck", self.meta)
        self.weir("load", self.dump, self.database.url())
        self.weir("fsck", self.database.url())

    def test_format_refuses_what_is_not_its_own(self):
        self.database.sql("CREATE SCHEMA foreign_one; CREATE TABLE foreign_one.accounts (id int)")
        store = os.path.join(self.volume.root, "another store")
        foreign = self.database.url() + "&schema=foreign_one"
        self.assertIn("something else", self.fails("format", foreign, "--store", store))
        self.weir("format", self.database.url(), "--store", store)
        self.assertIn("already", self.fails("format", self.database.url(), "--store", store + "2"))
        self.database.sql("UPDATE weir.engine SET format = 99")
        for command in (("format", self.database.url(), "--store", store + "3"), ("fsck", self.database.url())):
            self.assertIn("newer", self.fails(*command))


if __name__ == "__main__":
    main()
