#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"
#include "base/mutex.h"

namespace weir::vfs {

/// How much the uploader has in memory at once, and how fast it goes. Thread-safe.
class UploadPace {
 public:
  /// `bytes_per_second` 0: as fast as it goes. Requires: `clock` outlives this.
  UploadPace(Clock& clock, uint64_t memory_bytes, uint64_t bytes_per_second)
      : clock_(clock), memory_bytes_(memory_bytes), limit_(bytes_per_second) {}

  /// Blocks: until so many bytes more may be in memory and on their way. False: stop() was called. More than all the
  /// memory is let through alone. end() follows when it was true.
  bool begin(uint64_t bytes);
  void end(uint64_t bytes, bool sent);
  /// begin() does not wait any more.
  void stop();

  /// Bytes sent a second, lately.
  uint64_t bytes_per_second() const;

 private:
  static constexpr size_t kSeconds = 10;
  struct Second {
    int64_t number = -1;
    uint64_t bytes = 0;
  };

  Clock& clock_;
  const uint64_t memory_bytes_;
  const uint64_t limit_;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  uint64_t in_hand_ GUARDED_BY(mutex_) = 0;
  int64_t next_ns_ GUARDED_BY(mutex_) = 0;
  bool stopped_ GUARDED_BY(mutex_) = false;
  std::array<Second, kSeconds> sent_ GUARDED_BY(mutex_);
};

}  // namespace weir::vfs
