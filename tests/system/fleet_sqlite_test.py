"""SQLite with a rollback journal, written by two nodes under its own fcntl locks: in turn, and both at once. The database
is whole, and no transaction is lost. WEIR_TEST_SQLITE_TURNS is the number of turns."""

import os
import sqlite3
import sys

import harness
from fleet import Fleet, FleetTest

TURNS = int(os.environ.get("WEIR_TEST_SQLITE_TURNS", "10"))
ROWS = 10

WRITER = """
import sqlite3, sys
path, writer, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = sqlite3.connect(path, timeout=120, isolation_level=None)
for number in range(rows):
    db.execute("BEGIN IMMEDIATE")
    total, = db.execute("SELECT coalesce(max(total), 0) FROM entries").fetchone()
    db.execute("INSERT INTO entries(writer, total, filler) VALUES (?, ?, ?)", (writer, total + 1, writer * 300))
    db.execute("COMMIT")
db.close()
"""


class SqliteOnTwoNodes(FleetTest):
    def create(self, node):
        db = sqlite3.connect(node.path("data.db"))
        self.assertEqual(db.execute("PRAGMA journal_mode=delete").fetchone()[0], "delete")
        db.execute("CREATE TABLE entries(id INTEGER PRIMARY KEY, writer, total, filler)")
        db.commit()
        db.close()

    def assert_whole(self, fleet, rows):
        for node in fleet.nodes:
            db = sqlite3.connect(node.path("data.db"), timeout=60)
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchone()[0], "ok", node)
            found = db.execute("SELECT count(*), max(total), count(DISTINCT total) FROM entries").fetchone()
            self.assertEqual(found, (rows, rows, rows), node)
            db.close()

    def test_in_turn(self):
        with Fleet(2) as fleet:
            self.create(fleet.nodes[0])
            for turn in range(TURNS):
                node = fleet.nodes[turn % 2]
                node.run(sys.executable, "-c", WRITER, node.path("data.db"), node.name, str(ROWS), timeout=120)
            self.assert_whole(fleet, TURNS * ROWS)
            fleet.umount()
            fleet.fsck()

    def test_connections_that_stay_open(self):
        with Fleet(2) as fleet:
            self.create(fleet.nodes[0])
            connections = [sqlite3.connect(node.path("data.db"), timeout=120, isolation_level=None) for node in fleet.nodes]
            for turn in range(TURNS * ROWS):
                db = connections[turn % 2]
                db.execute("BEGIN IMMEDIATE")
                self.assertEqual(db.execute("SELECT coalesce(max(total), 0) FROM entries").fetchone()[0], turn)
                db.execute("INSERT INTO entries(writer, total, filler) VALUES (?, ?, ?)", ("x", turn + 1, "y" * 300))
                db.execute("COMMIT")
            for db in connections:
                db.close()
            self.assert_whole(fleet, TURNS * ROWS)

    def test_both_at_once(self):
        with Fleet(2) as fleet:
            self.create(fleet.nodes[0])
            writers = [node.popen(sys.executable, "-c", WRITER, node.path("data.db"), node.name, str(TURNS * ROWS // 2))
                       for node in fleet.nodes]
            self.assertEqual([writer.wait(timeout=300) for writer in writers], [0, 0])
            self.assert_whole(fleet, TURNS // 2 * ROWS * 2)


if __name__ == "__main__":
    harness.main()
