"""Sequences of calls, found by the exerciser, after which a mount was not like a plain disk."""

import os

from harness import SystemTest, Volume, main


class LikeADisk(SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.volume = Volume()
        cls.volume.up()

    @classmethod
    def tearDownClass(cls):
        cls.volume.__exit__()

    def test_opening_read_only_with_truncation_truncates(self):
        """The old content stayed: O_RDONLY|O_TRUNC was ignored."""

        def sizes(top):
            path = os.path.join(top, "truncated")
            with open(path, "wb") as file:
                file.write(b"old content")
            reader = os.open(path, os.O_RDONLY | os.O_TRUNC)
            content = os.read(reader, 100)
            os.close(reader)
            return content, os.path.getsize(path)

        self.assertEqual(*self.in_both(self.volume, sizes))


if __name__ == "__main__":
    main()
