#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "base/mutex.h"
#include "base/result.h"

namespace weir::cache {

/// Room on the disk of the cache.
struct DiskSpace {
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;
};
/// Blocks on the disk.
Result<DiskSpace> disk_space(int fd);

/// Lets writers write as long as the reserve stays free. Looks at the disk once in limits::kCacheGrantBytes.
/// Thread-safe.
class Space {
 public:
  /// Frees up to that many bytes on the disk; returns how many.
  using MakeRoom = std::function<uint64_t(uint64_t bytes)>;

  /// Bytes that are going to be on the disk and are not yet.
  using Unwritten = std::function<uint64_t()>;

  /// `directory_fd` is borrowed. `reserve_bytes` 0: 5 % of the disk, limits::kCacheReserveBytesMax at most.
  static Result<std::unique_ptr<Space>> open(int directory_fd, uint64_t reserve_bytes, MakeRoom make_room,
                                             Unwritten unwritten);

  /// Leave to write `bytes` more, or NoSpace. May make room, and blocks then.
  Status admit(uint64_t bytes);
  /// A write met a full disk in spite of admit(): room was made, so trying once more makes sense.
  bool make_room_after_failure(uint64_t bytes);
  /// Bytes to free so that the reserve and a margin above it are free again. 0: enough is free.
  Result<uint64_t> shortage() const;

  uint64_t reserve_bytes() const { return reserve_bytes_; }
  /// 0 if the disk does not tell.
  uint64_t free_bytes() const { return look().value_or(0); }

 private:
  Space(int directory_fd, uint64_t reserve_bytes, uint64_t margin_bytes, MakeRoom make_room, Unwritten unwritten);
  Result<uint64_t> look() const;
  Status refill(uint64_t bytes);

  const int directory_fd_;
  const uint64_t reserve_bytes_;
  const uint64_t margin_bytes_;
  const MakeRoom make_room_;
  const Unwritten unwritten_;
  std::atomic<int64_t> granted_ = 0;
  Mutex refill_mutex_;
};

}  // namespace weir::cache
