"""Histories (histories_test.py) while nodes are stopped, cut off and killed: what succeeded stays, what failed happened
wholly or not at all, and nodes that nothing was done to notice nothing, but for content that only a lost node has.
WEIR_TEST_HISTORIES is three times the number of histories.
"""

import os
import random
import sys
import time

import harness
from fleet import Fleet, FleetTest, eventually
from histories import Judgement, totals
from histories_test import HISTORIES, SEED, run_histories, wrong_beyond_what_is_known
from history_model import Disturbance

SHORT_FAULTS = ("stop", "unplug", "database", "peers", "kill")
FENCED_AFTER_S = 12
STEPS = 60


class Faults:
    """Does something to a node, and undoes it; `disturbances` has when."""

    def __init__(self, fleet, seed):
        self.fleet, self.random = fleet, random.Random(seed)
        self.disturbances = []

    def one(self, kinds, seconds):
        kind, node = self.random.choice(kinds), self.random.choice(self.fleet.nodes)
        disturbance = Disturbance(node.name, time.monotonic(), float("inf"), seconds > FENCED_AFTER_S, kind == "kill")
        self.disturbances.append(disturbance)
        act, undo = {"stop": (node.stop, node.go_on), "unplug": (node.unplug, node.heal), "kill": (node.kill, node.mount),
                     "database": (node.cut_from_database, node.heal), "peers": (node.cut_from_peers, node.heal)}[kind]
        act()
        time.sleep(seconds)
        undo()
        eventually(lambda: works(node), 60, f"{node} works again after {kind}")
        disturbance.end = time.monotonic()
        print(f"{kind} of {node}, {disturbance.end - disturbance.start:.1f} s", file=sys.stderr)


def works(node):
    """A name can be made and removed."""
    try:
        os.mkdir(node.path("probe"))
        os.rmdir(node.path("probe"))
    except OSError:
        return False
    return True


class FaultsTest(FleetTest):
    def run_all(self, count, kinds, longest_s, shortest_s=0.1):
        with Fleet() as fleet:
            faults = Faults(fleet, SEED)

            def meanwhile(histories):
                time.sleep(faults.random.uniform(0.2, 1))
                faults.one(kinds, faults.random.uniform(shortest_s, longest_s))
                for history in histories:
                    history.disturbances = faults.disturbances

            judgements = []
            for seed in range(SEED, SEED + count, 2):
                judgements += run_histories(fleet, range(seed, min(seed + 2, SEED + count)), meanwhile, steps=STEPS)
            wrong = [judgement for judgement in judgements if judgement.violations]
            print(f"seed {SEED}: {totals(judgements)}, {len(wrong)} wrong", file=sys.stderr)
            for judgement in wrong:
                print(judgement.report(), file=sys.stderr)
            wrong = wrong_beyond_what_is_known(judgements)
            self.assertEqual(wrong, [], "\n".join(judgement.report() for judgement in wrong[:3]))
            fleet.umount()
            fleet.fsck()


class HistoriesWithFaults(FaultsTest):
    def test_faults_within_the_lease(self):
        self.run_all(max(2, HISTORIES // 3), SHORT_FAULTS, 3)


if __name__ == "__main__":
    harness.main()
