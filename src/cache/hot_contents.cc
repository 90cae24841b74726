#include "cache/hot_contents.h"

#include "base/limits.h"

namespace weir::cache {

std::shared_ptr<const Bytes> HotContents::get(const ChunkId& id) {
  MutexLock lock(mutex_);
  auto found = places_.find(id);
  if (found == places_.end()) return nullptr;
  items_.splice(items_.begin(), items_, found->second);
  return found->second->second;
}

void HotContents::put(const ChunkId& id, std::shared_ptr<const Bytes> bytes) {
  MutexLock lock(mutex_);
  if (places_.contains(id)) return;
  bytes_ += bytes->size();
  items_.emplace_front(id, std::move(bytes));
  places_[id] = items_.begin();
  while (bytes_ > limits::kCacheHotSmallBytes) {
    bytes_ -= items_.back().second->size();
    places_.erase(items_.back().first);
    items_.pop_back();
  }
}

void HotContents::erase(const ChunkId& id) {
  MutexLock lock(mutex_);
  auto found = places_.find(id);
  if (found == places_.end()) return;
  bytes_ -= found->second->second->size();
  items_.erase(found->second);
  places_.erase(found);
}

}  // namespace weir::cache
