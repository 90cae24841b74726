"""Random operations of several processes on a mount and on the plain disk beside it; every result is compared.

A short run is a test: ctest, or this file without arguments. The full one: exerciser_test.py --operations 1000000
"""

import argparse
import os
import shlex
import subprocess
import sys

SYSTEM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system")
sys.path.insert(0, SYSTEM)

from harness import WEIR, Volume, fingerprint, why_not  # noqa: E402
from small_disk import Filler, SmallDiskVolume  # noqa: E402

EXERCISER = os.environ.get("EXERCISER", os.path.join(os.path.dirname(WEIR), "..", "tests", "exerciser", "weir_exerciser"))

# Incomplete images are what reads meet after this: all that is stored and not in use leaves the cache.
EVICT = "{weir} sync {mount} >/dev/null 2>&1; {weir} evict {mount} >/dev/null 2>&1; true"
DROP_CACHES = "; sync -f {mount}; echo 3 > /proc/sys/vm/drop_caches"


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=int(os.environ.get("WEIR_TEST_OPERATIONS", "12000")))
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("WEIR_TEST_SEED", "0")))
    parser.add_argument("--evict-every-ms", type=int, default=4000, help="0: never")
    parser.add_argument("--drop-caches", action="store_true", help="the kernel's too, of the whole machine")
    parser.add_argument("--weir-option", action="append", default=[], metavar="OPTION",
                        help="for 'weir up', such as --weir-option='--passthrough off'")
    parser.add_argument("--full-disk", action="store_true",
                        help="the cache lies on a disk of 64 MB that somebody else fills now and then")
    parser.add_argument("--keep", action="store_true", help="leaves the directories if something differs")
    parser.add_argument("--mappings-outlive-descriptors", action="store_true",
                        help="also maps, closes and goes on; with passthrough that is known to differ (README.md)")
    parser.add_argument("rest", nargs="*", help="more options of the exerciser, after --")
    return parser.parse_args()


def compare_after_remount(volume):
    """What a new daemon serves, from the cache and from the object store, is what the plain disk has."""
    volume.umount()
    volume.fsck()
    volume.up()
    volume.weir("sync", volume.mount)
    volume.weir("evict", volume.mount)
    left, right = fingerprint(volume.mount, times=False), fingerprint(volume.plain, times=False)
    different = [name for name in sorted(left.keys() | right.keys()) if left.get(name) != right.get(name)]
    for name in different[:10]:
        print(f"after a new mount, {name} is {left.get(name)}, on the plain disk {right.get(name)}", file=sys.stderr)
    return not different


def has_unnamed_files(volume):
    """The kernel's FUSE, that is; with protocol 7.37 or newer a refusal is Weir's fault, and found by the exerciser."""
    protocol = volume.json("status", volume.mount)["kernel"]["kernel_protocol"]
    return int(protocol.split(".")[1]) >= 37


def run_on(volume, chosen):
    volume.up()
    if not chosen.full_disk:
        return exercise(volume, chosen)
    with Filler(volume, chosen.seed) as filler:
        good = exercise(volume, chosen)
    print(f"exerciser: the disk was full {filler.times_full} times")
    for line in volume.deaths():
        print(f"exerciser: the daemon ended: {line}", file=sys.stderr)
    return good and not volume.deaths()


def exercise(volume, chosen):
    command = [EXERCISER, volume.mount, volume.plain, "--operations", str(chosen.operations), "--processes",
               str(chosen.processes), "--seed", str(chosen.seed)]
    if chosen.evict_every_ms:
        disturb = (EVICT + (DROP_CACHES if chosen.drop_caches else "")).format(weir=WEIR, mount=volume.mount)
        command += ["--disturb", disturb, "--disturb-every", str(chosen.evict_every_ms)]
    if not chosen.mappings_outlive_descriptors:
        command.append("--unmap-before-close")
    if chosen.full_disk:
        command.append("--wait-for-room")
    if not has_unnamed_files(volume):
        print("exerciser: without O_TMPFILE, which this kernel's FUSE has since Linux 6.1")
        command.append("--no-unnamed-files")
    return subprocess.run(command + chosen.rest, check=False).returncode == 0


def main():
    reason = why_not()
    if reason:
        print(f"FAILED: the exerciser mounts a real volume, and cannot here: {reason}", file=sys.stderr)
        return 1
    chosen = options()
    kind = SmallDiskVolume if chosen.full_disk else Volume
    volume = kind(*(word for option in chosen.weir_option for word in shlex.split(option)))
    good = run_on(volume, chosen) and compare_after_remount(volume)
    if not good and chosen.keep:
        print(f"kept: {volume.root}, mounted", file=sys.stderr)
        return 1
    volume.__exit__()
    print("exerciser: no difference" if good else "exerciser: FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
