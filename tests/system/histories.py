"""Programs that use one directory through several mounts at once and write down what they did and saw, and the judge of that.

A history has a directory of its own, and three processes a node. Files called p are written in place, by the first
process of each node; files called r are always made under a temporary name and renamed, by the others. All of them open, stat
and list all of these. Under locks, they count. `history_model.py` decides about what they saw.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import mmap
import os
import random
import signal
import sys
import time
import traceback
from dataclasses import asdict

from history_model import Checker, Event, Hold, check_holds

PLACE_NAMES = ("p0", "p1")
RENAMED_NAMES = ("r0", "r1", "r2")
NAMES = PLACE_NAMES + RENAMED_NAMES
LOCKS = ("flock", "fcntl")
WORKERS = 3
STEPS = 25
TOKENS_A_WORKER_MAX = 80
# Inline in the metadata, small, and images of one and of two chunks.
SIZES = (2_000, 50_000, 300_000, 5_000_000)
LOCK_SECONDS_MAX = 60
PR_SET_PDEATHSIG = 1


def content(token, size):
    line = f"{token};".encode()
    return (line * (size // len(line) + 1))[:size]


def recognize(data):
    """The token, and whether nothing else is in it; how much of the content it is, its size tells."""
    line = data[: data.find(b";") + 1]
    return line[:-1].decode(errors="replace"), data == content(line[:-1].decode(errors="replace"), len(data)) if data else True


class Worker:
    """One process. `hot` is memory that all processes of the history share: the name that was changed last."""

    def __init__(self, history, node, number):
        self.history, self.node, self.number = history, node, number
        self.index = history.nodes.index(node) * (WORKERS + 1) + number
        self.random = random.Random(f"{history.seed}.{self.index}")
        self.top = os.path.join(history.tops[node], history.name)
        self.tokens = 0
        self.counters = {}
        self.log = None

    def run(self):
        with open(self.history.log(self.index), "w", encoding="utf-8") as self.log:
            self.work()

    def work(self):
        pause_s = self.random.choice((0, 0.01, 0.04, 0.1))
        for lock in self.history.locks:
            self.open_counter(lock)
        for _ in range(self.history.steps):
            step = self.random.choice(self.steps())
            self.say(begin=step.__name__, at=time.monotonic())
            step()
            time.sleep(self.random.expovariate(1 / pause_s) if pause_s else 0)
        self.say(done=True)

    def open_counter(self, lock):
        """Once, or again after it failed."""
        old = self.counters.pop(lock, None)
        with contextlib.suppress(OSError):
            if old is not None:
                os.close(old)
        with contextlib.suppress(OSError):
            self.counters[lock] = os.open(self.path(lock), os.O_RDWR)

    def steps(self):
        often = [self.read, self.read, self.read, self.stat, self.list]
        if self.history.locks:
            often += [self.hold]
        if self.number == 0 and self.history.in_place:
            return [*often, self.write, self.write, self.rename]
        return [*often, self.replace, self.replace, self.rename, self.unlink]

    def path(self, name):
        return os.path.join(self.top, name)

    def say(self, **document):
        self.log.write(json.dumps(document) + "\n")
        self.log.flush()

    def name(self):
        """Often the one that somebody changed just now."""
        return NAMES[self.history.hot[0]] if self.random.random() < 0.6 else self.random.choice(NAMES)

    def own_names(self):
        """Those that this process changes, in a random order."""
        names = PLACE_NAMES if self.number == 0 and self.history.in_place else RENAMED_NAMES
        return self.random.sample(names, len(names))

    def token(self):
        self.tokens += 1
        size = self.random.choices(SIZES, (4, 3, 3, 1))[0] + self.index * TOKENS_A_WORKER_MAX + self.tokens
        token = f"{self.node}{self.number}-{self.tokens}"
        self.say(token=token, size=size)
        return token, content(token, size)

    def call(self, kind, action, **about):
        """Does one call and writes it down; returns what it returned, or None where it failed."""
        event = Event(kind, self.node, time.monotonic(), 0, **about)
        done = None
        try:
            done = action()
        except OSError as failure:
            event.result = "absent" if failure.errno == errno.ENOENT else errno.errorcode.get(failure.errno, "?")
        event.end = time.monotonic()
        if event.result not in ("ok", "absent"):
            time.sleep(0.1)  # a node that is gone for a while shall not use up all steps
        if kind in ("create", "rename", "unlink") and (event.other or event.name) in NAMES:
            self.history.hot[0] = NAMES.index(event.other or event.name)
        if event.result == "ok" and kind in ("read", "stat"):
            self.fill(event, done)
        self.say(event=asdict(event))
        return done if event.result == "ok" else None

    def fill(self, event, done):
        """What the call showed. Contents are recognized later, when all sizes are known; the log has only what is needed."""
        if event.kind == "stat":
            event.size = done.st_size
            return
        try:
            data = b"".join(iter(lambda: os.read(done, 1 << 20), b""))
        except OSError as failure:
            event.result = errno.errorcode.get(failure.errno, "?")
        else:
            event.size = len(data)
            event.token, event.whole = recognize(data)
        event.until = time.monotonic()
        try:
            os.close(done)
        except OSError as failure:  # its node is gone
            event.result = errno.errorcode.get(failure.errno, "?")

    def read(self):
        self.open_and_read(self.name())

    def open_and_read(self, name):
        self.call("read", lambda: os.open(self.path(name), os.O_RDONLY), name=name)

    def stat(self):
        name = self.name()
        self.call("stat", lambda: os.stat(self.path(name)), name=name)

    def list(self):
        start = time.monotonic()
        try:
            found = set(os.listdir(self.top))
            result = "ok"
        except OSError as failure:
            found, result = set(), errno.errorcode.get(failure.errno, "?")
        for name in NAMES:
            event = Event("seen" if name in found else "unseen", self.node, start, time.monotonic(), name, result=result)
            self.say(event=asdict(event))

    def write_all(self, descriptor, data):
        """In one call or several. "ok", or how one failed."""
        size = len(data) // self.random.choice((1, 1, 3)) + 1
        try:
            while data:
                data = data[os.write(descriptor, data[:size]):]
        except OSError as failure:
            return errno.errorcode.get(failure.errno, "?")
        return "ok"

    def publish(self, token, descriptor, written):
        """Closes; of what could not be written, a beginning may be published."""
        event = Event("publish", self.node, time.monotonic(), 0, token=token, result=written)
        try:
            os.close(descriptor)
        except OSError as failure:
            event.result = errno.errorcode.get(failure.errno, "?")
        event.end = time.monotonic()
        self.say(event=asdict(event))

    def open_to_write(self, name, token, temporary):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        return self.call("create", lambda: os.open(self.path(name), flags, 0o644), name=name, token=token, temporary=temporary)

    def write(self):
        token, data = self.token()
        descriptor = self.open_to_write(self.own_names()[0], token, False)
        if descriptor is not None:
            self.publish(token, descriptor, self.write_all(descriptor, data))

    def replace(self):
        token, data = self.token()
        name, temporary = self.own_names()[0], f"t-{token}"
        descriptor = self.open_to_write(temporary, token, True)
        if descriptor is None:
            return
        written = self.write_all(descriptor, data)
        before_close = self.random.random() < 0.5
        if not before_close or written != "ok":
            self.publish(token, descriptor, written)
        if written != "ok":
            return
        self.call("rename", lambda: os.rename(self.path(temporary), self.path(name)), name=temporary, other=name, temporary=True)
        if before_close:
            if self.random.random() < 0.3:
                time.sleep(self.random.uniform(0, 0.1))
            self.publish(token, descriptor, "ok")

    def rename(self):
        names = self.own_names()
        self.call("rename", lambda: os.rename(self.path(names[0]), self.path(names[1])), name=names[0], other=names[1])

    def unlink(self):
        name = self.random.choice(NAMES)
        self.call("unlink", lambda: os.unlink(self.path(name)), name=name)

    def hold(self):
        """Counts under a lock, through a descriptor that was opened before it."""
        kind = self.random.choice(self.history.locks)
        descriptor = self.counters.get(kind, -1)
        lock = fcntl.flock if kind == "flock" else fcntl.lockf
        shared = self.random.random() < 0.25
        hold = Hold(self.node, 0, 0, 0, shared=shared)
        signal.alarm(LOCK_SECONDS_MAX)
        try:
            lock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            signal.alarm(0)
            hold.start = time.monotonic()
            hold.seen = hold.left = int(os.pread(descriptor, 8, 0))
            if not shared:
                hold.left += 1
                os.pwrite(descriptor, b"%08d" % hold.left, 0)
            hold.end = time.monotonic()
            lock(descriptor, fcntl.LOCK_UN)
        except (OSError, ValueError) as failure:
            hold.certain = False
            hold.start, hold.end = hold.start or time.monotonic(), time.monotonic()
            self.say(failed=f"{self.node}: counting under {kind}: {failure}", start=hold.start, end=hold.end)
            self.open_counter(kind)
        finally:
            signal.alarm(0)
        self.say(hold=asdict(hold), lock=kind)


def too_long(*_):
    raise OSError(errno.EDEADLK, f"no lock within {LOCK_SECONDS_MAX} s")


class History:
    """`tops`: for each node the directory, on that node's mount, in which the history's own is made. `scratch` takes logs.
    Without `in_place` there are temporary files only."""

    def __init__(self, tops, scratch, seed, locks=(), steps=STEPS, in_place=True):
        self.in_place = in_place
        self.tops, self.nodes = tops, list(tops)
        self.scratch, self.seed, self.locks, self.steps = scratch, seed, list(locks), steps
        self.name = f"history-{seed}"
        self.hot = mmap.mmap(-1, 1)
        self.workers = {}
        self.disturbances = []

    def log(self, index):
        return os.path.join(self.scratch, f"{self.name}-{index}.json")

    def start(self):
        top = os.path.join(self.tops[self.nodes[0]], self.name)
        os.makedirs(top, exist_ok=True)
        for lock in self.locks:
            with open(os.path.join(top, lock), "wb") as file:
                file.write(b"%08d" % 0)
        for node in self.nodes:
            for number in range(WORKERS):
                self._fork(node, number)
        return self

    def _fork(self, node, number):
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid != 0:
            self.workers[pid] = f"worker {number} of {node}"
            return
        status = 1
        try:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.signal(signal.SIGALRM, too_long)
            Worker(self, node, number).run()
            status = 0
        except BaseException:  # pylint: disable=broad-exception-caught
            traceback.print_exc()
        finally:
            os._exit(status)

    def join(self, seconds=120):
        """Blocks until all have ended; raises for who does not, or failed by itself."""
        deadline = time.monotonic() + seconds
        wrong = []
        while self.workers:
            for pid, who in list(self.workers.items()):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    del self.workers[pid]
                    wrong += [f"{who} failed, status {status}"] if status else []
            if time.monotonic() > deadline:
                wrong += [f"{who} has not ended after {seconds} s" for who in self.workers.values()]
                self.kill()
                break
            time.sleep(0.005)
        if wrong:
            raise AssertionError(f"history {self.seed}: {'; '.join(wrong)}; last steps {self._last_steps()}")

    def look_again(self):
        """After all is over: what every node says of every name."""
        for node in self.nodes:
            worker = Worker(self, node, WORKERS)
            with open(self.log(worker.index), "a", encoding="utf-8") as worker.log:
                for name in NAMES:
                    worker.open_and_read(name)

    def kill(self):
        """Those in calls that do not return stay."""
        for pid in self.workers:
            os.kill(pid, signal.SIGKILL)
        self.workers = {}

    def _last_steps(self):
        steps = []
        for log in self.logs():
            with contextlib.suppress(OSError), open(log, encoding="utf-8") as file:
                lines = file.read().splitlines()
                if lines and "done" not in lines[-1]:
                    steps.append(lines[-1])
        return steps

    def recorded(self):
        """Events, sizes by token, holds by lock, and calls that failed, as the workers wrote them down."""
        events, sizes, holds, failures = [], {}, {}, []
        for log in self.logs():
            with open(log, encoding="utf-8") as file:
                for line in file:
                    document = json.loads(line)
                    if "event" in document:
                        events.append(Event(**document["event"]))
                    elif "size" in document:
                        sizes[document["token"]] = document["size"]
                    elif "hold" in document:
                        holds.setdefault(document["lock"], []).append(Hold(**document["hold"]))
                    elif "failed" in document:
                        failures.append(document)
        return events, sizes, holds, failures

    def logs(self):
        return [self.log(index) for index in range(len(self.nodes) * (WORKERS + 1)) if os.path.exists(self.log(index))]

    def remove_logs(self):
        for log in self.logs():
            os.unlink(log)


class Judgement:
    """What a history was found to be."""

    def __init__(self, history, lifetime_s=1.0):
        self.history = history
        self.violations, self.judged, self.unjudged, self.states, self.holds = [], 0, 0, 0, 0
        self.undecided = False
        events, sizes, holds, failures = history.recorded()
        for failure in failures:
            if not self._disturbed(failure["failed"][0], failure["start"], failure["end"]):
                self.violations.append(failure["failed"])
        self.opened = {event.token: event.start for event in events if event.kind == "create"}
        for event in events:
            self._settle(event, sizes)
        group = {event.token: event.name in PLACE_NAMES for event in events if event.kind == "create"}
        for in_place in (True, False):
            some = [event for event in events if event.result != "never" and
                    (group[event.token] if event.kind == "publish" else event.name in PLACE_NAMES) == in_place]
            self._check(Checker(some, sizes, lifetime_s, history.disturbances).check())
        for lock, each in sorted(holds.items()):
            self.holds += len(each)
            self.violations += [f"{lock}: {violation}" for violation in check_holds(each)]

    def _check(self, verdict):
        self.violations += verdict.violations
        self.judged += verdict.judged
        self.unjudged += verdict.unjudged
        self.states += verdict.states
        self.undecided |= verdict.undecided

    def _disturbed(self, node, start, end, gone=False):
        """`node`, or any where that is None."""
        return any(node in (None, each.node) and each.start <= end and start <= each.end and (each.gone or not gone)
                   for each in self.history.disturbances)

    def _settle(self, event, sizes):
        if event.kind == "read" and event.result == "ok" and event.token:
            if not event.whole or event.size > sizes.get(event.token, event.size):
                event.token = "mixture"
            event.whole = event.size == sizes.get(event.token)
        until = max(event.end, event.until)
        if event.kind == "publish" and event.result == "ok":
            # What was opened after the node had worked again is based on what the others left.
            event.weak = any(each.node == event.node and each.fenced and each.start <= until and self.opened[event.token] <= each.end
                             for each in self.history.disturbances)
        if self._disturbed(event.node, event.start, until, gone=True):
            self._settle_where_a_mount_is_gone(event)
        if event.result in ("ok", "absent", "never"):
            return
        # What only a disturbed node has, others cannot read meanwhile.
        whose = None if event.kind == "read" else event.node
        if not self._disturbed(whose, event.start, until):
            self.violations.append(f"a call failed: {event}")
        event.result = "unknown"

    @staticmethod
    def _settle_where_a_mount_is_gone(event):
        """Without a mount there is no directory, and without a daemon the kernel refuses a request before it is sent: such a change
        did not happen. (Those that were under way have another error, and what was written before a close may be published later.)"""
        change = event.kind in ("create", "rename", "unlink")
        if change and event.result in ("absent", "ENOTCONN"):
            event.result = "never"
        elif event.result == "absent":
            event.result = "unknown"

    def report(self):
        return f"history {self.history.seed}:\n" + "\n".join(self.violations)


def totals(judgements):
    return (f"{len(judgements)} histories, {sum(each.judged for each in judgements)} observations judged, "
            f"{sum(each.unjudged for each in judgements)} beside a writer of the same node, "
            f"{sum(each.holds for each in judgements)} locks held, {sum(each.states for each in judgements)} states tried, "
            f"{sum(each.undecided for each in judgements)} undecided")
