"""Histories (histories_test.py) while a node is stopped or cut off for so long that the others take it for dead.
WEIR_TEST_LONG_FAULTS is how many.
"""

import os

import harness
from histories_faults_test import FaultsTest

LONG_FAULTS = int(os.environ.get("WEIR_TEST_LONG_FAULTS", "1"))
LONG = ("stop", "unplug", "database")
BEYOND_LEASE_S = 26


class HistoriesWithFencedNodes(FaultsTest):
    def test_faults_beyond_the_lease(self):
        self.run_all(LONG_FAULTS, LONG, BEYOND_LEASE_S, BEYOND_LEASE_S)


if __name__ == "__main__":
    harness.main()
