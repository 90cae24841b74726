#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "base/mutex.h"
#include "base/result.h"

namespace weir::cache {

/// Runs a slow action such that one run serves everybody who asked before it began. Thread-safe.
class SharedSync {
 public:
  explicit SharedSync(std::function<Status()> action) : action_(std::move(action)) {}

  /// Blocks: until a run that began after this call is over. Its outcome.
  Status run();

 private:
  const std::function<Status()> action_;
  Mutex mutex_;
  ConditionVariable finished_;
  bool running_ GUARDED_BY(mutex_) = false;
  uint64_t begun_ GUARDED_BY(mutex_) = 0;  // runs begun so far
  uint64_t ended_ GUARDED_BY(mutex_) = 0;
  // Of the last run, and the last one that failed: a waiter may wake after later runs ended.
  uint64_t last_failed_ GUARDED_BY(mutex_) = 0;
  Error failure_ GUARDED_BY(mutex_);
};

}  // namespace weir::cache
