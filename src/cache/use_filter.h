#pragma once

#include <cstdint>
#include <vector>

#include "base/mutex.h"
#include "model/ids.h"

namespace weir::cache {

/// Remembers, in a fixed amount of memory, which of any number of chunks were used lately, and which of them more than
/// once. May take an unused chunk for a used one (about 2 %), never the reverse. Thread-safe.
class UseFilter {
 public:
  UseFilter();

  void touch(const ChunkId& id);
  bool used_again(const ChunkId& id) const;

 private:
  using Bits = std::vector<uint64_t>;
  // Two generations: the older one is dropped when the younger one is full.
  struct Generation {
    Bits once;
    Bits again;
    size_t count = 0;
  };
  static bool contains(const Bits& bits, const ChunkId& id);
  static void add(Bits& bits, const ChunkId& id);

  mutable Mutex mutex_;
  Generation young_ GUARDED_BY(mutex_);
  Generation old_ GUARDED_BY(mutex_);
};

}  // namespace weir::cache
