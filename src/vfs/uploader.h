#pragma once

#include <map>
#include <set>
#include <thread>

#include "base/thread_pool.h"
#include "vfs/admin.h"
#include "vfs/core.h"
#include "vfs/upload_pace.h"

namespace weir::vfs {

/// Brings what lies in the cache's journal to the object store, oldest first, many chunks at a time, and notes in the
/// metadata what is stored. Goes on after a restart where it was: what an earlier life may have sent is looked up
/// before it is sent. Thread-safe.
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
    bool in_doubt = false;  // it may be in the store already
    bool later = false;     // the batch took long enough without it
    Status outcome;
  };

  void run();
  /// False when nothing could be done, and trying again at once would be in vain.
  bool upload_batch();
  std::vector<Task> tasks_of(const std::vector<cache::Unstored>& records, std::set<ChunkId>& open, Status& outcome);
  /// The oldest records, as many as make a batch.
  std::vector<cache::Unstored> next_batch();
  void run_task(Task& task, int64_t last_start_ns);
  Status upload(const Task& task);
  Result<bool> is_stored(const Task& task, const std::string& name);
  void note_error(const Error& error);

  Core& core_;
  UploadPace pace_;
  ThreadPool pool_;
  uint64_t inherited_sequence_ = 0;  // records up to it are of an earlier life
  std::set<ChunkId> in_doubt_;       // an attempt failed; of the thread below
  mutable Mutex mutex_;
  ConditionVariable changed_;
  UploadStatus counters_ GUARDED_BY(mutex_);
  bool woken_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace weir::vfs
