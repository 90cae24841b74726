#pragma once

#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/mutex.h"

namespace weir::vfs {

/// Memory for the bytes of chunks that is used again and again: what the system gives anew it fills with zeros first.
/// Keeps as many as were out at once; trim() gives back what is not needed any more. Thread-safe; never blocks on
/// anything but memory.
class ChunkBuffers {
 public:
  using Buffer = std::shared_ptr<Bytes>;

  ChunkBuffers() : idle_(std::make_shared<Idle>()) {}

  /// With that length and whatever bytes. Requires: length_bytes <= limits::kChunkBytes. It may outlive this.
  Buffer take(uint64_t length_bytes);
  /// Frees what nobody used since the last call.
  void trim();

 private:
  struct Idle {
    Mutex mutex;
    std::vector<std::unique_ptr<Bytes>> buffers GUARDED_BY(mutex);  // the one used last is at the end
    size_t fewest GUARDED_BY(mutex) = 0;                            // since the last trim()
  };
  const std::shared_ptr<Idle> idle_;
};

}  // namespace weir::vfs
