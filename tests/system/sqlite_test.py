"""Databases on the mount stay whole: SQLite with a write-ahead log under four writers."""

import os
import sqlite3
import subprocess
import sys

from harness import SystemTest, Volume, main, run

ROUNDS = int(os.environ.get("WEIR_TEST_SQLITE_ROUNDS", "150"))

WRITER = """
import sqlite3, sys
path, writer, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
db = sqlite3.connect(path, timeout=60, isolation_level=None)
for number in range(rounds):
    db.execute("BEGIN IMMEDIATE")
    total, = db.execute("SELECT coalesce(max(total), 0) FROM entries").fetchone()
    db.execute("INSERT INTO entries(writer, number, total, filler) VALUES (?, ?, ?, ?)",
               (writer, number, total + 1, bytes([writer]) * 300))
    db.execute("COMMIT")
db.close()
"""


class Sqlite(SystemTest):
    def four_writers(self, top, mode):
        path = os.path.join(top, f"{mode}.db")
        db = sqlite3.connect(path)
        self.assertEqual(db.execute(f"PRAGMA journal_mode={mode}").fetchone()[0], mode)
        db.execute("CREATE TABLE entries(id INTEGER PRIMARY KEY, writer, number, total, filler)")
        db.commit()
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, path, str(writer), str(ROUNDS)]) for writer in range(4)
        ]
        self.assertEqual([writer.wait(timeout=300) for writer in writers], [0, 0, 0, 0])
        rows = db.execute("SELECT count(*), max(total), count(DISTINCT writer || '/' || number) FROM entries").fetchone()
        check = db.execute("PRAGMA integrity_check").fetchone()[0]
        db.close()
        return rows, check

    def test_write_ahead_log_under_four_writers(self):
        with Volume() as volume:
            mounted, plain = self.in_both(volume, lambda top: self.four_writers(top, "wal"))
            self.assertEqual(mounted, plain)
            self.assertEqual(mounted, ((4 * ROUNDS, 4 * ROUNDS, 4 * ROUNDS), "ok"))
            self.assert_whole_after_restart(volume, "wal")

    def test_rollback_journal_under_four_writers(self):
        with Volume() as volume:
            self.assertEqual(self.four_writers(volume.mount, "delete"), ((4 * ROUNDS, 4 * ROUNDS, 4 * ROUNDS), "ok"))
            self.assert_whole_after_restart(volume, "delete")

    def assert_whole_after_restart(self, volume, mode):
        volume.umount()
        volume.fsck()
        volume.up()
        path = os.path.join(volume.mount, f"{mode}.db")
        self.assertEqual(run("sqlite3", path, "PRAGMA integrity_check; SELECT count(*) FROM entries").stdout,
                         f"ok\n{4 * ROUNDS}\n")


if __name__ == "__main__":
    main()
