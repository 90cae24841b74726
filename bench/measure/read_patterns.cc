#include "bench/measure/read_patterns.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "base/io.h"
#include "base/random.h"
#include "bench/measure/content.h"
#include "bench/measure/stopwatch.h"

namespace weir::bench {

namespace {

constexpr size_t kPageBytes = 4096;

/// Memory for a read(2), aligned to pages as O_DIRECT wants it, and touched before the clock starts.
class Buffer {
 public:
  explicit Buffer(size_t size) : bytes_(static_cast<char*>(std::aligned_alloc(kPageBytes, size))) {
    std::fill_n(bytes_.get(), size, '\1');
  }
  char* data() { return bytes_.get(); }

 private:
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<char, Free> bytes_;
};

Status read_range(int fd, uint64_t begin, uint64_t end, uint64_t request_bytes, Buffer* buffer) {
  for (uint64_t at = begin; at < end;) {
    ASSIGN_OR_RETURN(const size_t count,
                     io::read_at(fd, buffer->data(), std::min<uint64_t>(request_bytes, end - at), at));
    if (count == 0) return error(Code::kIo, "the file ends at {} instead of {}", at, end);
    at += count;
  }
  return {};
}

/// Each thread reads its share of the file through a descriptor of its own.
Result<double> read_with(const std::string& path, uint64_t bytes, uint64_t request_bytes, int threads, int flags) {
  const auto count = static_cast<size_t>(threads);
  const uint64_t share = bytes / count / request_bytes * request_bytes;
  std::vector<Buffer> buffers;
  for (size_t index = 0; index < count; ++index) buffers.emplace_back(request_bytes);
  std::vector<Status> results(count);
  const auto read_share = [&](size_t index) -> Status {
    ASSIGN_OR_RETURN(const FileDescriptor fd, io::open_file(path, O_RDONLY | flags));
    const uint64_t end = index + 1 == count ? bytes : (index + 1) * share;
    return read_range(fd.get(), index * share, end, request_bytes, &buffers[index]);
  };

  const Stopwatch watch;
  std::vector<std::thread> others;
  for (size_t index = 1; index < count; ++index)
    others.emplace_back([&, index] { results[index] = read_share(index); });
  results[0] = read_share(0);
  for (std::thread& other : others) other.join();
  const double speed = watch.megabytes_per_second(bytes);
  for (const Status& result : results) TRY(result);
  return speed;
}

}  // namespace

Result<double> read_sequentially(const std::string& path, uint64_t bytes, uint64_t request_bytes, int threads) {
  return read_with(path, bytes, request_bytes, threads, 0);
}

Result<double> read_directly(const std::string& path, uint64_t bytes, uint64_t request_bytes, int threads) {
  return read_with(path, bytes, request_bytes, threads, O_DIRECT);
}

Result<double> read_mapped(const std::string& path, uint64_t bytes) {
  const Stopwatch watch;
  ASSIGN_OR_RETURN(const FileDescriptor fd, io::open_file(path, O_RDONLY));
  void* base = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) return errno_error(errno, "map " + path);
  const auto* pages = static_cast<const volatile char*>(base);
  for (uint64_t at = 0; at < bytes; at += kPageBytes) static_cast<void>(pages[at]);
  const double speed = watch.megabytes_per_second(bytes);
  ::munmap(base, bytes);
  return speed;
}

Result<double> read_randomly(const std::string& path, uint64_t bytes, int count) {
  SeededRandom random(SystemRandom().next_u64());
  std::vector<uint64_t> offsets;
  for (int index = 0; index < count; ++index) offsets.push_back(random.below(bytes / kPageBytes) * kPageBytes);
  Buffer buffer(kPageBytes);
  const Stopwatch watch;
  ASSIGN_OR_RETURN(const FileDescriptor fd, io::open_file(path, O_RDONLY));
  for (const uint64_t offset : offsets) TRY(read_range(fd.get(), offset, offset + kPageBytes, kPageBytes, &buffer));
  return watch.per_second(count);
}

}  // namespace weir::bench
