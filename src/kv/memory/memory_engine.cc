#include "kv/memory/memory_engine.h"

#include "kv/memory/memory_store.h"

namespace weir::kv {

MemoryEngine::MemoryEngine(bool shared) : shared_(shared), disk_(std::make_shared<MemoryDisk>()) { reopen(); }

MemoryEngine::~MemoryEngine() = default;

void MemoryEngine::crash(bool lose_since_barrier) {
  MutexLock lock(disk_->mutex);
  disk_->life = 0;
  if (!lose_since_barrier) return;
  for (auto& [key, value] : disk_->synced) {
    if (value)
      disk_->values.insert_or_assign(key, std::move(*value));
    else
      disk_->values.erase(key);
  }
  disk_->synced.clear();
}

void MemoryEngine::reopen() {
  MutexLock lock(mutex_);
  const uint64_t life = lives_.size() + 1;
  lives_.push_back(
      std::make_unique<LocalEngine>(std::make_unique<MemoryStore>(disk_, life), Capabilities{}, "memory:"));
  MutexLock disk_lock(disk_->mutex);
  disk_->life = life;
}

LocalEngine& MemoryEngine::current() {
  MutexLock lock(mutex_);
  return *lives_.back();
}

}  // namespace weir::kv
