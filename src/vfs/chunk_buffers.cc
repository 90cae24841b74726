#include "vfs/chunk_buffers.h"

#include "base/limits.h"

namespace weir::vfs {

ChunkBuffers::Buffer ChunkBuffers::take() {
  {
    MutexLock lock(mutex_);
    if (!idle_.empty()) {
      Buffer buffer = std::move(idle_.back());
      idle_.pop_back();
      return buffer;
    }
  }
  return std::make_unique_for_overwrite<char[]>(limits::kChunkBytes);
}

void ChunkBuffers::give_back(Buffer buffer) {
  MutexLock lock(mutex_);
  idle_.push_back(std::move(buffer));
}

void ChunkBuffers::clear() {
  std::vector<Buffer> idle;
  MutexLock lock(mutex_);
  idle.swap(idle_);
}

}  // namespace weir::vfs
