#pragma once

#include <set>
#include <thread>

#include "base/thread_pool.h"
#include "vfs/admin.h"
#include "vfs/core.h"

namespace weir::vfs {

/// Brings what lies in the cache's journal to the object store, oldest first, several chunks at a time, and notes in
/// the metadata what is stored. Goes on after a restart where it was. Thread-safe.
class Uploader {
 public:
  explicit Uploader(Core& core);
  /// Finishes the chunks in flight; the rest stays in the journal.
  ~Uploader();

  /// There is something new. Never blocks.
  void wake();
  UploadStatus status() const;
  /// Blocks: until the journal is empty or the time is over. Bytes that are left.
  uint64_t drain(int64_t timeout_ms, const std::function<void(uint64_t)>& watch);

 private:
  struct Task {
    ChunkId id;
    ChunkRecord record;
    Status outcome;
  };

  void run();
  /// False when nothing could be done, and trying again at once would be in vain.
  bool upload_batch();
  std::vector<Task> tasks_of(const std::vector<cache::Unstored>& records, std::set<ChunkId>& open, Status& outcome);
  Status upload(const Task& task);
  void note_error(const Error& error);

  Core& core_;
  ThreadPool pool_;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  UploadStatus counters_ GUARDED_BY(mutex_);
  bool woken_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace weir::vfs
