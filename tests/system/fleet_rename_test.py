"""The pattern of temporary files from every node: written, renamed before it is closed, and opened at once by another node
under its final name: whole content, never empty. WEIR_TEST_RENAME_ROUNDS=1000 is the long run."""

import os
import random
import tempfile

import harness
from fleet import Fleet, FleetTest, read, write

ROUNDS = int(os.environ.get("WEIR_TEST_RENAME_ROUNDS", "60"))
SIZES = (1, 4096, 4097, 65_536, 65_537, 1 << 20, 5 << 20)


class RenameBetweenNodes(FleetTest):
    def test_what_one_node_writes_the_others_read(self):
        with Fleet() as fleet:
            a, b, c = fleet.nodes
            for name, content in (("empty", b""), ("inline", b"x" * 100), ("small", os.urandom(60_000)),
                                  ("image", os.urandom(9_000_000))):
                write(a.path(name), content)
                self.assertEqual(read(b.path(name)), content, f"{name} on b")
                self.assertEqual(read(c.path(name)), content, f"{name} on c")

    def test_another_node_opens_the_final_name_at_once(self):
        seed = int(os.environ.get("WEIR_TEST_SEED", random.randrange(10**6)))
        rng = random.Random(seed)
        with Fleet() as fleet:
            for number in range(ROUNDS):
                writer, *readers = rng.sample(fleet.nodes, 3)
                # Every other one replaces what an earlier round left.
                final = f"final-{rng.randrange(20)}" if number % 2 else f"new-{number}"
                content = rng.randbytes(rng.choice(SIZES))
                with self.subTest(seed=seed, round=number, size=len(content), writer=writer.name):
                    self.one_round(writer, readers, final, content)
            fleet.umount()
            fleet.fsck()

    def one_round(self, writer, readers, final, content):
        with tempfile.NamedTemporaryFile(dir=writer.mount_point, delete=False) as file:
            file.write(content[: len(content) // 2])
            file.write(content[len(content) // 2 :])
            file.flush()
            os.rename(file.name, writer.path(final))
            for reader in readers:
                self.assertTrue(read(reader.path(final)) == content, f"{reader}, before the close")
        for reader in readers:
            self.assertTrue(read(reader.path(final)) == content, f"{reader}, after the close")

    def test_bytes_that_are_written_after_the_rename_arrive_with_the_close(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            with open(a.path("temporary"), "wb") as file:
                os.rename(a.path("temporary"), a.path("final"))
                file.write(b"written after it")
            self.assertEqual(read(b.path("final")), b"written after it")


if __name__ == "__main__":
    harness.main()
