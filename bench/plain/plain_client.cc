#include "bench/plain/plain_client.h"

#include <fcntl.h>

#include <atomic>
#include <functional>
#include <thread>

#include "base/clock.h"
#include "base/io.h"
#include "base/mutex.h"
#include "bench/plain/transfer.h"

namespace weir::bench {
namespace {

/// Does `work` for every index below `count`, on `parallel` threads that have a connection each, until one fails.
class Crew {
 public:
  using Work = std::function<Status(Transfer&, size_t)>;

  Crew(const PlainTarget& target, size_t count, Work work) : target_(target), count_(count), work_(std::move(work)) {}

  Status run(size_t parallel) {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < parallel; i++) threads.emplace_back([this] { work_off(); });
    for (std::thread& thread : threads) thread.join();
    MutexLock lock(mutex_);
    return outcome_;
  }

 private:
  void work_off() {
    Transfer transfer(target_);
    for (size_t index = next_++; index < count_; index = next_++) {
      if (const Status done = work_(transfer, index); !done) {
        MutexLock lock(mutex_);
        outcome_ = done;
        next_ = count_;  // the others end too
      }
    }
  }

  const PlainTarget& target_;
  const size_t count_;
  const Work work_;
  std::atomic<size_t> next_ = 0;
  Mutex mutex_;
  Status outcome_ GUARDED_BY(mutex_);
};

Result<PlainOutcome> timed(Crew& crew, size_t parallel, const std::vector<PlainObject>& objects) {
  const SystemClock clock;
  const int64_t start_ns = clock.monotonic_ns();
  TRY(crew.run(parallel));
  PlainOutcome outcome;
  outcome.elapsed_ns = clock.monotonic_ns() - start_ns;
  for (const PlainObject& object : objects) outcome.bytes += object.bytes;
  return outcome;
}

std::vector<uint64_t> offsets_of(const std::vector<PlainObject>& objects) {
  std::vector<uint64_t> offsets;
  uint64_t offset = 0;
  for (const PlainObject& object : objects) {
    offsets.push_back(offset);
    offset += object.bytes;
  }
  return offsets;
}

}  // namespace

double PlainOutcome::megabytes_per_second() const {
  return static_cast<double>(bytes) / 1e6 / (static_cast<double>(elapsed_ns) / 1e9);
}

Result<PlainOutcome> plain_get(const PlainTarget& target, const std::vector<PlainObject>& objects, size_t parallel,
                               const std::string& path) {
  ASSIGN_OR_RETURN(const FileDescriptor file, io::open_file(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC));
  const std::vector<uint64_t> offsets = offsets_of(objects);
  Crew crew(target, objects.size(), [&](Transfer& transfer, size_t index) -> Status {
    thread_local std::string body;
    Sha256Digest sha256;
    TRY(transfer.get(objects[index].key, body, sha256));
    if (body.size() != objects[index].bytes || sha256 != objects[index].sha256) {
      return error(Code::kCorrupt, "{} is not what was put there", objects[index].key);
    }
    return io::write_at(file.get(), body, offsets[index]);
  });
  return timed(crew, parallel, objects);
}

Result<PlainOutcome> plain_put(const PlainTarget& target, const std::vector<PlainObject>& objects,
                               const std::vector<std::string>& contents, size_t parallel) {
  Crew crew(target, objects.size(), [&](Transfer& transfer, size_t index) -> Status {
    return transfer.put(objects[index].key, contents[index], sha256(contents[index]));
  });
  return timed(crew, parallel, objects);
}

}  // namespace weir::bench
