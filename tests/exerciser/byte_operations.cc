#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "world.h"

namespace weir::exerciser {
namespace {

// The ways of reading and writing.
enum Kind { kPlaced, kAtPosition, kVector };

std::array<iovec, 3> three_parts(char* buffer, uint64_t length) {
  const uint64_t third = length / 3;
  return {iovec{buffer, third}, iovec{buffer + third, third}, iovec{buffer + 2 * third, length - 2 * third}};
}

int64_t read_from(int fd, char* buffer, uint64_t length, uint64_t offset, int kind) {
  if (kind == kAtPosition) return ::read(fd, buffer, length);
  if (kind == kPlaced) return ::pread(fd, buffer, length, static_cast<off_t>(offset));
  const auto parts = three_parts(buffer, length);
  return ::preadv(fd, parts.data(), parts.size(), static_cast<off_t>(offset));
}

int64_t write_to(int fd, char* buffer, uint64_t length, uint64_t offset, int kind) {
  if (kind == kAtPosition) return ::write(fd, buffer, length);
  if (kind == kPlaced) return ::pwrite(fd, buffer, length, static_cast<off_t>(offset));
  const auto parts = three_parts(buffer, length);
  return ::pwritev(fd, parts.data(), parts.size(), static_cast<off_t>(offset));
}

}  // namespace

void World::read_bytes() {
  Handle* handle = random_handle();
  if (handle == nullptr) return;
  const Holding holding(*handle->content);
  const Range range = random_range(*handle->content, handle->direct());
  const int kind = handle->direct() ? kPlaced : static_cast<int>(dice_.below(3));
  uint64_t offset = range.offset;
  if (kind == kAtPosition) {
    if (dice_.percent(50)) {
      for (const int fd : handle->fds) lseek(fd, static_cast<off_t>(offset), SEEK_SET);
    }
    offset = static_cast<uint64_t>(lseek(handle->fds[kPlain], 0, SEEK_CUR));
  }
  compare_read(*handle, offset, range.length, kind);
}

void World::compare_read(Handle& handle, uint64_t offset, uint64_t length, int kind) {
  begin(fmt::format("read {} at {} for {} kind {}", describe(handle), offset, length, kind));
  const Pair pair = both([&](int side) {
    const auto index = static_cast<size_t>(side);
    return read_from(handle.fds[index], read_buffers_[index], length, offset, kind);
  });
  compare(pair);
  if (!pair.ok()) return;
  const auto count = static_cast<size_t>(pair.weir.value);
  const std::string_view right = handle.content->read(offset, length);
  expect(count == right.size(), fmt::format("{} bytes were read, the model has {}", count, right.size()));
  for (const int side : {kPlain, kWeir}) {
    const std::string_view got(read_buffers_[static_cast<size_t>(side)], count);
    if (got == right) continue;
    const auto place = std::mismatch(got.begin(), got.end(), right.begin());
    const auto wrong = offset + static_cast<uint64_t>(place.first - got.begin());
    differ(fmt::format("{} has other bytes than were written, the first at {}: {:#x} for {:#x}",
                       side == kWeir ? "Weir" : "the plain disk", wrong, *place.first & 0xff, *place.second & 0xff));
  }
}

void World::write_bytes() {
  Handle* handle = random_handle();
  if (handle == nullptr) return;
  Content& content = *handle->content;
  const Holding holding(content);
  const Range range = random_range(content, handle->direct());
  const int kind = handle->direct() ? kPlaced : static_cast<int>(dice_.below(3));
  uint64_t offset = range.offset;
  if (kind == kAtPosition) {
    for (const int fd : handle->fds) lseek(fd, static_cast<off_t>(offset), SEEK_SET);
  }
  // pwrite() appends too then, as Linux has it.
  if (handle->append()) offset = content.size();
  // The disk refuses what Weir takes.
  if (handle->direct() && offset % kPage != 0) return;
  if (offset + range.length > content.bytes_max()) return;
  write_at(*handle, offset, range.length, kind);
}

void World::write_at(Handle& handle, uint64_t offset, uint64_t length, int kind) {
  dice_.fill({write_buffer_, length});
  begin(fmt::format("write {} at {} for {} kind {}", describe(handle), offset, length, kind));
  uint64_t done = 0;
  const Pair pair = both([&](int side) -> int64_t {
    const int fd = handle.fds[static_cast<size_t>(side)];
    if (side == kPlain || !options_.wait_for_room) return write_to(fd, write_buffer_, length, offset, kind);
    // What there was room for is written, and goes on from there. To write nothing is a call too.
    do {
      const int64_t count = write_to(fd, write_buffer_ + done, length - done, offset + done, kind);
      if (count < 0) return -1;
      done += static_cast<uint64_t>(count);
    } while (done < length);
    return static_cast<int64_t>(done);
  });
  compare(pair);
  if (!pair.ok()) return;
  expect(static_cast<uint64_t>(pair.weir.value) == length, "not all was written");
  handle.content->write(offset, {write_buffer_, length});
  if (kind != kAtPosition) return;
  const Pair place = both([&](int side) { return lseek(handle.fds[static_cast<size_t>(side)], 0, SEEK_CUR); });
  expect(place.same(), "the position is " + place.weir.text() + ", on the plain disk " + place.plain.text());
}

void World::sync_handle() {
  const Handle* handle = random_handle();
  if (handle == nullptr) return;
  const Holding holding(*handle->content);
  const bool data_only = dice_.percent(50);
  begin(fmt::format("{} {}", data_only ? "fdatasync" : "fsync", describe(*handle)));
  compare(both([&](int side) {
    const int fd = handle->fds[static_cast<size_t>(side)];
    return data_only ? fdatasync(fd) : fsync(fd);
  }));
}

void World::status_of_handle() {
  const Handle* handle = random_handle();
  if (handle == nullptr) return;
  const Holding holding(*handle->content);
  std::array<struct stat, 2> status{};
  begin("fstat " + describe(*handle));
  compare(both([&](int side) {
    const auto index = static_cast<size_t>(side);
    return fstat(handle->fds[index], &status[index]);
  }));
  compare_status(status[kWeir], status[kPlain], handle->content.get());
}

}  // namespace weir::exerciser
