#pragma once

#include <thread>

#include "base/mutex.h"
#include "base/result.h"

namespace weir::vfs {

class Core;
struct File;

/// What must happen now and then: barriers, publishing again what failed, the collector, memory.
class Janitor {
 public:
  explicit Janitor(Core& core);
  ~Janitor();
  /// Publishes again what waits for that, soon. Never blocks.
  void wake();

 private:
  void run();
  void make_durable();
  void publish_again();
  /// Other nodes shall not wait long for what was set on a file that somebody writes on and on.
  void commit_attributes();
  Status settle(File& file);
  void look_at_foreign();
  void collect();

  Core& core_;
  uint64_t publications_synced_ = 0;
  int64_t last_collect_ns_ = 0;
  int64_t last_look_ns_ = 0;
  Mutex mutex_;
  ConditionVariable changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool woken_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace weir::vfs
