"""The metadata server is killed, restarted or replaced by its standby while a mounted volume is in use: calls wait and go
on, none fails, each happened exactly once, and nothing that returned is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

import harness
from harness import SystemTest, main, run

sys.path.insert(0, os.path.join(harness.SOURCE, "tests", "servers"))
from postgresql import PostgreSql  # noqa: E402

KILLS = int(os.environ.get("WEIR_TEST_KILLS", "50"))
WORKERS = 4
SIZES = [0, 10, 4096, 5000, 70000]


class Worker(threading.Thread):
    """Changes a directory of its own and knows what must be in it. Any call that fails ends it, so that one done twice
    shows: what was made is there already, what was removed is gone."""

    def __init__(self, top, seed):
        super().__init__()
        self.top, self.random = top, random.Random(seed)
        self.files, self.directories, self.number = {}, set(), 0
        self.done, self.longest_s, self.problem = 0, 0.0, None
        self.stop = threading.Event()
        os.mkdir(top)

    def path(self, name):
        return os.path.join(self.top, name)

    def run(self):
        try:
            while not self.stop.is_set():
                begun = time.monotonic()
                self.step()
                self.longest_s = max(self.longest_s, time.monotonic() - begun)
                self.done += 1
        except Exception as problem:  # pylint: disable=broad-exception-caught
            self.problem = problem

    def new_name(self):
        self.number += 1
        return f"{self.number}"

    def step(self):
        actions = [self.make, self.make, self.make_directory]
        if self.files:
            actions += [self.rename, self.remove, self.link, self.replace]
        if self.directories:
            actions += [self.remove_directory]
        self.random.choice(actions)()

    def make(self):
        name, content = self.new_name(), self.random.randbytes(self.random.choice(SIZES))
        with open(self.path(name), "xb") as file:
            file.write(content)
        self.files[name] = content

    def replace(self):
        name, content = self.random.choice(list(self.files)), self.random.randbytes(self.random.choice(SIZES))
        temporary = self.path(self.new_name())
        with open(temporary, "xb") as file:
            file.write(content)
        os.rename(temporary, self.path(name))
        self.files[name] = content

    def rename(self):
        old, new = self.random.choice(list(self.files)), self.new_name()
        os.rename(self.path(old), self.path(new))
        self.files[new] = self.files.pop(old)

    def link(self):
        old, new = self.random.choice(list(self.files)), self.new_name()
        os.link(self.path(old), self.path(new))
        self.files[new] = self.files[old]

    def remove(self):
        name = self.random.choice(list(self.files))
        os.unlink(self.path(name))
        del self.files[name]

    def make_directory(self):
        name = self.new_name()
        os.mkdir(self.path(name))
        self.directories.add(name)

    def remove_directory(self):
        name = self.directories.pop()
        os.rmdir(self.path(name))

    def check(self, test):
        if self.problem is not None:
            raise self.problem
        test.assertEqual(sorted(os.listdir(self.top)), sorted([*self.files, *self.directories]))
        test.assertEqual(os.stat(self.top).st_nlink, 2 + len(self.directories))
        for name, content in self.files.items():
            with open(self.path(name), "rb") as file:
                test.assertEqual(file.read(), content, name)


class SharedVolume:
    """One node on a shared volume, whose servers are on this machine."""

    def __init__(self, database, url):
        self.database, self.url = database, url
        self.root = os.path.join(database.directory, "..", os.path.basename(database.directory) + "-node")
        self.mount = os.path.join(self.root, "mount")

    def __enter__(self):
        os.makedirs(self.mount)
        run(harness.WEIR, "format", self.url, "--store", os.path.join(self.root, "store"), timeout=60)
        self.up()
        return self

    def up(self):
        run(harness.WEIR, "mount", self.url, self.mount, "--cache-dir", os.path.join(self.root, "cache"), "--log-file",
            os.path.join(self.root, "log"), *harness.OPTIONS, timeout=120)

    def fsck(self):
        done = run(harness.WEIR, "fsck", self.mount, "--json", check=False)
        if done.returncode != 0:
            raise AssertionError(f"fsck exited {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")

    def __exit__(self, kind, *_):
        if kind is not None:
            with open(os.path.join(self.root, "log"), encoding="utf-8", errors="replace") as log:
                print(log.read()[-4000:], file=sys.stderr)
        run(harness.WEIR, "umount", self.mount, timeout=400, check=False)
        run("umount", "-l", self.mount, check=False)
        run("rm", "-rf", self.root)


@unittest.skipIf(PostgreSql.why_not(), f"no PostgreSQL here: {PostgreSql.why_not()}")
class DatabaseOutage(SystemTest):
    def setUp(self):
        self.seed = os.environ.get("WEIR_TEST_SEED", str(random.randrange(10**9)))
        print(f"seed {self.seed}", file=sys.stderr)
        self.random = random.Random(self.seed)

    def start(self, volume):
        workers = [Worker(os.path.join(volume.mount, f"worker{number}"), f"{self.seed} {number}") for number in range(WORKERS)]
        for worker in workers:
            worker.start()
        return workers

    def wait_for_work(self, workers, calls=3):
        """Until each has done something more: what was interrupted has gone on."""
        before = [worker.done for worker in workers]
        deadline = time.monotonic() + 120
        for worker, done in zip(workers, before):
            while worker.is_alive() and worker.done < done + calls:
                self.assertLess(time.monotonic(), deadline, f"a call has not gone on: {worker.done} done")
                time.sleep(0.01)

    def end(self, volume, workers):
        for worker in workers:
            worker.stop.set()
        for worker in workers:
            worker.join()
        for worker in workers:
            worker.check(self)
        run(harness.WEIR, "sync", volume.mount, "--to", "stored")
        volume.fsck()
        done = sum(worker.done for worker in workers)
        longest = max(worker.longest_s for worker in workers)
        print(f"{done} steps, the longest took {longest:.1f} s", file=sys.stderr)

    def test_the_server_is_killed_again_and_again(self):
        with PostgreSql() as database, SharedVolume(database, database.url()) as volume:
            workers = self.start(volume)
            for _ in range(KILLS):
                time.sleep(self.random.random() * 0.3)
                database.kill()
                time.sleep(self.random.random() * 0.3)
                database.start_again()
                self.wait_for_work(workers)
            self.end(volume, workers)

    def test_the_server_is_restarted_by_its_administrator(self):
        with PostgreSql() as database, SharedVolume(database, database.url()) as volume:
            workers = self.start(volume)
            for _ in range(3):
                time.sleep(0.5)
                database.shut_down()
                time.sleep(1.5)
                database.start_again()
                self.wait_for_work(workers)
            self.end(volume, workers)

    def test_a_daemon_that_is_told_to_end_while_the_server_is_away_ends(self):
        with PostgreSql() as database, SharedVolume(database, database.url()) as volume:
            with open(os.path.join(volume.mount, "before"), "wb") as file:
                file.write(b"content")
            daemon = json.loads(run(harness.WEIR, "status", volume.mount, "--json").stdout)["pid"]
            database.kill()
            waiting = subprocess.Popen(["stat", os.path.join(volume.mount, "before")], stdout=subprocess.DEVNULL,  # pylint: disable=consider-using-with
                                       stderr=subprocess.DEVNULL)
            begun = time.monotonic()
            os.kill(daemon, signal.SIGTERM)
            harness.wait_until_gone(daemon)
            self.assertLess(time.monotonic() - begun, 60)
            self.assertNotEqual(waiting.wait(10), 0)
            database.start_again()
            volume.up()
            with open(os.path.join(volume.mount, "before"), "rb") as file:
                self.assertEqual(file.read(), b"content")
            volume.fsck()

    def test_while_the_server_is_away_open_files_are_read_and_who_waits_can_be_killed(self):
        """Names that nobody has looked up yet need the server. Bytes that are here do not, however many wait."""
        holder = r"""
import os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR)
appending = os.open(sys.argv[1] + ".log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.write(appending, b"before,")
os.pwrite(descriptor, b"x", 0)  # the kernel asks once for capabilities that a write would end
print("open", flush=True)
sys.stdin.readline()
read = os.pread(descriptor, 1 << 20, 1 << 20)
assert read == bytes([7]) * (1 << 20)
os.pwrite(descriptor, b"written while the server was away", 0)
assert os.pread(descriptor, 33, 0) == b"written while the server was away"
os.write(appending, b"while away,")
print("done", flush=True)
sys.stdin.readline()
"""
        with PostgreSql() as database, SharedVolume(database, database.url()) as volume:
            path = os.path.join(volume.mount, "open")
            with open(path, "wb") as file:
                file.write(bytes([7]) * (20 << 20))
            os.mkdir(os.path.join(volume.mount, "made"))
            with subprocess.Popen([sys.executable, "-c", holder, path], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) as holding:
                self.assertEqual(holding.stdout.readline(), b"open\n")
                database.kill()
                waiting = [subprocess.Popen(["stat", os.path.join(volume.mount, f"absent{number}")],  # pylint: disable=consider-using-with
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for number in range(40)]
                making = [subprocess.Popen(["mkdir", os.path.join(volume.mount, f"made/{number}")])  # pylint: disable=consider-using-with
                          for number in range(10)]
                time.sleep(2)
                self.assertTrue(all(process.poll() is None for process in waiting + making), "who needs the server waits")
                status = run(harness.WEIR, "status", volume.mount, "--json", timeout=20).stdout
                self.assertGreater(json.loads(status)["metadata_away_s"], 0)
                begun = time.monotonic()
                holding.stdin.write(b"\n")
                holding.stdin.flush()
                self.assertEqual(holding.stdout.readline(), b"done\n")
                self.assertLess(time.monotonic() - begun, 10, "an open file was not served")
                begun = time.monotonic()
                for process in waiting[:20]:
                    process.terminate()
                for process in waiting[20:] + making:
                    process.send_signal(signal.SIGCHLD)  # which they ignore
                for process in waiting[:20]:
                    process.wait(20)
                self.assertLess(time.monotonic() - begun, 10, "a signal did not end the wait")
                self.assertTrue(all(process.poll() is None for process in waiting[20:] + making))
                database.start_again()
                self.assertEqual([process.wait(60) for process in waiting[20:]], [1] * 20, "there are no such files")
                self.assertEqual([process.wait(60) for process in making], [0] * 10)
            self.assertEqual(sorted(os.listdir(os.path.join(volume.mount, "made"))),
                             sorted(str(number) for number in range(10)))
            with open(path, "rb") as file:
                self.assertEqual(file.read(33), b"written while the server was away")
            with open(path + ".log", "rb") as file:
                self.assertEqual(file.read(), b"before,while away,")
            volume.fsck()

    def test_a_daemon_that_is_killed_while_the_server_is_away_leaves_the_waiting_to_the_next(self):
        with PostgreSql() as database, SharedVolume(database, database.url()) as volume:
            database.kill()
            making = [subprocess.Popen(["mkdir", os.path.join(volume.mount, f"made{number}")])  # pylint: disable=consider-using-with
                      for number in range(10)]
            time.sleep(1)
            daemon = json.loads(run(harness.WEIR, "status", volume.mount, "--json").stdout)["pid"]
            os.kill(daemon, signal.SIGKILL)
            time.sleep(2)
            self.assertTrue(all(process.poll() is None for process in making))
            database.start_again()
            self.assertEqual([process.wait(90) for process in making], [0] * 10)
            self.assertEqual(sorted(os.listdir(volume.mount)), sorted(f"made{number}" for number in range(10)))
            volume.fsck()

    def test_the_standby_takes_over(self):
        replicated = {"synchronous_standby_names": "*", "synchronous_commit": "on"}
        with PostgreSql(settings=replicated) as primary, PostgreSql() as standby:
            standby.become_standby_of(primary)
            url = f"postgres://weir@/postgres?host={primary.directory},{standby.directory}"
            with SharedVolume(standby, url) as volume:
                workers = self.start(volume)
                time.sleep(1)
                primary.kill()
                time.sleep(self.random.random())
                standby.promote()
                self.wait_for_work(workers, calls=20)
                self.end(volume, workers)


if __name__ == "__main__":
    main()
