"""What fills a Hugging Face cache on two nodes at once, under flock, downloads each blob once, and all nodes read it."""

import hashlib
import json
import os
import random
import subprocess
import sys

import harness
from fleet import Fleet, FleetTest, read

BLOBS = int(os.environ.get("WEIR_TEST_MODEL_BLOBS", "8"))

# As huggingface_hub does it: a lock a blob, an incomplete file that is renamed, a symlink in the snapshot.
DOWNLOADER = """
import fcntl, hashlib, json, os, random, sys
top, node, order, plan = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
names = sorted(plan)
random.Random(order).shuffle(names)
blobs, snapshot, locks = (os.path.join(top, part) for part in ("blobs", "snapshots/main", ".locks"))
for directory in (blobs, snapshot, locks):
    os.makedirs(directory, exist_ok=True)
downloads = []
for name in names:
    seed, size = plan[name]
    content = random.Random(seed).randbytes(size)
    blob = os.path.join(blobs, hashlib.sha256(content).hexdigest())
    with open(os.path.join(locks, name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(blob):
            with open(blob + ".incomplete", "ab") as file:
                file.truncate(0)
                for start in range(0, size, 1 << 20):
                    file.write(content[start : start + (1 << 20)])
            os.replace(blob + ".incomplete", blob)
            downloads.append(name)
        link = os.path.join(snapshot, name)
        if not os.path.lexists(link):
            os.symlink(os.path.relpath(blob, snapshot), link)
    with open(link, "rb") as file:
        assert file.read() == content, f"{name} is wrong on node {node}"
print(json.dumps(downloads))
"""


class ModelCache(FleetTest):
    def test_two_nodes_fill_one_cache_under_locks(self):
        rng = random.Random(7)
        plan = {f"part-{number}": (number, rng.choice((300, 40_000, 3_000_000, 9_000_000))) for number in range(BLOBS)}
        with Fleet(2) as fleet:
            downloaders = [node.popen(sys.executable, "-c", DOWNLOADER, node.path("hub"), node.name, f"{node.name}{number}",
                                      json.dumps(plan), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                           for node in fleet.nodes for number in range(2)]
            outputs = [each.communicate(timeout=300) for each in downloaders]
            self.assertEqual([each.returncode for each in downloaders], [0] * 4, "".join(errors for _, errors in outputs))
            done = [name for out, _ in outputs for name in json.loads(out)]
            self.assertEqual(sorted(done), sorted(plan), "each blob is downloaded once")
            for node in fleet.nodes:
                self.assertEqual(sorted(os.listdir(node.path("hub/snapshots/main"))), sorted(plan))
                self.assertEqual(len(os.listdir(node.path("hub/blobs"))), BLOBS)
                for name in plan:
                    path = node.path("hub/snapshots/main", name)
                    self.assertEqual(hashlib.sha256(read(path)).hexdigest(), os.path.basename(os.readlink(path)))
            fleet.umount()
            fleet.fsck()


if __name__ == "__main__":
    harness.main()
