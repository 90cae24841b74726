#pragma once

#include <memory>
#include <vector>

#include "base/mutex.h"

namespace weir::vfs {

/// Memory for whole chunks that is used again and again: what the system gives anew it fills with zeros first. Keeps as
/// many as were out at once, until clear(). Thread-safe; never blocks on anything but memory.
class ChunkBuffers {
 public:
  using Buffer = std::unique_ptr<char[]>;

  /// limits::kChunkBytes, not zeroed.
  Buffer take();
  void give_back(Buffer buffer);
  /// Gives the system what nobody uses.
  void clear();

 private:
  Mutex mutex_;
  std::vector<Buffer> idle_ GUARDED_BY(mutex_);
};

}  // namespace weir::vfs
