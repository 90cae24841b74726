#pragma once

#include <atomic>
#include <optional>
#include <string_view>

#include "base/mutex.h"
#include "base/result.h"
#include "cache/database.h"
#include "cache/key_locks.h"
#include "cache/use_filter.h"
#include "model/ids.h"

namespace weir::cache {

/// Stored small content, in the disposable database. Thread-safe for different chunks; for one chunk the caller holds
/// its lock, except for get(). Calls block on the disk. What was put last may be lost with the process.
class SmallStore {
 public:
  SmallStore(Database& database, KeyLocks& locks) : database_(database), locks_(locks) {}

  /// Counts what is there.
  Status count();
  void set_counts(uint64_t contents, uint64_t bytes);

  Result<std::optional<Bytes>> get(const ChunkId& id);
  Status put(const ChunkId& id, std::string_view bytes);
  /// Absence is fine. The bytes freed.
  Result<uint64_t> erase(const ChunkId& id);
  /// A use, for eviction.
  void touch(const ChunkId& id) { uses_.touch(id); }
  /// Erases contents until `bytes` are freed: first what was not used twice lately, then all else. Bytes freed. Takes
  /// the locks of what it erases, and tells `erased`.
  Result<uint64_t> evict(uint64_t bytes, const std::function<void(const ChunkId&)>& erased);

  uint64_t contents() const { return contents_; }
  uint64_t bytes() const { return bytes_; }

 private:
  Result<uint64_t> sweep(uint64_t bytes, bool hot_too, const std::function<void(const ChunkId&)>& erased);

  Database& database_;
  KeyLocks& locks_;
  UseFilter uses_;
  std::atomic<uint64_t> contents_ = 0;
  std::atomic<uint64_t> bytes_ = 0;
  Mutex sweep_mutex_;
  Bytes hand_ GUARDED_BY(sweep_mutex_);  // key at which the next sweep goes on: ids are uniform, so this is fair
};

}  // namespace weir::cache
