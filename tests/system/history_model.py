"""Decides whether what programs on several nodes saw of one volume agrees with docs/consistency.md, "Several nodes".

A history is a list of events, each with its start and end on one clock. The checker looks for an order of all changes that explains
every observation: a change happens at one moment between its start and its end, an observation shows the state of one
moment of its window. It tries orders until one fits or none is left, so it raises no false alarm, and misses nothing
that the model forbids. `Checker` has the rules of names and contents; `check_holds()` those of locks.
"""

import math
from dataclasses import dataclass, field

# After the lifetime has run out in the kernel. It begins when the kernel takes the reply, some time after the reply was made.
SLACK_S = 0.5
# Of orders that are tried; with many calls of which nobody knows whether they happened there may be far more.
STATES_MAX = 60_000
# For so long it is remembered what names stood for.
PAST_S = 40.0


@dataclass
class Event:
    """One call. `kind` and what it needs:

    create   opens `name` for writing `token`, a content of its own, truncated; makes it if it is absent. `temporary`: the name
             is the writer's own, and is renamed, then or after the close, by a rename that is `temporary` too
    publish  closes that descriptor, after all of the content was written
    rename   `name` to `other`
    unlink   `name`
    read     opens `name` and reads all of it, until `until`: `token` ("": nothing), `whole` or its beginning only
    stat     `name` has `size`
    seen     a listing had `name`;  unseen: it had not

    `result` is "ok", "absent" (ENOENT), or "unknown": failed on a disturbed node, may have happened or may happen yet.
    A publish that is "weak" succeeded on a node that others took for dead: its content may have become a conflict copy then.
    """

    kind: str
    node: str
    start: float
    end: float
    name: str = ""
    other: str = ""
    token: str = ""
    result: str = "ok"
    whole: bool = True
    size: int = 0
    until: float = 0.0
    temporary: bool = False
    weak: bool = False

    def __str__(self):
        what = f" {self.name}" if self.name else ""
        what += f" to {self.other}" if self.other else ""
        what += f" {self.token}{'' if self.whole else ' (its beginning)'}" if self.token or self.kind == "read" else ""
        what += f" {self.size} bytes" if self.kind == "stat" and self.result == "ok" else ""
        return f"{self.start:.4f}-{self.end:.4f} {self.node}: {self.kind}{what}: {self.result}"


CHANGES = ("create", "publish", "rename", "unlink")


@dataclass
class Disturbance:
    """`node` was stopped, cut off or killed; `gone`: its mount was not there; `fenced`: so long that others took it for dead."""

    node: str
    start: float
    end: float
    fenced: bool = False
    gone: bool = False


@dataclass
class Verdict:
    violations: list = field(default_factory=list)
    judged: int = 0
    unjudged: int = 0
    states: int = 0
    undecided: bool = False


class State:
    """`names` to inodes; `versions` of inodes; open `sessions` (token to inode, node, whether published).

    A version is a token, "" for nothing, or "~token": any beginning of that content. An inode is called by the token of who
    made it. `past`: for names, inodes that they stood for, until when at the latest, and the node that changed it; `idle`: nodes
    that renamed a name and changed nothing.
    """

    __slots__ = ("names", "versions", "sessions", "past", "idle")

    def __init__(self, names, versions, sessions, past=(), idle=()):
        self.names, self.versions, self.sessions, self.past, self.idle = names, versions, sessions, past, idle

    def key(self):
        return (tuple(sorted(self.names.items())), tuple(sorted(self.versions.items())), tuple(sorted(self.sessions.items())),
                self.past, self.idle)

    def after(self, event):
        """The state after a change, or None where it cannot have had its result."""
        return self._followed_by(getattr(self._without_all_lost(), "_" + event.kind)(event), event)

    def after_copy(self, event):
        """The state after a publish whose content became a file of its own."""
        sessions = {token: session for token, session in self.sessions.items() if token != event.token}
        return self._followed_by(State(self.names, self.versions, sessions)._without_all_lost(), event)

    def _followed_by(self, after, event):
        if after is not None:
            lost = [(name, inode, event.end, event.node) for name, inode in self.names.items() if after.names.get(name) != inode]
            after.past = tuple(sorted([each for each in self.past if each[2] > event.start - PAST_S] + lost))
            after.idle = self.idle
        return after

    def known_to(self, node, name, lowest):
        """Inodes that the node may take the name for, by what others changed since."""
        return {inode for past_name, inode, until, changer in self.past
                if past_name == name and until >= lowest and changer != node}

    def after_nothing(self, event):
        return State(self.names, self.versions, self.sessions, self.past, tuple(sorted({*self.idle, (event.node, event.name)})))

    def may_be_idle(self, event, lowest):
        """A rename succeeds and does nothing where both names stand for one file, as hard links do, and a node may take two names
        for that which stood for it at two moments of their lifetime."""
        if event.kind != "rename":
            return False
        known = [self.known_to(event.node, name, lowest) | {self.names.get(name)} for name in (event.name, event.other)]
        return bool((known[0] & known[1]) - {None})

    def _create(self, event):
        inode = self.names.get(event.name)
        versions, names, sessions = self.versions, self.names, self.sessions
        if inode is None:
            inode = event.token
            names = {**names, event.name: inode}
            versions = {**versions, inode: ""}
        elif event.result == "unknown":
            versions = {**versions, inode: "~" + event.token}
        if event.result == "ok":
            sessions = {**sessions, event.token: (inode, event.node, False)}
        return State(names, versions, sessions)

    def _publish(self, event):
        if event.token not in self.sessions:
            return None
        sessions = dict(self.sessions)
        inode, _, published = sessions.pop(event.token)
        versions = self.versions
        if not published and inode in versions:
            version = event.token if event.result == "ok" else "~" + event.token
            versions = {**versions, inode: version}
        # Who goes by a name that it has lost is shown this, too, so it is there for one moment.
        return State(self.names, versions, sessions)

    def _rename(self, event):
        names = dict(self.names)
        inode = names.pop(event.name, None)
        if inode is None:
            return None
        replaced = names.get(event.other)
        names[event.other] = inode
        versions, sessions = self.versions, self.sessions
        for token, (written, node, published) in sessions.items():
            if written == inode and node == event.node and not published:
                versions = {**versions, inode: token}
                sessions = {**sessions, token: (written, node, True)}
        return State(names, versions, sessions)._without_lost(replaced)

    def _unlink(self, event):
        names = dict(self.names)
        inode = names.pop(event.name, None)
        return None if inode is None else State(names, self.versions, self.sessions)._without_lost(inode)

    def _without_all_lost(self):
        named = {*self.names.values(), *(written for written, _, _ in self.sessions.values())}
        if named.issuperset(self.versions):
            return self
        versions = {inode: version for inode, version in self.versions.items() if inode in named}
        return State(self.names, versions, self.sessions, self.past, self.idle)

    def _without_lost(self, inode):
        """Nobody can see any more what has no name and no writer."""
        if inode in self.versions and inode not in self.names.values() \
                and all(inode != written for written, _, _ in self.sessions.values()):
            versions = dict(self.versions)
            del versions[inode]
            return State(self.names, versions, self.sessions)
        return self


def _within(some, others):
    return set(some) <= set(others)


class Pending:
    """An observation. `need`: the changes that must come before the moment that its name shows; `need_size`: before the moment
    that its size shows, since each may be as old as its own lifetime. `need_reads`: the observations that were over before it could begin."""

    def __init__(self, event, lowest):
        self.event, self.lowest = event, lowest
        self.need = self.need_size = self.need_reads = 0
        self.two_moments = event.kind == "stat" and event.result == "ok"

    def explained(self, state):
        """By one moment."""
        event = self.event
        inode = state.names.get(event.name)
        if event.result == "absent" or event.kind == "unseen":
            return inode is None
        if inode is None:
            return False
        if event.kind == "seen":
            return True
        version = state.versions[inode]
        if version.startswith("~"):
            return event.token in ("", version[1:])
        return event.token == version and event.whole

    def has_size(self, version, sizes):
        if version.startswith("~"):
            return self.event.size <= sizes[version[1:]]
        return self.event.size == (sizes[version] if version else 0)


class Checker:
    """`sizes` of all contents by token, which differ. `lifetime_s` of names and attributes; `disturbances` lengthen it, since a reply to a
    stopped node is taken late."""

    def __init__(self, events, sizes, lifetime_s=1.0, disturbances=()):
        self.sizes, self.lifetime_s, self.disturbances = sizes, lifetime_s, list(disturbances)
        self.verdict = Verdict()
        self.required, self.optional, self.reads = [], [], []
        self._sort(events)
        self._set_needs()

    def check(self):
        """Every reason why there is no explanation; none if there is one."""
        if not self.verdict.violations:
            self._search()
        return self.verdict

    def _sort(self, events):
        self.written_to = {event.token: event.name for event in events if event.kind == "create"}
        in_place = [event for event in events if event.kind == "create" and not event.temporary]
        ends = {(event.node, event.token): event.end for event in events if event.kind == "publish"}
        self.sessions = [(event.node, event.start, ends.get((event.node, event.token), math.inf)) for event in in_place]
        for event in events:
            if event.kind in CHANGES and event.result != "absent":
                (self.optional if event.result == "unknown" else self.required).append(event)
            elif event.result != "unknown":
                self._sort_observation(event)
        self._leave_out_what_nobody_can_tell()
        for some in (self.required, self.optional):
            some.sort(key=lambda event: (event.start, event.end))
        self.reads.sort(key=lambda pending: pending.lowest)
        self.verdict.judged = len(self.reads)

    def _leave_out_what_nobody_can_tell(self):
        """Changes of names that no observation is of, nor a change that depends on what stands there, by itself or by a rename."""
        opened = {event.token for event in self.required + self.optional if event.kind == "create" and event.result == "ok"}
        names = {pending.event.name for pending in self.reads}
        names |= {name for event in self.required if event.kind in ("rename", "unlink") for name in (event.name, event.other)}
        names.discard("")
        renames = [{event.name, event.other} for event in self.optional if event.kind == "rename"]
        while more := [both for both in renames if both & names and not both <= names]:
            names.update(*more)

        def matters(event):
            if event.kind == "publish":
                return event.token in opened and self.written_to[event.token] in names
            return bool(names & {event.name, event.other})

        self.required = [event for event in self.required if matters(event)]
        self.optional = [event for event in self.optional if matters(event)]
        self.moved = {name for event in self.required if event.kind == "rename" and not event.temporary
                      for name in (event.name, event.other)}

    def _sort_observation(self, event):
        if event.kind in ("read", "stat") and event.result == "ok" and self._beside_a_writer(event):
            self.verdict.unjudged += 1
            return
        if event.token == "mixture":
            self.verdict.violations.append(f"a reader got bytes of several contents: {event}")
        elif event.token and event.kind == "read" and event.token not in self.sizes:
            self.verdict.violations.append(f"a reader got what nobody wrote: {event}")
        self.reads.append(Pending(event, self._lowest(event)))

    def _beside_a_writer(self, event):
        """Whoever reads while another process of the node writes in place sees each write at once, so any mixture."""
        until = max(event.end, event.until)
        return any(node == event.node and start <= until and event.start <= end for node, start, end in self.sessions)

    def _lowest(self, event):
        """The earliest moment that it may show."""
        known = event.kind in ("seen", "unseen") or (event.kind == "stat" and event.result == "ok")
        return self._oldest(event) if known else event.start

    def _oldest(self, event):
        """How old names and attributes may be that the node has in memory."""
        lowest = event.start - self.lifetime_s - SLACK_S
        for disturbance in self.disturbances:
            if disturbance.node == event.node and lowest <= disturbance.end and disturbance.start <= event.start:
                lowest = min(lowest, disturbance.start - self.lifetime_s - SLACK_S)
        return lowest

    def _set_needs(self):
        """Bit masks: changes before changes, changes before observations, observations before changes."""
        every = self.required + self.optional
        self.needs = [sum(1 << i for i, other in enumerate(self.required) if other.end < event.start) for event in every]
        self.needs_reads = [sum(1 << i for i, pending in enumerate(self.reads) if pending.event.end < event.start)
                            for event in every]
        for pending in self.reads:
            earlier = [(1 << i, other) for i, other in enumerate(self.required) if other.end < pending.event.start]
            old = sum(bit for bit, other in earlier if other.end < pending.lowest)
            own = [item for item in earlier if item[1].node == pending.event.node]
            pending.need = old | self._named(own, pending.event.name)
            pending.need_size = old | self._sized(own, pending.event.name)
            pending.need_reads = sum(1 << i for i, other in enumerate(self.reads) if other.event.end < pending.lowest)
        # How old what is needed to go on from each number can be.
        self.reads_lowest = [pending.lowest for pending in self.reads]
        self.moves_lowest = [self._oldest(event) if event.kind == "rename" else math.inf for event in self.required]
        for i in reversed(range(len(self.moves_lowest) - 1)):
            self.moves_lowest[i] = min(self.moves_lowest[i:i + 2])

    @staticmethod
    def _named(own, name):
        """The node's own changes of that name are visible on it at once."""
        return sum(bit for bit, other in own if name in (other.name, other.other) and other.kind != "publish")

    def _sized(self, own, name):
        """So are those of the size: of a publish, while that is the node's last change of the name, and of a rename that
        published its own temporary file."""
        need = 0
        for bit, other in own:
            if other.kind == "rename" and other.other == name:
                need = bit if other.temporary else 0
            if other.kind == "publish" and self.written_to.get(other.token) == name:
                need = bit
        return need

    def _search(self):
        """Depth first over orders of changes; what was reached once is not tried again."""
        everything = ((1 << len(self.required)) - 1, (1 << len(self.reads)) - 1)
        start = self._observe(State({}, {}, {}), 0, 0, {})
        stack, known = [(start, 0, 0)], {}
        best, best_count = None, -1
        while stack:
            (state, seen, candidates), done, used = stack.pop()
            if (done, seen) == everything:
                return
            if not self._is_new(known, state, done, used, seen, candidates):
                continue
            self.verdict.states += 1
            count = done.bit_count() + seen.bit_count()
            if count > best_count:
                best, best_count = (state, done, seen), count
            if self.verdict.states > STATES_MAX:
                self.verdict.undecided = True
                break
            stack.extend(self._next(state, done, used, seen, candidates))
        if not self.verdict.undecided:
            self.verdict.violations.append(self._explain(*best))

    @staticmethod
    def _is_new(known, state, done, used, seen, candidates):
        """Whether nothing is known from which as much can be explained: with the same done, no more used, no less seen."""
        others = known.setdefault((done, state.key()), [])
        for other_used, other_seen, other_candidates in others:
            if not other_used & ~used and not seen & ~other_seen and all(
                    other_seen >> i & 1 or (i in other_candidates and all(map(_within, some, other_candidates[i])))
                    for i, some in candidates.items()):
                return False
        others.append((used, seen, candidates))
        return True

    def _next(self, state, done, used, seen, candidates):
        """Every state that one more change leads to; the likeliest last, since it is tried first."""
        found = []
        count = len(self.required)
        horizon = math.inf
        for i, event in enumerate(self.required):
            if event.start > horizon:
                break
            if done >> i & 1:
                continue
            horizon = min(horizon, event.end)
            self._try(found, i, event, state, done | 1 << i, used, (done, seen, candidates))
        found.sort(key=lambda item: -item[0])
        optional = []
        for i, event in enumerate(self.optional):
            if not used >> i & 1:
                self._try(optional, count + i, event, state, done, used | 1 << i, (done, seen, candidates))
        return [item[1] for item in optional + found]

    def _try(self, found, number, event, state, done, used, before):
        was_done, seen, candidates = before
        if self.needs[number] & ~was_done or self.needs_reads[number] & ~seen:
            return
        after = [state.after(event)]
        if event.result == "ok" and state.may_be_idle(event, self._oldest(event)):
            after.append(state.after_nothing(event))
        if event.weak:
            after.append(state.after_copy(event))
        for each in after:
            # What may have happened, and would change nothing, need not have.
            if each is not None and (number < len(self.required) or each.key() != state.key()):
                found.append((event.end, (self._observe(each, done, seen, candidates), done, used)))

    def _observe(self, state, done, seen, candidates):
        """Marks what this state explains. `candidates`: inodes that a name may stand for in an open observation."""
        horizon = min((event.end for i, event in enumerate(self.required) if not done >> i & 1), default=math.inf)
        candidates = dict(candidates)
        for i, pending in enumerate(self.reads):
            if pending.lowest > horizon:
                break
            if seen >> i & 1 or pending.need_reads & ~seen:
                continue
            named = not pending.need & ~done
            if pending.two_moments:
                explained = self._two_moments(i, pending, state, candidates, (named, not pending.need_size & ~done))
            else:
                explained = named and pending.explained(state)
            if explained:
                seen |= 1 << i
                candidates.pop(i, None)
        self._forget(state, done, seen)
        return state, seen, candidates

    def _forget(self, state, done, seen):
        """What names stood for, and no change or observation that is left can go by."""
        if state.past:
            lowest = min(self._lowest_left(self.moves_lowest, done), self._lowest_left(self.reads_lowest, seen))
            state.past = tuple(each for each in state.past if each[0] in self.moved and each[2] >= lowest)

    @staticmethod
    def _lowest_left(lowest, mask):
        first = (~mask & (mask + 1)).bit_length() - 1
        return lowest[first] if first < len(lowest) else math.inf

    def _two_moments(self, i, pending, state, candidates, may):
        """Whether one inode had the name at one moment, and the size at one."""
        named, sized = candidates.get(i, ((), ()))
        inode = state.names.get(pending.event.name)
        if may[0] and inode is not None and inode not in named:
            named = tuple(sorted((*named, inode)))
        if may[0] and (pending.event.node, pending.event.name) in state.idle:
            known = state.known_to(pending.event.node, pending.event.name, pending.lowest)
            named = tuple(sorted(known.union(named)))
        if may[1]:
            matching = {each for each, version in state.versions.items() if pending.has_size(version, self.sizes)}
            sized = tuple(sorted(matching.union(sized)))
        candidates[i] = (named, sized)
        return bool(set(named).intersection(sized))

    def _explain(self, state, done, seen):
        """What stood in the way where the search got farthest."""
        left = [pending.event for i, pending in enumerate(self.reads) if not seen >> i & 1]
        left += [event for i, event in enumerate(self.required) if not done >> i & 1 and not self.needs[i] & ~done]
        left.sort(key=lambda event: event.end)
        first = left[0]
        happened = [event for i, event in enumerate(self.required) if done >> i & 1][-15:] + self.optional
        lines = [f"no order explains: {first}"]
        lines += ["nor what else was open then:", *(f"  {event}" for event in left[1:6])]
        shown = {name: state.versions[inode] for name, inode in sorted(state.names.items())}
        lines += [f"where the search got farthest, names had {shown}, after:", *(f"  {event}" for event in happened)]
        return "\n".join(lines)


@dataclass
class Hold:
    """A lock that was held: granted at `start` at the latest, given back at `end` at the earliest. The counter that it guards
    was read as `seen`, and, unless the lock was `shared`, set to `left`. `certain` is false where a call failed."""

    node: str
    start: float
    end: float
    seen: int
    left: int = 0
    shared: bool = False
    certain: bool = True


def check_holds(holds, first=0):
    """Violations of: one holder at a time, or several shared ones; who gets the lock sees what the last holder left."""
    violations = []
    certain = sorted((hold for hold in holds if hold.certain), key=lambda hold: hold.start)
    for i, hold in enumerate(certain):
        for other in certain[i + 1:]:
            if other.start >= hold.end:
                break
            if not (hold.shared and other.shared):
                violations.append(f"two held the lock at once: {hold} and {other}")
    # A holder that failed may have set the counter at any time after.
    possible = {first}
    doubtful = [hold for hold in holds if not hold.certain]
    for hold in certain:
        late = {other.left for other in doubtful if other.start <= hold.end}
        if hold.seen not in possible | late:
            violations.append(f"the counter was {sorted(possible)}, but who got the lock saw another: {hold}")
        if not hold.shared:
            possible = {hold.left}
    return violations
