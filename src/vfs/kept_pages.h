#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/limits.h"
#include "base/mutex.h"
#include "vfs/types.h"

namespace weir::vfs {

/// Of files that nobody has open: which generation of the content the pages are of that the kernel may have kept by
/// their node id. Where other nodes change files, these pages are used again only for that content. Bounded; what is
/// forgotten is read again. Thread-safe; never blocks.
class KeptPages {
 public:
  void keep(KernelNode node, uint64_t generation) {
    MutexLock lock(mutex_);
    if (recent_.size() >= limits::kKeptPages / 2) {
      before_ = std::move(recent_);
      recent_.clear();
    }
    recent_[node.value] = generation;
  }
  bool are_of(KernelNode node, uint64_t generation) const {
    MutexLock lock(mutex_);
    for (const auto* map : {&recent_, &before_})
      if (auto found = map->find(node.value); found != map->end()) return found->second == generation;
    return false;
  }

 private:
  mutable Mutex mutex_;
  std::unordered_map<uint64_t, uint64_t> recent_ GUARDED_BY(mutex_);  // generations by node id
  std::unordered_map<uint64_t, uint64_t> before_ GUARDED_BY(mutex_);
};

}  // namespace weir::vfs
