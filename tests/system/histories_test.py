"""What programs on three nodes see of one volume agrees with docs/consistency.md, "Several nodes": histories of random calls,
recorded and checked (histories.py, history_model.py). WEIR_TEST_HISTORIES says how many, of each kind, and that none may be
wrong; WEIR_TEST_HISTORIES_AT_ONCE so many share the nodes at a time; WEIR_TEST_SEED is the first seed.
"""

import os
import random
import shutil
import sys

import harness
from fleet import Fleet, FleetTest
from histories import LOCKS, History, Judgement, totals

HISTORIES = int(os.environ.get("WEIR_TEST_HISTORIES", "12"))
# Some of 15,500 were without an explanation (docs/consistency.md): one of a run by default may be, and only that.
WRONG_MAX = 0 if "WEIR_TEST_HISTORIES" in os.environ else 1
AT_ONCE = int(os.environ.get("WEIR_TEST_HISTORIES_AT_ONCE", "4"))
SEED = int(os.environ.get("WEIR_TEST_SEED", random.randrange(10**6)))


def run_histories(fleet, seeds, meanwhile=None, **options):
    """All at a time, while `meanwhile` does something to the nodes; yields a judgement each."""
    logs = os.path.join(fleet.root, "histories")
    os.makedirs(logs, exist_ok=True)
    tops = {node.name: node.mount_point for node in fleet.nodes}
    running = [History(tops, logs, seed, **options).start() for seed in seeds]
    try:
        if meanwhile:
            meanwhile(running)
        for history in running:
            history.join()
            history.look_again()
    finally:
        for history in running:
            history.kill()
    for history in running:
        judgement = Judgement(history)
        if judgement.violations:
            keep(history)
        else:
            history.remove_logs()
        yield judgement


def keep(history):
    """What a wrong history's processes wrote down is worth more than its violations."""
    directory = os.environ.get("WEIR_TEST_LOGS")
    if directory:
        os.makedirs(directory, exist_ok=True)
        for log in history.logs():
            shutil.copy(log, directory)


def wrong_beyond_what_is_known(judgements):
    """Histories of which nothing can be forgiven, or all that are wrong where they are too many."""
    wrong = [judgement for judgement in judgements if judgement.violations]
    worse = [judgement for judgement in wrong if any(not each.startswith("no order explains") for each in judgement.violations)]
    return wrong if len(wrong) > WRONG_MAX or len(judgements) < 4 else worse


class Histories(FleetTest):
    def run_all(self, **options):
        with Fleet() as fleet:
            judgements = []
            for first in range(SEED, SEED + HISTORIES, AT_ONCE):
                judgements += run_histories(fleet, range(first, min(first + AT_ONCE, SEED + HISTORIES)), **options)
            wrong = [judgement for judgement in judgements if judgement.violations]
            print(f"seed {SEED}: {totals(judgements)}, {len(wrong)} wrong", file=sys.stderr)
            for judgement in wrong:
                print(judgement.report(), file=sys.stderr)
            wrong = wrong_beyond_what_is_known(judgements)
            self.assertEqual(wrong, [], "\n".join(judgement.report() for judgement in wrong[:3]))
            self.assertGreater(sum(judgement.judged for judgement in judgements), HISTORIES * 100)
            self.assertEqual([judgement.history.seed for judgement in judgements if judgement.undecided], [])
            fleet.umount()
            fleet.fsck()

    def test_names_and_contents(self):
        self.run_all()

    def test_locks(self):
        self.run_all(locks=LOCKS)


if __name__ == "__main__":
    harness.main()
