#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "cache/database.h"
#include "cache/key_locks.h"
#include "cache/layout.h"
#include "cache/use_filter.h"
#include "model/ids.h"

namespace weir::cache {

/// Stored small content. Bytes lie one behind another in files of limited size, the segments; the index knows where.
/// Space comes back by removing the oldest segment, so a full disk never stands in the way of eviction. Thread-safe for
/// different chunks; for one chunk the caller holds its lock, except for get(). Calls block on the disk. Nothing here
/// survives power loss for certain; what did not is absent, because every content has a checksum.
class SmallStore {
 public:
  /// `segment_bytes_max`: size at which a segment is ended.
  SmallStore(Database& index, KeyLocks& locks, const Layout& layout, uint64_t segment_bytes_max);

  /// Finds the segments. `keep` false: the index knows nothing of them, so they are removed.
  Status open(bool keep);
  /// Counts what the index knows.
  Status count();
  void set_counts(uint64_t contents, uint64_t bytes);

  Result<std::optional<Bytes>> get(const ChunkId& id);
  /// NoSpace leaves it absent.
  Status put(const ChunkId& id, std::string_view bytes);
  /// Absence is fine. The bytes that are not used any more; the disk gets them back with the segment.
  Result<uint64_t> erase(const ChunkId& id);
  /// A use, for eviction.
  void touch(const ChunkId& id) { uses_.touch(id); }
  /// Removes the oldest segments until `bytes` are free again; what was used twice lately is moved to a new one as long
  /// as there is other content. Bytes freed. Takes the locks of what it erases, and tells `erased`.
  Result<uint64_t> evict(uint64_t bytes, const std::function<void(const ChunkId&)>& erased);

  uint64_t contents() const { return contents_; }
  uint64_t bytes() const { return bytes_; }
  /// Of the segments, with what is not used any more.
  uint64_t disk_bytes() const { return disk_bytes_; }

 private:
  struct Place;
  Result<std::optional<Place>> find(const ChunkId& id);
  Result<std::optional<Bytes>> read(const Place& place);
  Result<Place> append(std::string_view bytes) REQUIRES(mutex_);
  Status begin_segment() REQUIRES(mutex_);
  std::optional<uint32_t> oldest_segment();
  Result<uint64_t> evict_segment(uint32_t segment, bool hot_too, const std::function<void(const ChunkId&)>& erased);
  Status evict_content(const ChunkId& id, uint32_t segment, bool hot_too,
                       const std::function<void(const ChunkId&)>& erased);

  Database& index_;
  KeyLocks& locks_;
  const Layout& layout_;
  const uint64_t segment_bytes_max_;
  UseFilter uses_;
  std::atomic<uint64_t> contents_ = 0;
  std::atomic<uint64_t> bytes_ = 0;
  std::atomic<uint64_t> disk_bytes_ = 0;
  Mutex evict_mutex_;                                         // one eviction at a time; before contents' locks
  Mutex mutex_;                                               // after contents' locks
  std::map<uint32_t, uint64_t> segments_ GUARDED_BY(mutex_);  // bytes of each; the last one may be written
  FileDescriptor current_ GUARDED_BY(mutex_);                 // the last segment; none: to be begun
  uint32_t next_segment_ GUARDED_BY(mutex_) = 1;
};

}  // namespace weir::cache
