"""os.rename() inside the `with` block that writes the file: the content is under the final name, whole, at once."""

import hashlib
import os
import tempfile

from harness import SystemTest, Volume, main, run


class RenameWhileOpen(SystemTest):
    def test_reader_right_after_the_rename_sees_all_bytes(self):
        with Volume() as volume:
            for round_number, size in enumerate([1, 4096, 4097, 65536, 65537, 1 << 20, 5 << 20, 17 << 20]):
                final = os.path.join(volume.mount, f"final-{round_number}")
                content = os.urandom(size)
                with tempfile.NamedTemporaryFile(dir=volume.mount, delete=False) as file:
                    file.write(content)
                    file.flush()
                    os.rename(file.name, final)
                    with open(final, "rb") as reader:
                        self.assertEqual(reader.read(), content)
                    self.assertEqual(run("sha256sum", final).stdout.split()[0], sha256(content))
                with open(final, "rb") as reader:
                    self.assertEqual(reader.read(), content)

    def test_buffered_bytes_that_follow_the_rename_arrive_too(self):
        with Volume() as volume:
            final = os.path.join(volume.mount, "final")
            with tempfile.NamedTemporaryFile(dir=volume.mount, delete=False) as file:
                file.write(b"first")
                os.rename(file.name, final)  # nothing was flushed yet: Python writes at close
            with open(final, "rb") as reader:
                self.assertEqual(reader.read(), b"first")

    def test_a_killed_daemon_keeps_what_the_rename_published(self):
        with Volume() as volume:
            final = os.path.join(volume.mount, "final")
            content = os.urandom(3 << 20)
            file = tempfile.NamedTemporaryFile(dir=volume.mount, delete=False)
            file.write(content)
            file.flush()
            os.rename(file.name, final)
            volume.kill()
            try:
                file.close()
            except OSError:
                pass  # the daemon is dead
            volume.up()
            with open(final, "rb") as reader:
                self.assertEqual(reader.read(), content)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
