#include "bench/measure/content.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/io.h"
#include "base/random.h"

namespace weir::bench {

namespace {

constexpr size_t kPageBytes = 4096;

/// Numbers that differ from one run to the next too, since a store may outlive a run.
uint64_t first_stamp() {
  SystemRandom random;
  return random.next_u64();
}

uint64_t next_stamp() {
  static std::atomic<uint64_t> stamp{first_stamp()};
  return stamp.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

Content::Content(size_t piece_bytes) : bytes_(piece_bytes) {
  SeededRandom random(next_stamp());
  for (size_t at = 0; at + sizeof(uint64_t) <= bytes_.size(); at += sizeof(uint64_t)) {
    const uint64_t value = random.next_u64();
    std::memcpy(bytes_.data() + at, &value, sizeof(value));
  }
}

std::string_view Content::next() {
  const uint64_t stamp = next_stamp();
  for (size_t at = 0; at + sizeof(stamp) <= bytes_.size(); at += kPageBytes)
    std::memcpy(bytes_.data() + at, &stamp, sizeof(stamp));
  return {bytes_.data(), bytes_.size()};
}

Status write_content(int fd, uint64_t size) {
  static Content content(kWriteBytes);
  for (uint64_t done = 0; done < size;) {
    const std::string_view piece = content.next().substr(0, std::min<uint64_t>(size - done, kWriteBytes));
    TRY(io::write_at(fd, piece, done));
    done += piece.size();
  }
  return {};
}

Status make_file(const std::string& path, uint64_t size) {
  ASSIGN_OR_RETURN(FileDescriptor fd, io::open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  TRY(write_content(fd.get(), size));
  return close_file(std::move(fd));
}

Status close_file(FileDescriptor fd) {
  if (::close(fd.release()) != 0) return errno_error(errno, "close");
  return {};
}

Status remove_path(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return errno_error(errno, "remove " + path);
  return {};
}

}  // namespace weir::bench
