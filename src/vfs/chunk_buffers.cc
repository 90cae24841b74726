#include "vfs/chunk_buffers.h"

#include <algorithm>

#include "base/limits.h"

namespace weir::vfs {

ChunkBuffers::Buffer ChunkBuffers::take(uint64_t length_bytes) {
  if (length_bytes != limits::kChunkBytes) return std::make_shared<Bytes>(length_bytes, '\0');
  std::unique_ptr<Bytes> bytes;
  {
    MutexLock lock(idle_->mutex);
    if (!idle_->buffers.empty()) {
      bytes = std::move(idle_->buffers.back());
      idle_->buffers.pop_back();
    }
    idle_->fewest = std::min(idle_->fewest, idle_->buffers.size());
  }
  if (!bytes) bytes = std::make_unique<Bytes>(limits::kChunkBytes, '\0');
  return {bytes.release(), [idle = idle_](Bytes* used) {
            MutexLock lock(idle->mutex);
            idle->buffers.emplace_back(used);
          }};
}

void ChunkBuffers::trim() {
  std::vector<std::unique_ptr<Bytes>> unused;
  MutexLock lock(idle_->mutex);
  // Those at the beginning were never taken.
  const auto end = idle_->buffers.begin() + static_cast<ptrdiff_t>(idle_->fewest);
  std::move(idle_->buffers.begin(), end, std::back_inserter(unused));
  idle_->buffers.erase(idle_->buffers.begin(), end);
  idle_->fewest = idle_->buffers.size();
}

}  // namespace weir::vfs
