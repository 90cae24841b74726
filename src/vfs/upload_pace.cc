#include "vfs/upload_pace.h"

#include <algorithm>

namespace weir::vfs {

namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kLookAgainMs = 50;

}  // namespace

bool UploadPace::begin(uint64_t bytes) {
  MutexLock lock(mutex_);
  while (!stopped_ && in_hand_ > 0 && in_hand_ + bytes > memory_bytes_) changed_.wait(mutex_);
  if (stopped_) return false;
  in_hand_ += bytes;
  if (limit_ == 0) return true;
  const int64_t turn_ns = std::max(next_ns_, clock_.monotonic_ns());
  next_ns_ = turn_ns + static_cast<int64_t>(static_cast<double>(bytes) / static_cast<double>(limit_) * kNsPerSecond);
  while (!stopped_) {
    const int64_t left_ms = (turn_ns - clock_.monotonic_ns()) / kNsPerMs;
    if (left_ms <= 0) return true;
    changed_.wait_for_ms(mutex_, std::min(left_ms, kLookAgainMs));
  }
  in_hand_ -= bytes;
  return false;
}

void UploadPace::end(uint64_t bytes, bool sent) {
  {
    MutexLock lock(mutex_);
    in_hand_ -= bytes;
    if (sent) {
      const int64_t now = clock_.monotonic_ns() / kNsPerSecond;
      Second& second = sent_[static_cast<size_t>(now) % kSeconds];
      if (second.number != now) second = {now, 0};
      second.bytes += bytes;
    }
  }
  changed_.notify_all();
}

void UploadPace::stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
}

uint64_t UploadPace::bytes_per_second() const {
  MutexLock lock(mutex_);
  const int64_t now = clock_.monotonic_ns() / kNsPerSecond;
  uint64_t bytes = 0;
  int64_t first = now;
  // The second that is under way would make every rate look low.
  for (const Second& second : sent_) {
    if (second.number < 0 || second.number >= now || second.number < now - static_cast<int64_t>(kSeconds) + 1) continue;
    bytes += second.bytes;
    first = std::min(first, second.number);
  }
  return first == now ? 0 : bytes / static_cast<uint64_t>(now - first);
}

}  // namespace weir::vfs
