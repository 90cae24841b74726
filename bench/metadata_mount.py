#!/usr/bin/env python3
"""Metadata through mounts: a volume on a PostgreSQL server of its own, with durable commits, beside the embedded engine.

    metadata_mount.py [--files N] [--quick] [--scratch DIRECTORY] [--only GROUP]...

The program is weir in WEIR_BIN, or what WEIR names. Prints a line for each measurement; rates are those of the whole."""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "servers"))
from postgresql import PostgreSql  # noqa: E402

WEIR = os.environ.get("WEIR") or os.path.join(os.environ.get("WEIR_BIN", ""), "weir")
CLIENTS = 8


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} exited {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Mount:
    def __init__(self, label, url, root):
        self.label, self.url, self.root = label, url, root
        self.top = os.path.join(root, "mount")
        os.makedirs(self.top)
        run(WEIR, "format", url, "--store", os.path.join(root, "store"))
        self.up()

    def up(self):
        run(WEIR, "mount", self.url, self.top, "--cache-dir", os.path.join(self.root, "cache"))

    def again(self):
        """Nothing is known to the kernel or the daemon any more."""
        self.down()
        self.up()

    def down(self):
        run(WEIR, "umount", self.top)

    def path(self, *parts):
        return os.path.join(self.top, *parts)


def say(what, count, seconds):
    print(f"{what:<62} {count / seconds:>8.0f}/s {1000 * seconds / count:>9.3f} ms  {seconds:>7.2f} s", flush=True)


def timed(work):
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def by_many(clients, work):
    """work(client) on as many processes, since Python's threads take turns."""
    children = []
    begun = time.monotonic()
    for client in range(clients):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                work(client)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    failed = [child for child in children if os.waitpid(child, 0)[1] != 0]
    if failed:
        sys.exit("a client failed")
    return time.monotonic() - begun


def create_some(directory, names, content=b""):
    for name in names:
        descriptor = os.open(os.path.join(directory, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        if content:
            os.write(descriptor, content)
        os.close(descriptor)


def names(count):
    return [f"file{number:07}" for number in range(count)]


def measure_creates(mount, count):
    os.mkdir(mount.path("one"))
    say(f"create, 1 client, {mount.label}", count, timed(lambda: create_some(mount.path("one"), names(count))))
    for client in range(CLIENTS):
        os.mkdir(mount.path(f"many{client}"))
    seconds = by_many(CLIENTS, lambda client: create_some(mount.path(f"many{client}"), names(count // CLIENTS)))
    say(f"create, {CLIENTS} clients, {mount.label}", count // CLIENTS * CLIENTS, seconds)
    for client in range(CLIENTS):
        os.mkdir(mount.path(f"small{client}"))
    content = os.urandom(16384)
    seconds = by_many(CLIENTS, lambda client: create_some(mount.path(f"small{client}"), names(count // CLIENTS), content))
    say(f"files of 16 KiB, {CLIENTS} clients, {mount.label}", count // CLIENTS * CLIENTS, seconds)


def measure_opens(mount, count):
    mount.again()
    top = mount.path("one")
    say(f"uncached stat, {mount.label}", count, timed(lambda: [os.stat(os.path.join(top, name)) for name in names(count)]))
    mount.again()

    def open_all():
        for name in names(count):
            os.close(os.open(os.path.join(top, name), os.O_RDONLY))
    say(f"uncached open, {mount.label}", count, timed(open_all))


def measure_untar(mount, count):
    archive = os.path.join(mount.root, "archive.tar")
    with tempfile.TemporaryDirectory(dir=mount.root) as source:
        create_some(source, names(count), os.urandom(4096))
        with tarfile.open(archive, "w") as tar:
            tar.add(source, "tree")
    seconds = timed(lambda: run("tar", "-xf", archive, "-C", mount.top))
    say(f"untar of files of 4 KiB, {mount.label}", count, seconds)


def measure_lists(mount, count):
    mount.again()
    found = []
    say(f"ls of a directory, {mount.label}", count, timed(lambda: found.extend(os.listdir(mount.path("tree")))))
    if len(found) != count:
        sys.exit(f"{len(found)} names of {count}")
    mount.again()
    say(f"ls -l of a directory, {mount.label}", count, timed(lambda: run("ls", "-l", mount.path("tree"))))


def measure_removal(mount, count):
    say(f"rm -r, 1 client, {mount.label}", count, timed(lambda: run("rm", "-r", mount.path("tree"))))
    per_client = count // CLIENTS
    seconds = by_many(CLIENTS, lambda client: run("rm", "-r", mount.path(f"many{client}"), mount.path(f"small{client}")))
    say(f"rm -r, {CLIENTS} clients, {mount.label}", 2 * CLIENTS * per_client, seconds)


GROUPS = {"create": measure_creates, "open": measure_opens, "untar": measure_untar, "list": measure_lists,
          "remove": measure_removal}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000, help="of each measurement")
    parser.add_argument("--scratch", default="/var/tmp")
    parser.add_argument("--only", action="append", choices=GROUPS, help="these groups; later ones need earlier ones")
    parser.add_argument("--quick", action="store_true", help="shows that it works, not how fast")
    options = parser.parse_args()
    if options.quick:
        options.files = 200
    root = tempfile.mkdtemp(prefix="weir-metadata-mount-", dir=options.scratch)
    os.chmod(root, 0o755)
    try:
        with PostgreSql(settings={"fsync": "on", "shared_buffers": "256MB"}, scratch=root) as database:
            for label, url in (("PostgreSQL", database.url()), ("embedded", os.path.join(root, "meta"))):
                mount = Mount(label, url, os.path.join(root, label))
                try:
                    for name, measure in GROUPS.items():
                        if not options.only or name in options.only:
                            measure(mount, options.files)
                finally:
                    mount.down()
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
