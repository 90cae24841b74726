#pragma once

#include <deque>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"
#include "base/thread_pool.h"
#include "vfs/admin.h"
#include "vfs/core.h"
#include "vfs/upload_pace.h"

namespace weir::vfs {

/// A chunk of a content that is still being written.
struct EarlyChunk {
  ChunkId id;
  uint64_t offset = 0;  // in the staging file
  uint32_t length_bytes = 0;
  FileDescriptor fd;
};

/// Brings what lies in the cache's journal to the object store, oldest first, many chunks at a time, then what it was
/// offered of contents that are still being written, and notes in the metadata what is stored. Goes on after a restart
/// where it was: what an earlier life may have sent is looked up before it is sent. Thread-safe.
class Uploader {
 public:
  explicit Uploader(Core& core);
  /// Finishes the chunks in flight; the rest stays in the journal.
  ~Uploader();

  /// There is something new. Never blocks.
  void wake();
  /// This chunk will probably be published. Too many at once are passed over; of these, and of what the store
  /// does not take now, the journal speaks when they are published. Never blocks.
  void offer(EarlyChunk chunk);
  UploadStatus status() const;
  /// Blocks: until the journal is empty or the time is over. Bytes that are left.
  uint64_t drain(int64_t timeout_ms, const std::function<void(uint64_t)>& watch);

 private:
  struct Task {
    ChunkId id;
    uint64_t generation = 0;
    uint32_t length_bytes = 0;
    bool in_doubt = false;              // it may be in the store already
    bool checked_by_store = false;      // its bytes, when they arrive there
    std::optional<EarlyChunk> early{};  // where its bytes are; nothing: in the cache
    bool later = false;                 // the batch took long enough without it
    bool changed = false;               // it was early, and is another chunk by now
    Status outcome{};
  };

  void run();
  /// False when nothing could be done, and trying again at once would be in vain.
  bool upload_batch();
  std::vector<Task> tasks_of(const std::vector<cache::Unstored>& records, std::set<ChunkId>& open, Status& outcome);
  /// This condemned chunk is of no content, and will be of none unless a publish brings it: of one that died before its
  /// publish, after some of it was sent early. Requires: no publication that may bring it is open.
  bool is_given_up(const ChunkId& id);
  /// What was offered, made known to the volume.
  Status add_early(std::vector<Task>& tasks);
  /// The oldest records, as many as make a batch.
  std::vector<cache::Unstored> next_batch();
  void run_task(Task& task, int64_t last_start_ns);
  Status upload(Task& task);
  /// Whether the store finds out that bytes are not of their digest: hashing them here as well would cost most of what
  /// an upload costs. False as long as it cannot be asked.
  bool store_checks();
  /// The chunk's bytes, compared with its id unless the store does that. False: it is early, and was changed.
  Result<bool> read_bytes(const Task& task, Bytes& bytes);
  Result<bool> is_stored(const Task& task, const std::string& name);
  void note_error(const Error& error);

  Core& core_;
  UploadPace pace_;
  ThreadPool pool_;
  uint64_t first_generation_ = 0;   // those before it may be of an earlier life
  std::set<ChunkId> in_doubt_;      // an attempt failed; of the thread below, as what follows
  std::set<ChunkId> stored_early_;  // and are not published yet
  std::optional<bool> store_checks_;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  UploadStatus counters_ GUARDED_BY(mutex_);
  std::deque<EarlyChunk> offered_ GUARDED_BY(mutex_);
  bool woken_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace weir::vfs
