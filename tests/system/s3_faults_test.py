"""An object store that lies and fails, and a daemon that dies, under a load: nothing is lost, nothing is wrong, nobody hangs."""

import os
import random
import signal
import threading
import time

import harness
from s3_ledger import Ledger, LedgerTest
from s3_volume import S3Volume, servers

SEED = int(os.environ.get("WEIR_TEST_SEED", str(random.randrange(1 << 30))))
KILLS = int(os.environ.get("WEIR_TEST_UPLOAD_KILLS", "8"))
MIXTURE_SECONDS = float(os.environ.get("WEIR_TEST_MIXTURE_SECONDS", "15"))
READ_TIMEOUT_S = 60
MIB = 1 << 20
SMALL, BIG = (300, 20_000, 70_000), (3 * MIB, 9 * MIB)
BIG_BYTES_MAX = 2 << 30  # the fault server has all of it in memory

# Each comes in one of forty requests.
MIXTURE = (
    {"kind": "slow_down"}, {"kind": "too_many_requests"}, {"kind": "internal_error"}, {"kind": "bad_gateway"},
    {"kind": "expired_token"}, {"kind": "error_with_data"}, {"kind": "ok_with_error", "operations": ["GetObject"]},
    {"kind": "reset_request", "bytes": 70_000}, {"kind": "reset_response", "bytes": 70_000},
    {"kind": "short_body", "bytes": 9_000}, {"kind": "lost_response"}, {"kind": "lost_by_reset"},
    {"kind": "short_length", "bytes": 5_000}, {"kind": "long_body"}, {"kind": "wrong_bytes"}, {"kind": "wrong_range"},
    {"kind": "lying_range"}, {"kind": "ignored_range"}, {"kind": "slow_first_byte", "delay_ms": 700},
    {"kind": "slow_body", "bytes_per_second": 3_000_000}, {"kind": "slow_request", "bytes_per_second": 3_000_000},
)


class S3FaultsTest(LedgerTest):
    def test_killed_while_uploading_everything_closed_ends_stored_and_nothing_is_sent_twice(self):
        print(f"seed {SEED}, {KILLS} kills", flush=True)
        chance = random.Random(SEED)
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            volume.mount()
            ledger = Ledger(volume, SEED)
            server.command("add", kind="slow_first_byte", operations=["PutObject"], delay_ms=60)
            for kill in range(KILLS):
                for number in range(chance.randrange(1, 5)):
                    ledger.write(f"{kill}-{number}", chance.choice((300, 20_000, 200_000, 9 * MIB)))
                time.sleep(chance.random() * 0.4)
                os.kill(volume.status()["pid"], signal.SIGKILL)
            server.command("clear")
            self.store_all(volume, ledger)
            counters = server.counters()
            chunks = {name: object for name, object in counters["objects"].items() if "/chunks/" in name}
            twice = [name for name, object in chunks.items() if object["puts_whole"] > 1]
            print(f"{len(chunks)} chunks, {sum(c['puts'] for c in chunks.values())} puts, {len(twice)} twice in full", flush=True)
            self.assertGreater(len(chunks), KILLS)
            self.assertEqual(twice, [])
            self.on_a_machine_that_has_nothing(volume, ledger)

    def test_every_fault_in_random_mixture_during_a_mixed_load(self):
        print(f"seed {SEED}, {MIXTURE_SECONDS} s", flush=True)
        with servers.FaultServer() as server, S3Volume(server) as volume:
            volume.format()
            volume.mount("--read-timeout", f"{READ_TIMEOUT_S}s")
            ledger = Ledger(volume, SEED)
            server.command("settings", seed=SEED)
            for fault in MIXTURE:
                server.command("add", per_mille=25, **fault)
            end = time.monotonic() + MIXTURE_SECONDS
            failures, slowest, counts, big_bytes = [], [0.0], [0, 0], [0]

            def work(job):
                try:
                    while time.monotonic() < end:
                        job()
                except Exception as failure:  # whatever it is, the test shows it
                    failures.append(failure)

            def writer(number):
                chance = random.Random(SEED + number)
                own = Ledger(volume, SEED + number)
                own.digests, own.lock = ledger.digests, ledger.lock

                def job():
                    size = chance.choice(SMALL + BIG if big_bytes[0] < BIG_BYTES_MAX else SMALL)
                    big_bytes[0] += size
                    own.write(f"{number}-{counts[0]}", size)
                    counts[0] += 1
                    time.sleep(0.02)
                return job

            def reader(number):
                chance = random.Random(SEED - number)

                def job():
                    name = ledger.some(chance)
                    if name is None:
                        return time.sleep(0.01)
                    if chance.random() < 0.5:
                        volume.weir("evict", volume.path(name), check=False)
                    slowest[0] = max(slowest[0], ledger.check(self, name))
                    counts[1] += 1
                return job

            threads = [threading.Thread(target=work, args=(job,)) for job in (writer(1), writer(2), reader(1), reader(2), reader(3))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(MIXTURE_SECONDS + 2 * READ_TIMEOUT_S)
                self.assertFalse(thread.is_alive(), "a call hangs")
            counters = server.counters()
            print(f"{counts[0]} files written, {counts[1]} read, slowest read {slowest[0]:.1f} s, faults {counters['faults']}", flush=True)
            self.assertEqual(failures, [])
            self.assertLess(slowest[0], READ_TIMEOUT_S + 10)
            server.command("clear")
            self.store_all(volume, ledger)
            self.on_a_machine_that_has_nothing(volume, ledger)


if __name__ == "__main__":
    harness.main()
