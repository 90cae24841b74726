"""The checker of histories finds a violation of each promise, and takes nothing for one that is none."""

import dataclasses
import math
import random
import unittest

from history_model import Checker, Disturbance, Event, Hold, check_holds

SIZES = {"v1": 10, "v2": 20, "v3": 30, "v4": 40}


def write(node, start, end, name, token):
    """Opened, written and closed."""
    middle = (start + end) / 2
    return [Event("create", node, start, middle - 0.001, name, token=token),
            Event("publish", node, middle + 0.001, end, token=token)]


def replace(node, start, end, name, token, before_close=False, **result):
    """The pattern of temporary files."""
    at = [start + (end - start) * part / 6 for part in range(7)]
    temporary = "t-" + token
    moments = (4, 5, 2, 3) if before_close else (2, 3, 4, 5)
    return [Event("create", node, at[0], at[1], temporary, token=token, temporary=True),
            Event("publish", node, at[moments[0]], at[moments[1]], token=token),
            Event("rename", node, at[moments[2]], at[moments[3]], temporary, name, temporary=True, **result)]


def read(node, start, end, name, token, **more):
    return Event("read", node, start, end, name, token=token, **{"until": end, **more})


def absent(kind, node, start, end, name, **more):
    return Event(kind, node, start, end, name, result="absent", **more)


def stat(node, start, end, name, size):
    return Event("stat", node, start, end, name, size=size)


class HistoryTest(unittest.TestCase):
    def violations(self, *events, **options):
        flat = [event for some in events for event in (some if isinstance(some, list) else [some])]
        return Checker(flat, SIZES, **options).check().violations

    def assert_right(self, *events, **options):
        self.assertEqual(self.violations(*events, **options), [])

    def assert_wrong(self, *events, **options):
        self.assertEqual(len(self.violations(*events, **options)), 1)


class Search(HistoryTest):
    def test_a_search_that_takes_too_long_proves_nothing(self):
        # Each may have happened or not, at any time before somebody looks.
        doubtful = [Event("create", "a", 0, 1, f"y{i}", token="v2", result="unknown") for i in range(18)]
        looks = [read("c", 8, 9, f"y{i}", "") for i in range(18)]
        wrong = [write("a", 2, 3, "x", "v1"), read("b", 4, 5, "x", "v3")]
        verdict = Checker([*doubtful, *wrong[0], wrong[1], *looks], SIZES).check()
        self.assertTrue(verdict.undecided)
        self.assertEqual(verdict.violations, [])

    def test_changes_that_nobody_can_tell_take_no_time(self):
        doubtful = [Event("create", "a", 0, 1, f"y{i}", token="v2", result="unknown") for i in range(18)]
        doubtful += [Event("rename", "a", 0, 1, f"y{i}", f"z{i}", result="unknown") for i in range(18)]
        self.assert_wrong(doubtful, write("a", 2, 3, "x", "v1"), read("b", 4, 5, "x", "v3"))
        self.assert_right(doubtful, write("a", 2, 3, "x", "v1"), read("b", 4, 5, "x", "v1"))

    def test_a_doubtful_rename_from_a_name_that_nobody_looks_at_counts(self):
        doubtful = [*write("a", 0, 1, "t", "v1"), Event("rename", "a", 2, 3, "t", "u", result="unknown"),
                    Event("rename", "a", 4, 5, "u", "x", result="unknown")]
        self.assert_right(doubtful, read("b", 6, 7, "x", "v1"))
        self.assert_wrong(doubtful, read("b", 4, 5, "x", "v1"), read("b", 6, 7, "x", "v2"))


class Contents(HistoryTest):
    def test_an_open_after_the_close_sees_the_content(self):
        self.assert_right(write("a", 0, 1, "x", "v1"), read("b", 2, 3, "x", "v1"))

    def test_old_content_after_the_close_is_found(self):
        self.assert_wrong(write("a", 0, 1, "x", "v1"), write("a", 2, 3, "x", "v2"), read("b", 4, 5, "x", "v1"))

    def test_old_content_is_no_better_just_after_the_close(self):
        self.assert_wrong(write("a", 0, 1, "x", "v1"), write("a", 2, 3, "x", "v2"), read("b", 3.001, 3.002, "x", "v1"))

    def test_an_open_beside_the_close_sees_either(self):
        for token in ("v1", "v2"):
            self.assert_right(write("a", 0, 1, "x", "v1"), write("a", 2, 3, "x", "v2"), read("b", 2.9, 3.1, "x", token))

    def test_nobody_goes_back(self):
        self.assert_wrong(write("a", 0, 1, "x", "v1"), write("a", 2, 9, "x", "v2"),
                          read("b", 6, 7, "x", "v2"), read("c", 7.5, 8, "x", "v1"))

    def test_empty_content_is_seen_while_a_new_file_is_written_and_not_after(self):
        self.assert_right(write("a", 0, 1, "x", "v1"), read("b", 0.2, 0.7, "x", ""))
        self.assert_wrong(write("a", 0, 1, "x", "v1"), read("b", 1.1, 1.2, "x", ""))

    def test_a_file_that_is_rewritten_is_never_empty_elsewhere(self):
        self.assert_wrong(write("a", 0, 1, "x", "v1"), write("a", 2, 3, "x", "v2"), read("b", 2.2, 2.7, "x", ""))

    def test_a_renamed_temporary_file_is_whole(self):
        for before_close in (False, True):
            made = replace("a", 0, 6, "x", "v1", before_close)
            self.assert_right(made, read("b", 5.1, 5.2, "x", "v1"))
            self.assert_wrong(made, read("b", 5.1, 5.2, "x", ""))
            self.assert_wrong(made, read("b", 6.1, 6.2, "x", "v1", whole=False))

    def test_a_mixture_is_found(self):
        self.assert_wrong(write("a", 0, 1, "x", "v1"), read("b", 2, 3, "x", "mixture"))

    def test_content_that_nobody_wrote_is_found(self):
        self.assert_wrong(write("a", 0, 1, "x", "v1"), read("b", 2, 3, "x", "v9"))

    def test_a_part_is_found(self):
        self.assert_wrong(write("a", 0, 1, "x", "v1"), read("b", 2, 3, "x", "v1", whole=False))

    def test_content_of_another_file_is_found(self):
        self.assert_wrong(write("a", 0, 1, "x", "v1"), write("a", 0, 1, "y", "v2"), read("b", 2, 3, "x", "v2"))

    def test_the_last_publish_of_two_nodes_stays(self):
        both = [*write("a", 0, 3, "x", "v1"), *write("b", 1, 4, "x", "v2")]
        self.assert_right(both, read("c", 5, 6, "x", "v1"), read("a", 7, 8, "x", "v1"))
        self.assert_right(both, read("c", 5, 6, "x", "v2"))
        self.assert_wrong(both, read("c", 5, 6, "x", "v1"), read("a", 7, 8, "x", "v2"))

    def test_whoever_reads_beside_a_writer_of_the_same_node_is_not_judged(self):
        verdict = Checker([*write("a", 0, 3, "x", "v1"), read("a", 1, 2, "x", "mixture")], SIZES).check()
        self.assertEqual((verdict.violations, verdict.judged, verdict.unjudged), ([], 0, 1))


class Names(HistoryTest):
    def test_a_name_is_there_for_open_and_stat_as_soon_as_it_was_made(self):
        for kind in ("read", "stat"):
            self.assert_wrong(write("a", 0, 1, "x", "v1"), absent(kind, "b", 1.01, 1.02, "x"))
            self.assert_right(write("a", 0, 1, "x", "v1"), absent(kind, "b", 0.2, 1.02, "x"))

    def test_a_removed_file_cannot_be_opened(self):
        made = [*write("a", 0, 1, "x", "v1"), Event("unlink", "b", 2, 3, "x")]
        self.assert_right(made, read("c", 2.5, 3.5, "x", "v1"))
        self.assert_wrong(made, read("c", 3.1, 3.5, "x", "v1"))
        self.assert_right(made, absent("read", "c", 3.1, 3.5, "x"))

    def test_a_removed_name_is_shown_for_its_lifetime_only(self):
        made = [*write("a", 0, 1, "x", "v1"), Event("unlink", "b", 2, 3, "x")]
        for shown in (stat("c", 3.9, 4, "x", 10), Event("seen", "c", 3.9, 4, "x")):
            self.assert_right(made, shown)
            late = dataclasses.replace(shown, start=5.9, end=6)
            self.assert_wrong(made, late)

    def test_a_listing_has_every_name_that_is_older_than_the_lifetime(self):
        self.assert_right(write("a", 0, 1, "x", "v1"), Event("unseen", "b", 1.5, 1.6, "x"))
        self.assert_wrong(write("a", 0, 1, "x", "v1"), Event("unseen", "b", 3.5, 3.6, "x"))

    def test_attributes_are_as_old_as_their_lifetime_at_most(self):
        made = [*write("a", 0, 1, "x", "v1"), *write("a", 2, 3, "x", "v2")]
        self.assert_right(made, stat("b", 3.9, 4, "x", 10))
        self.assert_wrong(made, stat("b", 5.9, 6, "x", 10))
        self.assert_right(made, stat("b", 5.9, 6, "x", 20))
        self.assert_wrong(made, stat("b", 3.9, 4, "x", 30))

    def test_who_goes_by_a_removed_name_is_shown_what_was_written_to_the_file_since(self):
        made = [*write("a", 0, 1, "x", "v1"), Event("create", "b", 2, 2.1, "x", token="v2"), Event("unlink", "c", 2.2, 2.3, "x"),
                Event("publish", "b", 2.4, 2.5, token="v2")]
        for node in ("a", "b"):
            self.assert_right(made, stat(node, 2.6, 2.7, "x", 20))
            self.assert_wrong(made, stat(node, 4.6, 4.7, "x", 20))
            self.assert_wrong(made, read(node, 2.6, 2.7, "x", "v2"))
        self.assert_right(made, stat("a", 2.6, 2.7, "x", 10))
        self.assert_wrong(made, stat("b", 2.6, 2.7, "x", 10))
        self.assert_wrong(made, stat("b", 2.6, 2.7, "x", 0))

    def test_a_name_and_its_attributes_may_be_of_different_moments(self):
        """b has x with its size in memory; a writes x and b renames it: the name is new, the size not yet."""
        self.assert_right(write("a", 0, 1, "x", "v1"), write("a", 5, 5.1, "x", "v2"), Event("rename", "b", 5.2, 5.3, "x", "y"),
                          stat("b", 5.4, 5.5, "y", 10))

    def test_a_stopped_node_shows_what_it_asked_for_before(self):
        made = [*write("a", 0, 1, "x", "v1"), *write("a", 2, 3, "x", "v2")]
        self.assert_wrong(made, stat("b", 8, 8.1, "x", 10))
        self.assert_right(made, stat("b", 8, 8.1, "x", 10), disturbances=[Disturbance("b", 2.5, 7.9)])
        self.assert_wrong(made, stat("b", 8, 8.1, "x", 10), disturbances=[Disturbance("a", 2.5, 7.9)])

    def test_the_own_node_sees_names_and_sizes_at_once(self):
        made = [*write("a", 0, 1, "x", "v1"), *write("b", 2, 3, "x", "v2")]
        self.assert_right(made, stat("c", 3.1, 3.2, "x", 10))
        self.assert_wrong(made, stat("b", 3.1, 3.2, "x", 10))
        removed = [*write("a", 0, 1, "x", "v1"), Event("unlink", "b", 2, 3, "x")]
        self.assert_wrong(removed, stat("b", 3.1, 3.2, "x", 10))
        self.assert_wrong(removed, Event("seen", "b", 3.1, 3.2, "x"))
        replaced = [*write("a", 0, 1, "x", "v1"), *replace("b", 2, 3, "x", "v2")]
        self.assert_wrong(replaced, stat("b", 3.1, 3.2, "x", 10))
        self.assert_wrong(replaced, stat("b", 3.1, 3.2, "x", 0))

    def test_a_rename_is_one_step(self):
        made = [*write("a", 0, 1, "x", "v1"), Event("rename", "a", 2, 5, "x", "y")]
        self.assert_right(made, absent("read", "b", 3, 3.1, "y"), read("b", 3.2, 3.3, "x", "v1"), read("c", 4, 4.1, "y", "v1"))
        self.assert_wrong(made, absent("read", "b", 3, 3.1, "x"), absent("read", "c", 3.2, 3.3, "y"))
        self.assert_wrong(made, read("b", 3, 3.1, "y", "v1"), read("c", 3.2, 3.3, "x", "v1"))
        self.assert_wrong(made, absent("read", "b", 5.1, 5.2, "y"))

    def test_a_file_is_renamed_or_removed_once(self):
        made = write("a", 0, 1, "x", "v1")
        self.assert_wrong(made, Event("rename", "a", 2, 5, "x", "y"), Event("rename", "b", 2, 5, "x", "z"))
        self.assert_wrong(made, Event("unlink", "a", 2, 5, "x"), Event("unlink", "b", 2, 5, "x"))
        self.assert_right(made, Event("unlink", "a", 2, 5, "x"), absent("unlink", "b", 2, 5, "x"))
        self.assert_wrong(made, absent("unlink", "b", 2, 5, "x"))

    def test_a_rename_between_two_names_that_a_node_takes_for_one_file_may_do_nothing(self):
        """b has x in memory when a renames it to y, and then renames x to y itself: these are one file for it."""
        made = [*write("a", 0, 1, "x", "v1"), Event("rename", "a", 2, 3, "x", "y")]
        self.assert_right(made, Event("rename", "b", 3.1, 3.2, "x", "y"), read("c", 4, 5, "y", "v1"))
        self.assert_right(made, Event("rename", "b", 3.1, 3.2, "x", "y"), stat("b", 3.3, 3.4, "x", 10))
        self.assert_wrong(made, Event("rename", "b", 3.1, 3.2, "x", "y"), stat("b", 5.3, 5.4, "x", 10))
        self.assert_wrong(made, Event("rename", "b", 5.1, 5.2, "x", "y"))
        self.assert_wrong(made, Event("rename", "a", 3.1, 3.2, "x", "y"))
        self.assert_wrong(made, Event("rename", "b", 3.1, 3.2, "x", "z"))

    def test_what_was_replaced_does_not_come_back(self):
        self.assert_wrong(replace("a", 0, 1, "x", "v1"), replace("b", 2, 3, "x", "v2"), Event("rename", "c", 4, 5, "x", "y"),
                          read("a", 6, 7, "x", "v1"))


class Failures(HistoryTest):
    def unknown_publish(self):
        return [*write("a", 0, 1, "x", "v1"), Event("create", "b", 2, 3, "x", token="v2"),
                Event("publish", "b", 4, math.inf, token="v2", result="unknown")]

    def test_a_publish_that_failed_may_have_been_done_or_not(self):
        self.assert_right(self.unknown_publish(), read("c", 9, 10, "x", "v1"))
        self.assert_right(self.unknown_publish(), read("c", 9, 10, "x", "v1"), read("c", 19, 20, "x", "v2"))
        self.assert_right(self.unknown_publish(), read("c", 9, 10, "x", "v2", whole=False))

    def test_it_is_not_undone(self):
        self.assert_wrong(self.unknown_publish(), read("c", 9, 10, "x", "v2"), read("c", 19, 20, "x", "v1"))

    def test_a_rename_that_failed_may_have_been_done_or_not(self):
        made = [*write("a", 0, 1, "x", "v1"), Event("rename", "b", 2, math.inf, "x", "y", result="unknown")]
        self.assert_right(made, read("c", 5, 6, "x", "v1"))
        self.assert_right(made, read("c", 5, 6, "x", "v1"), read("c", 7, 8, "y", "v1"))
        self.assert_wrong(made, read("c", 5, 6, "y", "v1"), read("c", 7, 8, "x", "v1"))

    def test_what_succeeded_is_there_whatever_failed_beside_it(self):
        self.assert_wrong(self.unknown_publish(), write("c", 5, 6, "z", "v3"), absent("read", "a", 7, 8, "z"))

    def test_a_publish_of_a_node_that_was_taken_for_dead_may_be_a_conflict_copy(self):
        made = [*write("a", 0, 1, "x", "v1"), *write("b", 2, 3, "x", "v2")]
        made[-1].weak = True
        self.assert_right(made, read("c", 5, 6, "x", "v1"))
        self.assert_right(made, read("c", 5, 6, "x", "v2"))
        self.assert_wrong(made, read("c", 5, 6, "x", "v1"), read("c", 7, 8, "x", "v2"))
        self.assert_wrong(made, read("c", 5, 6, "x", "v2"), read("c", 7, 8, "x", "v1"))
        self.assert_wrong(made, Event("rename", "b", 4, 5, "x", "y"), read("c", 3.1, 3.2, "x", "v1"), read("c", 7, 8, "y", "v2"))


class Simulated:
    """A right volume: each call happens at one moment, in a random order of many workers' calls."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.events, self.sizes, self.names = [], {}, {}
        self.moment = 0.0

    def span(self):
        """A call that happens at the next moment, and lasts longer than it takes."""
        self.moment += self.random.expovariate(3)
        return self.moment - self.random.random(), self.moment + self.random.random()

    def step(self):
        kind = self.random.choice(("write", "write", "read", "read", "read", "stat", "rename", "unlink", "list"))
        getattr(self, kind)(self.random.choice("abc"), self.random.choice("xyz"))

    def add(self, *arguments, **more):
        self.events.append(Event(*arguments, **more))

    def write(self, node, name):
        """As a temporary file, so that it is whole at one moment."""
        token = f"v{len(self.sizes)}"
        self.sizes[token] = 10 + len(self.sizes)
        self.add("create", node, *self.span(), "t-" + token, token=token, temporary=True)
        self.add("publish", node, self.events[-1].end, self.events[-1].end + 0.001, token=token)
        self.moment = self.events[-1].end
        start, end = self.span()
        self.add("rename", node, max(start, self.events[-1].end), max(end, self.events[-1].end + 0.001), "t-" + token, name,
                 temporary=True)
        self.moment = self.events[-1].end if self.moment < self.events[-1].start else self.moment
        self.names[name] = token

    def read(self, node, name):
        token = self.names.get(name)
        start, end = self.span()
        self.add("read", node, start, end, name, token=token or "", result="ok" if token else "absent")

    def stat(self, node, name):
        token = self.names.get(name)
        start, end = self.span()
        self.add("stat", node, start, end, name, size=self.sizes.get(token, 0), result="ok" if token else "absent")

    def rename(self, node, name):
        other = self.random.choice([each for each in "xyz" if each != name])
        found = self.names.pop(name, None)
        if found:
            self.names[other] = found
        self.add("rename", node, *self.span(), name, other, result="ok" if found else "absent")

    def unlink(self, node, name):
        found = self.names.pop(name, None)
        self.add("unlink", node, *self.span(), name, result="ok" if found else "absent")

    def list(self, node, _):
        start, end = self.span()
        for name in "xyz":
            self.add("seen" if name in self.names else "unseen", node, start, end, name)


class Simulations(unittest.TestCase):
    def test_a_right_volume_has_no_violations_and_a_wrong_one_has(self):
        planted = found = judged = 0
        for seed in range(150):
            volume = Simulated(seed)
            for _ in range(60):
                volume.step()
            verdict = Checker(volume.events, volume.sizes).check()
            self.assertEqual(verdict.violations, [], f"seed {seed}")
            judged += verdict.judged
            reads = [event for event in volume.events if event.kind == "read" and event.token]
            if len(reads) > 3:
                # One read shows what another showed.
                planted += 1
                wrong = volume.random.choice(reads)
                wrong.token = volume.random.choice([event.token for event in reads if event.token != wrong.token] or ["v?"])
                found += bool(Checker(volume.events, volume.sizes).check().violations)
        self.assertGreater(judged, 3000)
        self.assertGreater(planted, 100)
        # Not all are wrong: some reads may show either.
        self.assertGreater(found, planted * 0.8)


class Locks(unittest.TestCase):
    def test_one_holder_after_the_other(self):
        self.assertEqual(check_holds([Hold("a", 1, 2, 0, 1), Hold("b", 2.1, 3, 1, 2), Hold("a", 4, 5, 2, 3)]), [])

    def test_two_holders_at_once_are_found(self):
        self.assertEqual(len(check_holds([Hold("a", 1, 3, 0, 1), Hold("b", 2, 4, 1, 2)])), 1)

    def test_shared_holders_may_be_many_but_not_beside_another(self):
        shared = [Hold("a", 1, 3, 0, shared=True), Hold("b", 2, 4, 0, shared=True)]
        self.assertEqual(check_holds(shared), [])
        self.assertEqual(len(check_holds([*shared, Hold("c", 3.5, 5, 0, 1)])), 1)

    def test_a_lost_update_is_found(self):
        self.assertEqual(len(check_holds([Hold("a", 1, 2, 0, 1), Hold("b", 3, 4, 0, 1)])), 1)
        self.assertEqual(len(check_holds([Hold("a", 1, 2, 0, 1), Hold("b", 3, 4, 0, shared=True)])), 1)

    def test_a_holder_that_failed_may_have_written(self):
        failed = Hold("a", 1, math.inf, 0, 1, certain=False)
        self.assertEqual(check_holds([failed, Hold("b", 3, 4, 0, 1)]), [])
        self.assertEqual(check_holds([failed, Hold("b", 3, 4, 1, 2)]), [])
        self.assertEqual(len(check_holds([failed, Hold("b", 3, 4, 7, 8)])), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
