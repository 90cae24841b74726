"""Every process of a machine sees every write at once, as on a local disk."""

import os
import threading

from harness import SystemTest, Volume, main


class SameNode(SystemTest):
    def test_size_is_right_after_close_whoever_looks_meanwhile(self):
        """`tail -f` stood still for ever: a look at the size while the file was closed brought the size before."""
        with Volume() as volume:
            path = os.path.join(volume.mount, "log")
            open(path, "wb").close()
            stop = threading.Event()

            def look():
                reader = os.open(path, os.O_RDONLY)
                while not stop.is_set():
                    os.fstat(reader)
                    os.stat(path)
                os.close(reader)

            lookers = [threading.Thread(target=look) for _ in range(2)]
            for looker in lookers:
                looker.start()
            try:
                for number in range(1, 1501):
                    writer = os.open(path, os.O_WRONLY | os.O_APPEND)
                    os.write(writer, b"x")
                    os.close(writer)
                    self.assertEqual(os.stat(path).st_size, number)
            finally:
                stop.set()
                for looker in lookers:
                    looker.join()


if __name__ == "__main__":
    main()
