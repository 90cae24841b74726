"""Programs made to break filesystems, with verification: fio and stress-ng. Short here; WEIR_TEST_STRESS_SECONDS=600
for the full form."""

import os
import shutil
import subprocess
import time

from harness import SystemTest, Volume, main, run
from small_disk import Filler, SmallDiskVolume

SECONDS = float(os.environ.get("WEIR_TEST_STRESS_SECONDS", "8"))

FIO_ENGINES = {
    "mmap": ["--ioengine=mmap"],
    "sync direct": ["--ioengine=sync", "--direct=1"],
    "libaio": ["--ioengine=libaio", "--direct=1", "--iodepth=16"],
    "io_uring": ["--ioengine=io_uring", "--iodepth=16"],
    "io_uring direct": ["--ioengine=io_uring", "--direct=1", "--iodepth=16"],
}

# Those of stress-ng's filesystem class that work on files of --temp-path.
STRESSORS = """access chmod chown copy-file dentry dir dirdeep dup fallocate fcntl filename flock fsize fstat getdent hdd
    io iomix link lockf lockofd locka mknod open rename seek sendfile symlink sync-file touch utime xattr aio mmap
    metamix readahead revio""".split()
AT_ONCE = 6


def known_stressors():
    """What this version of stress-ng has: names come and go."""
    usage = run("stress-ng", "--stressors").stdout
    return [name for name in STRESSORS if name in usage.split()]


class Stress(SystemTest):
    @classmethod
    def setUpClass(cls):
        for program in ("fio", "stress-ng"):
            if shutil.which(program) is None:
                raise AssertionError(f"{program} is missing; run scripts/install-dependencies test")
        cls.volume = Volume()
        cls.volume.up()

    @classmethod
    def tearDownClass(cls):
        cls.volume.__exit__()

    def fio(self, volume, name, seconds, *options):
        directory = os.path.join(volume.mount, "fio " + name)
        os.makedirs(directory, exist_ok=True)
        rounds = 0
        end = time.monotonic() + seconds
        while rounds == 0 or time.monotonic() < end:
            for pattern, block in (("randwrite", "4k"), ("write", "128k"), ("randwrite", "64k")):
                run("fio", "--name=verify", "--directory=" + directory, "--rw=" + pattern, "--bs=" + block, "--size=4m",
                    "--numjobs=2", "--verify=crc32c", "--verify_fatal=1", "--do_verify=1", f"--randseed={rounds + 1}",
                    "--verify_state_save=0", "--group_reporting", *FIO_ENGINES[name], *options)
            rounds += 1
        shutil.rmtree(directory)

    def test_fio_reads_what_it_wrote(self):
        for name in FIO_ENGINES:
            with self.subTest(engine=name):
                self.fio(self.volume, name, SECONDS * 0.4 / len(FIO_ENGINES))

    def test_fio_reads_what_was_not_refused_while_the_disk_is_full(self):
        with SmallDiskVolume() as volume:
            with Filler(volume) as filler:
                for name in FIO_ENGINES:
                    # Of what is stored through a mapping the kernel tells only msync() that there was no room.
                    if name != "mmap":
                        with self.subTest(engine=name):
                            self.fio(volume, name, SECONDS * 0.4 / len(FIO_ENGINES), "--ignore_error=,ENOSPC",
                                     "--continue_on_error=write")
            self.assertGreater(filler.times_full, 0)
            volume.umount()
            volume.fsck()

    def test_stress_ng_finds_nothing(self):
        names = known_stressors()
        groups = [names[first : first + AT_ONCE] for first in range(0, len(names), AT_ONCE)]
        for group in groups:
            with self.subTest(stressors=group):
                self.stress(self.volume, group, max(1, round(SECONDS / len(groups))))

    def test_stress_ng_finds_nothing_but_refusals_while_the_disk_is_full(self):
        names = known_stressors()
        groups = [names[first : first + AT_ONCE] for first in range(0, len(names), AT_ONCE)]
        with SmallDiskVolume() as volume:
            with Filler(volume) as filler:
                for group in groups:
                    with self.subTest(stressors=group):
                        self.stress(volume, group, max(1, round(SECONDS / len(groups))), may_be_full=True)
            self.assertGreater(filler.times_full, 0)
            volume.umount()
            volume.fsck()

    def stress(self, volume, names, seconds, may_be_full=False):
        """One worker of each, with little to write: the machine has other tests to run."""
        directory = os.path.join(volume.mount, "stress")
        os.makedirs(directory, exist_ok=True)
        command = ["stress-ng", "--temp-path", directory, "--verify", "--timeout", f"{seconds}s", "--oomable",
                   "--hdd-bytes", "16m", "--iomix-bytes", "16m", "--fallocate-bytes", "16m", "--copy-file-bytes", "128m",
                   "--sync-file-bytes", "16m", "--seek-size", "4m", "--readahead-bytes", "16m", "--revio-bytes", "16m",
                   "--sendfile-size", "4m", "--mmap-bytes", "16m", "--mmap-file"]
        for name in names:
            command += ["--" + name, "1"]
        # Some stressors leave files in their working directory.
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds + 300,
                              cwd=volume.root, check=False)
        failed = [line for line in done.stdout.splitlines() if "fail:" in line]
        refused = [line for line in failed if may_be_full and "(No space left on device)" in line]
        self.assertEqual(failed, refused, done.stdout[-4000:])
        # 3: a stressor cannot run on this machine, and says so. 2: one failed, which was told above.
        self.assertIn(done.returncode, (0, 2, 3) if refused else (0, 3), f"{' '.join(names)}:\n{done.stdout[-4000:]}")
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
