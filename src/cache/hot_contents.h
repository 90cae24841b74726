#pragma once

#include <list>
#include <memory>
#include <unordered_map>
#include <utility>

#include "base/bytes.h"
#include "base/mutex.h"
#include "model/ids.h"

namespace weir::cache {

/// The small contents used last, in memory: at most limits::kCacheHotSmallBytes. Thread-safe; never blocks on the disk.
class HotContents {
 public:
  /// Nothing when it is not here.
  std::shared_ptr<const Bytes> get(const ChunkId& id);
  void put(const ChunkId& id, std::shared_ptr<const Bytes> bytes);
  void erase(const ChunkId& id);

 private:
  using Item = std::pair<ChunkId, std::shared_ptr<const Bytes>>;
  Mutex mutex_;
  std::list<Item> items_ GUARDED_BY(mutex_);  // used last in front
  std::unordered_map<ChunkId, std::list<Item>::iterator> places_ GUARDED_BY(mutex_);
  size_t bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace weir::cache
