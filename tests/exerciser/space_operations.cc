#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "world.h"

// Sizes, holes and copies.
namespace weir::exerciser {

namespace {

timespec modified(int fd) {
  struct stat status {};
  fstat(fd, &status);
  return status.st_mtim;
}

}  // namespace

void World::truncate_handle() {
  const Handle* handle = random_handle();
  if (handle == nullptr) return;
  Content& content = *handle->content;
  const Holding holding(content);
  const uint64_t size = random_offset(content);
  begin(fmt::format("ftruncate {} to {}", describe(*handle), size));
  const Pair pair =
      both([&](int side) { return ftruncate(handle->fds[static_cast<size_t>(side)], static_cast<off_t>(size)); });
  compare(pair);
  if (pair.ok()) content.resize(size);
}

void World::truncate_path() {
  const std::string name = random_file_name();
  Known* known = known_at(name, true);
  const uint64_t size = known != nullptr ? random_offset(*known->content) : 0;
  begin(fmt::format("truncate {} to {}", name, size));
  const Pair pair = both([&](int side) { return truncate(path(side, name).c_str(), static_cast<off_t>(size)); });
  compare(pair);
  if (pair.ok() && known != nullptr) known->content->resize(size);
}

void World::allocate() {
  const Handle* handle = random_handle();
  if (handle == nullptr) return;
  Content& content = *handle->content;
  const Holding holding(content);
  const Range range = random_range(content, dice_.percent(30));
  const int mode = dice_.pick({0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                               FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
                               FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE});
  begin(fmt::format("fallocate {} mode {:#x} at {} for {}", describe(*handle), mode, range.offset, range.length));
  const timespec before = modified(handle->fds[kPlain]);
  const Pair pair = both([&](int side) {
    return fallocate(handle->fds[static_cast<size_t>(side)], mode, static_cast<off_t>(range.offset),
                     static_cast<off_t>(range.length));
  });
  compare(pair);
  if (!pair.ok()) return;
  // That ext4 of older kernels leaves the times is no measure: 5.15 always, 6.1 at a hole behind the end.
  const timespec after = modified(handle->fds[kPlain]);
  if (after.tv_sec == before.tv_sec && after.tv_nsec == before.tv_nsec) {
    for (const int fd : handle->fds) expect(futimens(fd, nullptr) == 0, "futimens after fallocate fails");
  }
  if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0) content.zero(range.offset, range.length);
  if ((mode & FALLOC_FL_KEEP_SIZE) == 0) content.grow(range.offset + range.length);
}

void World::seek_hole_or_data() {
  const Handle* handle = random_handle();
  if (handle == nullptr) return;
  const Holding holding(*handle->content);
  const bool hole = dice_.percent(50);
  const uint64_t offset = random_offset(*handle->content);
  std::array<off_t, 2> before{};
  for (const int side : {kWeir, kPlain}) {
    before[static_cast<size_t>(side)] = lseek(handle->fds[static_cast<size_t>(side)], 0, SEEK_CUR);
  }
  // The kernel asks Weir, and does not write back first what was stored through mappings (docs/consistency.md).
  if (!handle->content->times_known()) {
    const Outcome synced = when_there_is_room([&] { return Outcome::of(fsync(handle->fds[kWeir])); });
    expect(synced.ok(), "fsync before a seek fails");
  }
  begin(fmt::format("seek {} {} from {}", describe(*handle), hole ? "HOLE" : "DATA", offset));
  const Pair pair = both([&](int side) {
    return lseek(handle->fds[static_cast<size_t>(side)], static_cast<off_t>(offset), hole ? SEEK_HOLE : SEEK_DATA);
  });
  end(pair);
  compare_seek(*handle->content, offset, hole, pair);
  // Where the two found something differs, so the position is put back.
  for (const int side : {kWeir, kPlain}) {
    lseek(handle->fds[static_cast<size_t>(side)], before[static_cast<size_t>(side)], SEEK_SET);
  }
}

// How small a hole is seen is the filesystem's choice; that all bytes outside of data are zero is not.
void World::compare_seek(const Content& content, uint64_t offset, bool hole, const Pair& pair) {
  const std::string both_results = "Weir returns " + pair.weir.text() + ", the plain disk " + pair.plain.text();
  const uint64_t size = content.size();
  if (offset >= size) return expect(pair.weir.error == ENXIO && pair.plain.error == ENXIO, both_results);
  if (!pair.weir.ok()) {
    return expect(!hole && pair.weir.error == ENXIO && content.is_zero(offset, size), both_results);
  }
  const auto place = static_cast<uint64_t>(pair.weir.value);
  expect(place >= offset && place <= size && (hole || place < size), both_results);
  if (!hole) expect(content.is_zero(offset, place), "data was passed over: " + both_results);
}

void World::copy_range() {
  Handle* from = random_handle();
  Handle* to = random_handle();
  if (from == nullptr || from->content == to->content || from->content->shared() || to->content->shared()) return;
  // The disk refuses such copies unless all is aligned.
  if (from->direct() || to->direct()) return;
  const Range range = random_range(*from->content, false);
  const uint64_t target = random_offset(*to->content);
  const uint64_t length = std::min(range.length, to->content->bytes_max() - target);
  begin(fmt::format("copy_file_range {} at {} to {} at {} for {}", describe(*from), range.offset, describe(*to), target,
                    length));
  const Pair pair = both([&](int side) -> int64_t {
    const auto index = static_cast<size_t>(side);
    auto in = static_cast<off_t>(range.offset);
    auto out = static_cast<off_t>(target);
    uint64_t done = 0;
    while (done < length) {
      const ssize_t count = copy_file_range(from->fds[index], &in, to->fds[index], &out, length - done, 0);
      if (count < 0) return -1;
      if (count == 0) break;
      done += static_cast<uint64_t>(count);
    }
    return static_cast<int64_t>(done);
  });
  compare(pair);
  if (pair.ok() && pair.weir.value > 0)
    to->content->write(target, from->content->read(range.offset, static_cast<uint64_t>(pair.weir.value)));
}

}  // namespace weir::exerciser
