"""A Hugging Face cache with the shapes of real models, 1:64 in size: written, evicted, loaded by mmap and by read()."""

import hashlib
import mmap
import os
import random

from harness import SystemTest, Volume, main

SCALE = int(os.environ.get("WEIR_TEST_MODEL_SCALE", "64"))


def shapes():
    path = os.path.join(os.path.dirname(__file__), "data", "models.tsv")
    with open(path, encoding="utf-8") as file:
        for line in list(file)[1:]:
            model, name, size = line.rstrip("\n").split("\t")
            yield model, name, int(size.lstrip("~"))


def content_of(model, name, size):
    """Pieces of a file's bytes: weights that do not compress, with repeated and empty stretches between them."""
    generator = random.Random(f"{model}/{name}")
    block = generator.randbytes(1 << 20)
    done = 0
    while done < size:
        kind = generator.random()
        piece = bytes(1 << 20) if kind < 0.05 else block if kind < 0.15 else generator.randbytes(1 << 20)
        yield piece[: size - done]
        done += len(piece)


class ModelCache(SystemTest):
    def write_tree(self, top):
        """blobs/<id>, and snapshots/<revision>/<name> as symlinks to them."""
        expected = {}
        for model, name, size in shapes():
            size = size if size < 1 << 20 else size // SCALE
            base = os.path.join(top, "hub", "models--" + model.replace("/", "--"))
            snapshot = os.path.join(base, "snapshots", "0123456789abcdef")
            link = os.path.join(snapshot, name)
            os.makedirs(os.path.dirname(link), exist_ok=True)
            os.makedirs(os.path.join(base, "blobs"), exist_ok=True)
            digest = hashlib.sha256()
            temporary = os.path.join(base, "blobs", "incomplete")
            with open(temporary, "wb") as file:
                for piece in content_of(model, name, size):
                    digest.update(piece)
                    file.write(piece)
            blob = os.path.join(base, "blobs", digest.hexdigest())
            os.rename(temporary, blob)
            os.symlink(os.path.relpath(blob, os.path.dirname(link)), link)
            expected[link] = (digest.hexdigest(), size)
        return expected

    def load_by_mmap(self, path):
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return hashlib.sha256(b"").hexdigest()
            with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
                return hashlib.sha256(mapped).hexdigest()

    def load_by_read(self, path):
        digest = hashlib.sha256()
        with open(path, "rb", buffering=0) as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
        return digest.hexdigest()

    def stat_of(self, volume, path):
        status = volume.json("stat", os.path.realpath(path))
        return status[0] if isinstance(status, list) else status.get("files", [status])[0]

    def test_written_evicted_and_loaded_again(self):
        with Volume() as volume:
            expected = self.write_tree(volume.mount)
            volume.weir("sync", volume.mount, "--to", "stored")
            biggest = max(expected, key=lambda path: expected[path][1])
            for load in (self.load_by_mmap, self.load_by_read):
                drop_kernel_caches()
                volume.weir("evict", volume.mount)
                status = self.stat_of(volume, biggest)
                self.assertFalse(status["complete"], status)
                self.assertEqual(status["state"], "stored")
                for path, (digest, _) in expected.items():
                    self.assertEqual(load(path), digest, path)
                volume.weir("warm", biggest)
                self.assertTrue(self.stat_of(volume, biggest)["complete"])
            volume.umount()
            volume.fsck()


def drop_kernel_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3")


if __name__ == "__main__":
    main()
