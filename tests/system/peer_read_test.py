"""A file that one node closed is read by another before it is in the object store: from the node that holds it, at once;
when that is out of reach, once it is back; when it is dead, not at all, with a sentence that says who had it."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time

import harness
from fleet import Fleet, FleetTest, eventually, read, write
from harness import SOURCE

sys.path.insert(0, os.path.join(SOURCE, "tests", "servers"))
from fault_server import FaultServer  # noqa: E402

MIB = 1 << 20


def some_bytes(size, seed):
    # Chunks that differ, and are like no others.
    return b"".join(bytes([seed, index & 255, index >> 8, 7]) * 1024 for index in range(size // 4096)) + b"end"


class Reader(threading.Thread):
    """Reads a file, and keeps what it got, or the error, and how long it took."""

    def __init__(self, path):
        super().__init__()
        self.path, self.got, self.error, self.seconds = path, None, None, None
        self.start()

    def run(self):
        start = time.monotonic()
        try:
            self.got = read(self.path)
        except OSError as error:
            self.error = error
        self.seconds = time.monotonic() - start


def what_is_readable(path):
    try:
        return read(path)
    except OSError:
        return None


def refuse_uploads(fleet):
    """The store takes nothing more, so what is written from now on is only where it was written."""
    fleet.server.command("add", kind="internal_error", operations=["PutObject"])


def overwrite(path):
    with open(path, "r+b", buffering=0) as file:
        file.write(b"new")


class PeerRead(FleetTest):
    def fleet(self, count=2):
        return Fleet(count, store=FaultServer)

    def test_what_one_node_closed_another_reads_before_the_upload(self):
        with self.fleet() as fleet:
            a, b = fleet.nodes
            refuse_uploads(fleet)
            big, small = some_bytes(24 * MIB, 1), b"some words" * 900
            write(a.path("big"), big)
            write(a.path("small"), small)
            write(a.path("tiny"), b"hello")
            self.assertEqual(a.state_of("big"), "local")
            self.assertEqual(read(b.path("tiny")), b"hello")
            self.assertEqual(read(b.path("small")), small)
            self.assertEqual(read(b.path("big")), big)
            status = b.status()
            self.assertGreaterEqual(status["reads"]["peer_bytes"], len(big))
            self.assertEqual(status["reads"]["store_bytes"], 0)
            self.assertEqual(status["peers"]["wrong_sums"], 0)
            self.assertGreaterEqual(a.status()["peers"]["sent_bytes"], len(big))
            fleet.server.command("clear")
            fleet.settle()
            fleet.umount()
            fleet.fsck()

    def test_a_reader_waits_while_the_holder_is_cut_off_and_goes_on_when_it_is_back(self):
        with self.fleet() as fleet:
            a, b = fleet.nodes
            refuse_uploads(fleet)
            content = some_bytes(9 * MIB, 2)
            write(a.path("file"), content)
            self.assertEqual(os.stat(b.path("file")).st_size, len(content))
            a.cut_from(b)
            reader = Reader(b.path("file"))
            time.sleep(4)
            self.assertTrue(reader.is_alive())
            # Nobody else waits for it.
            write(b.path("other"), b"of b")
            self.assertEqual(read(b.path("other")), b"of b")
            a.heal()
            reader.join(30)
            self.assertFalse(reader.is_alive())
            self.assertIsNone(reader.error)
            self.assertEqual(reader.got, content)

    def test_a_reader_of_what_a_dead_node_had_fails_and_the_log_says_who_had_it(self):
        with self.fleet() as fleet:
            a, b = fleet.nodes
            refuse_uploads(fleet)
            write(a.path("file"), some_bytes(9 * MIB, 3))
            write(a.path("small"), b"some words" * 900)
            number = a.status()["node"]["id"]
            a.kill()
            first = Reader(b.path("file"))
            first.join(58)
            self.assertFalse(first.is_alive())
            self.assertEqual(first.error.errno, 5)
            sentence = f"node {number} on {a.machine.hostname}"
            self.assertIn(sentence, b.log_text())
            # From then on at once.
            for name in ("file", "small"):
                again = Reader(b.path(name))
                again.join(10)
                self.assertEqual(again.error.errno, 5)
                self.assertLess(again.seconds, 3)
            # And when it is back with its disk, its bytes are.
            a.mount()
            eventually(lambda: what_is_readable(b.path("small")) == b"some words" * 900, 30, "the small file is back")
            self.assertEqual(read(b.path("file")), some_bytes(9 * MIB, 3))

    def test_a_node_that_lost_only_the_database_still_gives_what_it_has(self):
        with self.fleet() as fleet:
            a, b = fleet.nodes
            refuse_uploads(fleet)
            content = some_bytes(9 * MIB, 6)
            write(a.path("file"), content)
            number = a.status()["node"]["id"]
            a.cut_from_database()
            eventually(lambda: (number, "dead") in ((one["node"], one["state"]) for one in b.status()["members"]), 60,
                       "the node counts as dead")
            self.assertEqual(read(b.path("file")), content)
            a.heal()

    def test_a_reader_that_waits_can_be_interrupted_and_does_not_keep_a_mount_from_its_end(self):
        with self.fleet() as fleet:
            a, b = fleet.nodes
            refuse_uploads(fleet)
            write(a.path("file"), some_bytes(9 * MIB, 4))
            os.stat(b.path("file"))
            a.cut_from(b)
            with subprocess.Popen(("cat", b.path("file")), stdout=subprocess.DEVNULL) as process:
                time.sleep(2)
                self.assertIsNone(process.poll())
                process.send_signal(signal.SIGINT)
                process.wait(10)
            with subprocess.Popen(("cat", b.path("file")), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                time.sleep(1)
                os.kill(b.status()["pid"], signal.SIGTERM)  # detaches what is in use, and ends after 10 s
                process.wait(40)
                self.assertNotEqual(process.returncode, 0)

    def test_many_readers_and_writers_that_wait_hold_up_nobody_else(self):
        with self.fleet() as fleet:
            a, b = fleet.nodes
            content = some_bytes(5 * MIB, 5)
            write(b.path("stored"), content)
            b.sync("--to", "stored")
            b.weir("evict", b.path("stored"))
            refuse_uploads(fleet)
            for index in range(40):
                write(a.path(f"early{index}"), some_bytes(MIB, index + 10))
                write(a.path(f"late{index}"), some_bytes(MIB, index + 50))
            a.cut_from(b)
            readers = [Reader(b.path(f"early{index}")) for index in range(40)]
            writers = [threading.Thread(target=overwrite, args=(b.path(f"late{index}"),)) for index in range(40)]
            for writer in writers:
                writer.start()
            time.sleep(2)
            start = time.monotonic()
            self.assertEqual(read(b.path("stored")), content)
            self.assertLess(time.monotonic() - start, 10)
            a.heal()
            for index, reader in enumerate(readers):
                reader.join(60)
                self.assertEqual(reader.got, some_bytes(MIB, index + 10))
            for index, writer in enumerate(writers):
                writer.join(60)
                self.assertEqual(read(a.path(f"late{index}")), b"new" + some_bytes(MIB, index + 50)[3:])


class Server(FleetTest):
    def ask(self, machine, address, path, headers=None):
        """Status and body of what a program on that machine gets."""
        with machine.sockets():
            connection = http.client.HTTPConnection(address, timeout=20)
            connection.request("GET", path, headers=headers or {})
        reply = connection.getresponse()
        body = reply.read().decode()
        connection.close()
        return reply.status, body

    def test_a_node_tells_its_health_and_its_figures_but_nothing_to_strangers(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            address = a.status()["node"]["address"]
            self.assertEqual(self.ask(a.machine, address, "/healthz"), (200, "ok\n"))
            status, metrics = self.ask(a.machine, address, "/metrics")
            self.assertEqual(status, 200)
            self.assertIn("weir_peer_sent_bytes_total 0", metrics)
            self.assertTrue(address.startswith(a.address + ":"), address)
            # From another machine: no figures without the token, and never a chunk.
            for path in ("/metrics", f"/peer/v1/chunks/{'ab' * 32}?length=4", "/peer/v1/messages/x"):
                self.assertEqual(self.ask(b.machine, address, path)[0], 401, path)
            self.assertEqual(self.ask(b.machine, address, "/etc/passwd")[0], 404)
            members = {member["node"]: member for member in b.status()["members"]}
            self.assertEqual(members[a.status()["node"]["id"]]["address"], address)

    def test_other_machines_get_figures_with_the_token(self):
        with Fleet(2, mounted=False) as fleet:
            a, b = fleet.nodes
            token = os.path.join(fleet.root, "token")
            write(token, b"a-secret-of-many-letters\n")
            a.mount("--metrics-token-file", token)
            b.mount()
            address = a.status()["node"]["address"]
            for secret, code in (("a-secret-of-many-letters", 200), ("another", 401)):
                status, _ = self.ask(b.machine, address, "/metrics", {"Authorization": f"Bearer {secret}"})
                self.assertEqual(status, code)

    def test_listen_and_advertise_say_where(self):
        with Fleet(1, mounted=False) as fleet:
            a = fleet.nodes[0]
            a.mount("--listen", "0.0.0.0:7480", "--advertise", "192.0.2.7:80")
            self.assertEqual(a.status()["node"]["address"], "192.0.2.7:80")
            self.assertEqual(self.ask(a.machine, f"{a.address}:7480", "/healthz"), (200, "ok\n"))
            a.umount()
            a.mount("--listen", "none")
            self.assertEqual(a.status()["node"]["address"], "")
            a.umount()
            done = a.weir("mount", fleet.url, a.mount_point, "--cache-dir", a.cache, "--listen", "192.0.2.9:80", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("192.0.2.9 is no address of this machine", done.stderr)
            done = a.weir("mount", fleet.url, a.mount_point, "--cache-dir", a.cache, "--listen", "gpu-7:80", check=False)
            self.assertEqual(done.returncode, 2)

    def test_a_daemon_that_starts_again_keeps_its_address(self):
        with Fleet(2, store=FaultServer) as fleet:
            a, b = fleet.nodes
            refuse_uploads(fleet)
            write(a.path("before"), some_bytes(5 * MIB, 1))
            address = a.status()["node"]["address"]
            os.kill(a.status()["pid"], signal.SIGKILL)
            self.assertEqual(read(b.path("before")), some_bytes(5 * MIB, 1))
            self.assertEqual(a.status()["node"]["address"], address)


if __name__ == "__main__":
    harness.main()
