"""The daemon, and its supervisor, are killed at random moments while programs use the volume: no call of any program
fails, nothing is lost or wrong, and the volume is whole. WEIR_TEST_KILLS and WEIR_TEST_SUPERVISOR_KILLS raise the counts.
"""

import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

from harness import SystemTest, Volume, WEIR, main

KILLS = int(os.environ.get("WEIR_TEST_KILLS", "30"))
SUPERVISOR_KILLS = int(os.environ.get("WEIR_TEST_SUPERVISOR_KILLS", "4"))
LONGEST_PAUSE_S = float(os.environ.get("WEIR_TEST_LONGEST_PAUSE_SECONDS", "5"))
LOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "supervised_load.py")
KINDS = ["files", "files", "open", "open", "locks", "locks", "locks", "listing", "maps", "beside", "pulse"]


class Programs:
    """The load, one process a program."""

    def __init__(self, top, seed):
        self.running = []
        for number, kind in enumerate(KINDS):
            # pylint: disable-next=consider-using-with
            process = subprocess.Popen([sys.executable, LOAD, kind, top, f"{seed}.{number}"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.running.append((kind, process))

    def failed(self):
        return [f"{kind} ended early: {process.communicate()[1]}" for kind, process in self.running
                if process.poll() is not None]

    def finish(self):
        """What each did; raises if one failed."""
        done = []
        for kind, process in self.running:
            out, errors = process.communicate(timeout=120)
            if process.returncode != 0:
                raise AssertionError(f"{kind} failed\n{errors}")
            done.append((kind, json.loads(out)))
        return done

    def kill(self):
        for _, process in self.running:
            process.kill()


def processes(mode, mount):
    """Of the mount, by their arguments, as soon as they are there."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            arguments = file.read().split(b"\0")
            if arguments[1:3] == [mode.encode(), mount.encode()]:
                found.append(int(pid))
    return found


def kill_quietly(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Supervisor(SystemTest):
    def kill_daemon(self, volume, served=True, after_s=0.0):
        """Some time after it serves, or only after it was started."""
        deadline = time.monotonic() + 30
        while True:
            self.assertLess(time.monotonic(), deadline, "no daemon came")
            pids = processes("serve-mount", volume.mount)
            with contextlib.suppress(OSError, ValueError):
                if pids and (not served or volume.pid() in pids):
                    break
            time.sleep(0.001)
        time.sleep(after_s)
        for pid in pids:
            kill_quietly(pid)

    def kill_supervisor(self, volume):
        """While a daemon serves: who kills both at once ends the mount."""
        volume.json("status", volume.mount)  # answers when the daemon is complete
        before = volume.supervisor()
        kill_quietly(before)
        deadline = time.monotonic() + 20
        while volume.supervisor() == before:
            self.assertLess(time.monotonic(), deadline, "no other supervisor came")
            time.sleep(0.005)

    def test_programs_do_not_notice_that_the_daemon_is_killed(self):
        seed = os.environ.get("WEIR_TEST_SEED", str(random.randrange(10**9)))
        rng = random.Random(seed)
        acts = ["daemon"] * KILLS + ["supervisor"] * SUPERVISOR_KILLS
        rng.shuffle(acts)
        with Volume() as volume:
            programs = Programs(volume.mount, seed)
            try:
                for number, act in enumerate(acts):
                    if act == "daemon":
                        # One in four while it takes over.
                        taking_over = rng.random() < 0.25
                        self.kill_daemon(volume, not taking_over, rng.uniform(0, 0.15 if taking_over else 0.5))
                    else:
                        self.kill_supervisor(volume)
                    self.assertEqual(programs.failed(), [], f"seed {seed}, after kill {number + 1}")
                    if number % 100 == 99:
                        volume.json("status", volume.mount)
                        volume.fsck()
                done = programs.finish()
            except BaseException:
                programs.kill()
                with contextlib.suppress(OSError):
                    shutil.copy(os.path.join(volume.state, "weir.log"), "/tmp/weir-supervisor-test.log")
                raise
            with open(os.path.join(volume.mount, "counter"), "rb") as file:
                counted = int(file.read())
            self.assertEqual(counted, sum(result["steps"] for kind, result in done if kind == "locks"))
            longest = max(result["longest_s"] for kind, result in done if kind == "pulse")
            steps = {kind: sum(r["steps"] for k, r in done if k == kind) for kind in sorted(set(KINDS))}
            print(f"seed {seed}: {KILLS} kills of the daemon, {SUPERVISOR_KILLS} of the supervisor, steps {steps}, "
                  f"longest pause {longest:.2f} s", file=sys.stderr)
            self.assertLessEqual(longest, LONGEST_PAUSE_S)
            volume.fsck()
            volume.umount()
            volume.fsck()

    def test_a_lock_that_is_held_and_one_that_is_waited_for_go_on(self):
        with Volume() as volume:
            path = os.path.join(volume.mount, "locked")
            with open(path, "wb") as holder:
                fcntl.flock(holder, fcntl.LOCK_EX)
                fcntl.lockf(holder, fcntl.LOCK_EX)
                waiter = subprocess.Popen(["flock", path, "echo", "granted"], stdout=subprocess.PIPE, text=True)  # pylint: disable=consider-using-with
                for _ in range(3):
                    time.sleep(0.2)
                    self.kill_daemon(volume)
                    other = subprocess.run(["flock", "--nonblock", path, "true"], check=False)
                    self.assertEqual(other.returncode, 1, "the lock was lost")
                self.assertIsNone(waiter.poll())
                fcntl.flock(holder, fcntl.LOCK_UN)
                self.assertEqual(waiter.communicate(timeout=20)[0], "granted\n")

    def test_an_upgrade_keeps_what_is_open(self):
        with Volume() as volume:
            newer = os.path.join(volume.root, "newer")
            shutil.copy(shutil.which(WEIR) or WEIR, newer)
            with open(os.path.join(volume.mount, "file"), "w+b", buffering=0) as file:
                file.write(b"before ")
                before = volume.json("status", volume.mount)
                upgraded = volume.json("upgrade", volume.mount, "--program", newer)
                after = volume.json("status", volume.mount)
                self.assertEqual((upgraded["program"], after["program"]), (newer, newer))
                self.assertNotEqual(after["pid"], before["pid"])
                self.assertEqual(after["supervisor"], before["supervisor"])
                self.assertEqual(os.readlink(f"/proc/{after['supervisor']}/exe"), newer)
                file.write(b"after")
                # Both go on with the new program when killed.
                self.kill_daemon(volume)
                self.assertEqual(volume.json("status", volume.mount)["program"], newer)
                self.kill_supervisor(volume)
                file.seek(0)
                self.assertEqual(file.read(), b"before after")
            volume.umount()
            volume.fsck()

    def test_a_program_that_cannot_take_over_leaves_the_old_one(self):
        with Volume() as volume:
            broken = os.path.join(volume.root, "broken")
            with open(broken, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\nexit 3\n")
            os.chmod(broken, 0o755)
            with open(os.path.join(volume.mount, "file"), "wb", buffering=0) as file:
                file.write(b"here")
                program = volume.json("status", volume.mount)["program"]
                done = volume.weir("upgrade", volume.mount, "--program", broken, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn("the old program goes on", done.stderr)
                self.assertEqual(volume.json("status", volume.mount)["program"], program)
                file.write(b" still")
            with open(os.path.join(volume.mount, "file"), "rb") as file:
                self.assertEqual(file.read(), b"here still")


if __name__ == "__main__":
    main()
