"""Clears away after a fleet when its test has ended, by whatever cause: waits for the end of its standard input, then
ends every process that names the fleet's directory, unmounts what is mounted there, and removes it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time


def processes(root):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            if os.fsencode(root) in file.read() and int(pid) != os.getpid():
                found.append(int(pid))
    return found


def end_processes(root):
    """Stopped first: daemon and supervisor start each other again."""
    deadline = time.monotonic() + 20
    while found := processes(root):
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        if time.monotonic() > deadline:
            print(f"fleet guardian: processes {found} do not end", file=sys.stderr)
            return
        time.sleep(0.05)


def mounts(root):
    with open("/proc/self/mounts", encoding="utf-8") as file:
        return [line.split()[1] for line in file if line.split()[1].startswith(root + "/")]


def main():
    root = sys.argv[1]
    if not os.path.basename(root).startswith("weir-fleet-"):
        sys.exit(f"fleet guardian: {root!r} is no directory of a fleet")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # those are for the test
    sys.stdin.buffer.read()
    end_processes(root)
    for path in reversed(mounts(root)):
        subprocess.run(("umount", "-l", path), check=False, stderr=subprocess.DEVNULL)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
