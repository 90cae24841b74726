"""Trees that people copy arrive as they were: cp, rsync and tar, compared with the same on the disk."""

import os

from harness import SystemTest, Volume, main, run

TREE = os.environ.get("WEIR_TEST_TREE", "/usr/include")


class CopyTrees(SystemTest):
    def test_cp_archive_of_many_small_files(self):
        with Volume() as volume:
            for top in (volume.mount, volume.plain):
                run("cp", "-a", TREE, top)
            self.assert_same_tree(volume.mount, volume.plain)
            run("diff", "-r", "--no-dereference", TREE, os.path.join(volume.mount, os.path.basename(TREE)))
            volume.umount()
            volume.fsck()
            volume.up()
            self.assert_same_tree(volume.mount, volume.plain)

    def test_second_rsync_has_nothing_to_do(self):
        with Volume() as volume:
            source = make_tree(os.path.join(volume.plain, "source"))
            for _ in range(2):
                done = run("rsync", "-aHAX", "--delete", "--itemize-changes", source + "/", volume.mount + "/copy/")
            self.assertEqual(done.stdout, "")
            self.assert_same_tree(source, os.path.join(volume.mount, "copy"))
            os.unlink(os.path.join(source, "plain.txt"))
            done = run("rsync", "-aHAX", "--delete", "--itemize-changes", source + "/", volume.mount + "/copy/")
            self.assertIn("*deleting", done.stdout)
            self.assert_same_tree(source, os.path.join(volume.mount, "copy"))

    def test_tar_keeps_hard_links_and_symlinks(self):
        with Volume() as volume:
            source = make_tree(os.path.join(volume.plain, "source"))
            archive = os.path.join(volume.plain, "tree.tar")
            flags = ("--acls", "--xattrs", "--sparse")
            run("tar", *flags, "-C", source, "-cf", archive, ".")
            out = os.path.join(volume.mount, "out")
            os.mkdir(out)
            run("tar", *flags, "-C", out, "-xpf", archive)
            self.assert_same_tree(source, out)
            again = os.path.join(volume.mount, "again.tar")
            run("tar", *flags, "-C", out, "-cf", again, ".")
            back = os.path.join(volume.plain, "back")
            os.mkdir(back)
            run("tar", *flags, "-C", back, "-xpf", again)
            self.assert_same_tree(source, back)


def make_tree(top):
    """A tree with everything that copying programs stumble over."""
    os.makedirs(os.path.join(top, "deep/er/still"))
    for name, size in (("plain.txt", 100), ("deep/one.bin", 70_000), ("deep/er/big.bin", 9_000_000), ("empty", 0)):
        with open(os.path.join(top, name), "wb") as file:
            file.write(os.urandom(size))
    os.link(os.path.join(top, "plain.txt"), os.path.join(top, "deep/er/hard link"))
    os.link(os.path.join(top, "deep/er/big.bin"), os.path.join(top, "deep/er/still/big too"))
    os.symlink("../plain.txt", os.path.join(top, "deep/soft"))
    os.symlink("/nowhere/at all", os.path.join(top, "dangling"))
    with open(os.path.join(top, "holes"), "wb") as file:
        file.seek(50 << 20)
        file.write(b"end")
        file.truncate(60 << 20)
    os.chmod(os.path.join(top, "deep/one.bin"), 0o4711)
    os.chmod(os.path.join(top, "deep"), 0o2775)
    os.chmod(os.path.join(top, "deep/er"), 0o1777)
    os.chown(os.path.join(top, "empty"), 1234, 4321)
    os.mkfifo(os.path.join(top, "pipe"))
    os.setxattr(os.path.join(top, "plain.txt"), "user.note", b"a value\0with a zero")
    run("setfacl", "-m", "u:1234:rw,g:4321:r", os.path.join(top, "plain.txt"))
    run("setfacl", "-d", "-m", "u:1234:rwx", os.path.join(top, "deep"))
    for name in ("ünïcode ☃", "new\nline", " leading", "x" * 255):
        with open(os.path.join(top, name), "w", encoding="utf-8") as file:
            file.write(name)
    for directory, subdirectories, files in os.walk(top):
        for name in subdirectories + files:
            os.utime(os.path.join(directory, name), ns=(1_500_000_000_123_456_789,) * 2, follow_symlinks=False)
    return top


if __name__ == "__main__":
    main()
