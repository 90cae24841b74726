#pragma once

#include <optional>

#include "base/mutex.h"
#include "vfs/types.h"

namespace weir::vfs {

/// What the kernel was told last of the root directory. Thread-safe; never blocks.
class LastShown {
 public:
  void set(const Attributes& attributes) {
    MutexLock lock(mutex_);
    attributes_ = attributes;
  }
  /// Empty: it has not asked yet.
  std::optional<Attributes> get() const {
    MutexLock lock(mutex_);
    return attributes_;
  }

 private:
  mutable Mutex mutex_;
  std::optional<Attributes> attributes_ GUARDED_BY(mutex_);
};

}  // namespace weir::vfs
