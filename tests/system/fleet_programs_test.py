"""Programs on two nodes work in one tree: git and pip. WEIR_TEST_GIT_COMMITS is the number of commits a node."""

import concurrent.futures
import os
import time
import zipfile

import harness
from fleet import Fleet, FleetTest, write

COMMITS = int(os.environ.get("WEIR_TEST_GIT_COMMITS", "4"))
PACKAGE_FILES = 80
# git takes a file whose size differs from its index for changed, and sizes may be as old as their lifetime.
ATTRIBUTES_S = 1.2
IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "safe.directory=*", "-c", "protocol.file.allow=always")


def git(node, *arguments, directory, check=True):
    return node.run("git", *IDENTITY, "-C", node.path(directory), *arguments, check=check)


class Git(FleetTest):
    def test_two_nodes_push_to_one_repository(self):
        with Fleet(2) as fleet:
            a, _ = fleet.nodes
            a.run("git", *IDENTITY, "init", "-q", "--bare", "-b", "main", a.path("origin.git"))
            self.first_commit(a)
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                list(pool.map(self.commit_and_push, fleet.nodes))
            for node in fleet.nodes:
                git(node, "fsck", "--full", "--strict", directory="origin.git")
                log = git(node, "log", "--format=%s", "main", directory="origin.git").stdout.split()
                self.assertEqual(sorted(log), sorted(["first"] + [f"{n.name}-{i}" for n in fleet.nodes for i in range(COMMITS)]))
            fleet.umount()
            fleet.fsck()

    def first_commit(self, node):
        node.run("git", *IDENTITY, "clone", "-q", node.path("origin.git"), node.path("first"))
        write(node.path("first", "README"), b"hello\n")
        git(node, "add", ".", directory="first")
        git(node, "commit", "-qm", "first", directory="first")
        git(node, "push", "-q", "origin", "HEAD:main", directory="first")

    def commit_and_push(self, node):
        clone = f"clone-{node.name}"
        node.run("git", *IDENTITY, "clone", "-q", "-b", "main", node.path("origin.git"), node.path(clone))
        for number in range(COMMITS):
            name = f"{node.name}-{number}"
            write(node.path(clone, name), name.encode() * 1000)
            git(node, "add", ".", directory=clone)
            git(node, "commit", "-qm", name, directory=clone)
            for _ in range(50):  # the other one was faster
                if git(node, "push", "-q", "origin", "HEAD:main", directory=clone, check=False).returncode == 0:
                    break
                git(node, "pull", "-q", "--rebase", "origin", "main", directory=clone)
            else:
                self.fail(f"{name} could not be pushed")

    def test_two_nodes_take_turns_in_one_working_tree(self):
        with Fleet(2) as fleet:
            a, _ = fleet.nodes
            a.run("git", *IDENTITY, "init", "-q", "-b", "main", a.path("tree"))
            for number in range(2 * COMMITS):
                node, other = fleet.nodes[number % 2], fleet.nodes[(number + 1) % 2]
                write(node.path("tree", f"file-{number % 3}"), f"{number}\n".encode() * (number + 1))
                git(node, "add", ".", directory="tree")
                git(node, "commit", "-qm", f"change-{number}", directory="tree")
                time.sleep(ATTRIBUTES_S)
                self.assertEqual(git(other, "status", "--porcelain", directory="tree").stdout, "", f"after {number}")
            git(a, "fsck", "--full", "--strict", directory="tree")
            self.assertEqual(len(git(a, "log", "--format=%s", directory="tree").stdout.split()), 2 * COMMITS)


def make_wheel(directory, name):
    """A package of many modules."""
    path = os.path.join(directory, f"{name}-1.0-py3-none-any.whl")
    info = f"{name}-1.0.dist-info"
    files = {f"{name}/__init__.py": "from .module_0 import VALUE\n",
             **{f"{name}/module_{number}.py": f"VALUE = '{name}'\n" + "# filler\n" * number * 20 for number in range(PACKAGE_FILES)},
             f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    files[f"{info}/RECORD"] = "".join(f"{each},,\n" for each in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for each, text in files.items():
            wheel.writestr(each, text)
    return path


class Pip(FleetTest):
    def test_two_nodes_install_into_one_environment(self):
        with Fleet(2) as fleet:
            a, b = fleet.nodes
            a.run("/usr/bin/python3", "-m", "venv", a.path("venv"))
            wheels = {node: make_wheel(fleet.root, f"greeting_{node.name}") for node in fleet.nodes}
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda node: node.run(node.path("venv/bin/python"), "-m", "pip", "install", "-q", "--no-index",
                                                    wheels[node]), fleet.nodes))
            for node in fleet.nodes:
                done = node.run(node.path("venv/bin/python"), "-c",
                                "import greeting_a, greeting_b; print(greeting_a.VALUE, greeting_b.VALUE)")
                self.assertEqual(done.stdout, "greeting_a greeting_b\n", node)
                node.run(node.path("venv/bin/python"), "-m", "pip", "check")
            b.run(b.path("venv/bin/python"), "-m", "pip", "uninstall", "-q", "-y", "greeting_a")
            failed = a.run(a.path("venv/bin/python"), "-c", "import greeting_a", check=False)
            self.assertIn("ModuleNotFoundError", failed.stderr)
            fleet.umount()
            fleet.fsck()


if __name__ == "__main__":
    harness.main()
