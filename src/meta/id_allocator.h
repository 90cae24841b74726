#pragma once

#include <cstdint>

#include "base/mutex.h"
#include "base/result.h"
#include "meta/keys.h"

namespace weir::meta {

class Volume;

/// Hands out numbers that no node of the volume ever got before, from ranges it takes from the `A` rows. What is left
/// of a range when the process ends is lost. Thread-safe; blocks on the engine once a range.
class IdAllocator {
 public:
  explicit IdAllocator(Volume& volume) : volume_(volume) {}
  Result<uint64_t> next(keys::CounterKind kind);

 private:
  struct Range {
    Mutex mutex;
    uint64_t next GUARDED_BY(mutex) = 0;
    uint64_t end GUARDED_BY(mutex) = 0;
  };
  Result<uint64_t> take_range(keys::CounterKind kind);

  Volume& volume_;
  Range ranges_[3];  // of counters that give ranges
};

}  // namespace weir::meta
