"""Recorder and judge together, on directories of a plain disk: three names of one directory are found right, and three
directories that somebody copies now and then are found wrong."""

import contextlib
import os
import random
import shutil
import tempfile
import threading
import time
import unittest

import harness
from histories import LOCKS, History, Judgement, content, recognize
from history_model import Disturbance, Event

HISTORIES = 2


class Copier:
    """Makes the directories `copies` what the first is, every now and then, as a bad network filesystem would."""

    def __init__(self, first, copies, every_s):
        self.first, self.copies, self.every_s = first, copies, every_s
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def work(self):
        while not self.stop.wait(self.every_s):
            for copy in self.copies:
                for directory in os.listdir(self.first):
                    with contextlib.suppress(OSError, shutil.Error):
                        shutil.copytree(os.path.join(self.first, directory), os.path.join(copy, directory), dirs_exist_ok=True)


class Recorder(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="weir-histories-", dir=harness.SCRATCH)
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.seed = int(os.environ.get("WEIR_TEST_SEED", random.randrange(10**6)))

    def directory(self, name):
        path = os.path.join(self.root, name)
        os.mkdir(path)
        return path

    def test_contents_are_recognized(self):
        a, b = content("a0-1", 1000), content("b0-1", 1000)
        self.assertEqual(recognize(a), ("a0-1", True))
        self.assertEqual(recognize(a[:500]), ("a0-1", True))
        self.assertEqual(recognize(b""), ("", True))
        for wrong in (a + b, a[:500] + b[500:], a[:-1] + b"x", bytes(1000), a[:500] + bytes(500)):
            self.assertFalse(recognize(wrong)[1])

    def test_a_plain_directory_is_right(self):
        """But for files that are written in place, which others of the same disk see at once."""
        top, logs = self.directory("top"), self.directory("logs")
        judged = holds = 0
        for seed in range(self.seed, self.seed + HISTORIES):
            history = History({"a": top, "b": top, "c": top}, logs, seed, LOCKS, in_place=False).start()
            history.join()
            history.look_again()
            judgement = Judgement(history)
            self.assertEqual(judgement.violations, [], judgement.report())
            judged += judgement.judged
            holds += judgement.holds
        self.assertGreater(judged, HISTORIES * 100)
        self.assertGreater(holds, HISTORIES * 5)

    def test_directories_that_are_copied_now_and_then_are_wrong(self):
        tops = {node: self.directory(node) for node in "abc"}
        logs = self.directory("logs")
        with Copier(tops["a"], [tops["b"], tops["c"]], 0.2):
            for seed in range(self.seed, self.seed + HISTORIES):
                for top in tops.values():
                    os.makedirs(os.path.join(top, f"history-{seed}"), exist_ok=True)
                history = History(tops, logs, seed).start()
                history.join()
                history.look_again()
                self.assertNotEqual(Judgement(history).violations, [], f"seed {seed}")


class Recorded:
    """A history of which somebody else says what was written down."""

    def __init__(self, events, disturbances):
        self.seed, self.events, self.disturbances = 0, events, disturbances

    def recorded(self):
        return self.events, {"v1": 10}, {}, []


class Judge(unittest.TestCase):
    def violations(self, unlink_result, node="b"):
        """Of a file that is made and not there later, beside a node whose call to remove it failed."""
        events = [Event("create", "a", 0, 0.4, "p0", token="v1"), Event("publish", "a", 0.5, 1, token="v1"),
                  Event("unlink", node, 5, 5.1, "p0", result=unlink_result), Event("read", "c", 9, 9.1, "p0", result="absent")]
        return Judgement(Recorded(events, [Disturbance("b", 2, 8, gone=True)])).violations

    def test_a_call_that_was_under_way_when_its_node_was_killed_may_have_happened(self):
        for result in ("ECONNABORTED", "EIO"):
            self.assertEqual(self.violations(result), [])

    def test_a_call_that_was_never_sent_did_not_happen(self):
        for result in ("ENOTCONN", "absent"):
            self.assertEqual(len(self.violations(result)), 1)

    def test_a_call_that_fails_on_a_node_to_which_nothing_was_done_is_a_violation(self):
        self.assertIn("a call failed", self.violations("EIO", node="c")[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
