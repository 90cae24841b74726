"""Real programs do on the mount what they do on the disk: git, a build, pip, tail."""

import os
import subprocess

from harness import SOURCE, SystemTest, Volume, main, run


class Programs(SystemTest):
    def test_git_clone_with_history_and_status(self):
        with Volume() as volume:
            def work(top):
                clone = os.path.join(top, "clone")
                run("git", "-c", "safe.directory=*", "clone", "--no-hardlinks", "-q", "file://" + SOURCE, clone)
                git = ("git", "-C", clone, "-c", "user.name=t", "-c", "user.email=t@example.org")
                run(*git, "fsck", "--full", "--strict")
                status = run(*git, "status", "--porcelain").stdout
                with open(os.path.join(clone, "README.md"), "a", encoding="utf-8") as file:
                    file.write("\none more line\n")
                changed = run(*git, "status", "--porcelain").stdout
                run(*git, "commit", "-qam", "a change")
                run(*git, "gc", "-q")
                run(*git, "checkout", "-q", "-b", "side", "HEAD~1")
                return status, changed, run(*git, "log", "--format=%T").stdout, run(*git, "status", "--porcelain").stdout

            mounted, plain = self.in_both(volume, work)
            self.assertEqual(mounted, plain)
            self.assertEqual(mounted[0], "")
            self.assertEqual(mounted[1], " M README.md\n")

    def test_building_this_project(self):
        with Volume() as volume:
            clone = os.path.join(volume.mount, "weir")
            run("git", "-c", "safe.directory=*", "clone", "-q", "file://" + SOURCE, clone)
            build = os.path.join(clone, "build", "release")
            run("cmake", "-S", clone, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release")
            target = os.environ.get("WEIR_TEST_BUILD_TARGET", "weir_base_test")
            run("cmake", "--build", build, "--target", target, timeout=3000)
            done = run(os.path.join(build, "src", "base", "weir_base_test"))
            self.assertIn("[  PASSED  ]", done.stdout)
            again = run("cmake", "--build", build, "--target", target).stdout
            self.assertIn("no work to do", again)

    def test_pip_install_into_a_venv_on_the_mount(self):
        with Volume() as volume:
            package = os.path.join(volume.plain, "package")
            os.makedirs(os.path.join(package, "greeting"))
            with open(os.path.join(package, "greeting", "__init__.py"), "w", encoding="utf-8") as file:
                file.write("def hello():\n    return 'hello from the mount'\n")
            with open(os.path.join(package, "setup.py"), "w", encoding="utf-8") as file:
                file.write("from setuptools import setup\n"
                           "setup(name='greeting', version='1.0', packages=['greeting'],\n"
                           "      entry_points={'console_scripts': ['greet=greeting:hello']})\n")
            venv = os.path.join(volume.mount, "venv")
            run("/usr/bin/python3", "-m", "venv", venv)
            pip = os.path.join(venv, "bin", "pip")
            run(os.path.join(venv, "bin", "python"), "-c", "import ensurepip")
            if run(os.path.join(venv, "bin", "python"), "-c", "import setuptools, wheel", check=False).returncode == 0:
                run(pip, "install", "--no-index", "--no-build-isolation", package)
            else:
                # Newer Pythons put no setuptools into a venv: install a wheel, which needs no building.
                run(pip, "install", "--no-index", make_wheel(volume.plain))
            done = run(os.path.join(venv, "bin", "python"), "-c", "import greeting; print(greeting.hello())")
            self.assertEqual(done.stdout, "hello from the mount\n")
            run(pip, "check")
            run(pip, "uninstall", "-y", "greeting")
            self.assertNotEqual(run(os.path.join(venv, "bin", "python"), "-c", "import greeting", check=False).returncode, 0)

    def test_tail_follows_a_log_that_is_reopened(self):
        with Volume() as volume:
            def work(top):
                log = os.path.join(top, "app.log")
                open(log, "w", encoding="utf-8").close()
                tail = subprocess.Popen(["tail", "-n", "+1", "-f", log], stdout=subprocess.PIPE, text=True)
                try:
                    seen = []
                    for number in range(20):
                        subprocess.run(["sh", "-c", f"echo line {number} >> {log}"], check=True)
                        seen.append(tail.stdout.readline())
                    return seen
                finally:
                    tail.kill()
                    tail.wait()
                    tail.stdout.close()

            mounted, plain = self.in_both(volume, work)
            self.assertEqual(mounted, plain)
            self.assertEqual(len(mounted), 20)


def make_wheel(directory):
    import zipfile

    path = os.path.join(directory, "greeting-1.0-py3-none-any.whl")
    files = {
        "greeting/__init__.py": "def hello():\n    return 'hello from the mount'\n",
        "greeting-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
        "greeting-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in files) + "greeting-1.0.dist-info/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr("greeting-1.0.dist-info/RECORD", record)
    return path


if __name__ == "__main__":
    main()
