#pragma once

#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace weir {

/// Named threads that run jobs in the order of submission, from a bounded queue (docs/threading.md lists every pool).
/// Thread-safe. The destructor runs what is queued, then joins.
class ThreadPool {
 public:
  /// Requires: name of at most 15 bytes, which is what the kernel shows of a thread's name.
  ThreadPool(std::string name, size_t threads, size_t queue_max);
  ~ThreadPool();

  /// Blocks: while the queue is full. Never call it from a job of the same pool.
  void submit(std::function<void()> job);
  /// False, and the job is not run, when the queue is full. Never blocks.
  bool try_submit(std::function<void()> job);
  /// Blocks: until the queue is empty and no job runs.
  void drain();
  /// Jobs queued or running.
  size_t pending() const;

 private:
  void run(size_t index);

  const std::string name_;
  const size_t queue_max_;
  mutable Mutex mutex_;
  ConditionVariable work_;
  ConditionVariable space_;
  std::deque<std::function<void()>> queue_ GUARDED_BY(mutex_);
  size_t running_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace weir
