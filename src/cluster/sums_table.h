#pragma once

#include <list>
#include <optional>
#include <unordered_map>

#include "base/mutex.h"
#include "cluster/chunk_sums.h"
#include "model/ids.h"

namespace weir::cluster {

/// The sums of chunks that were sent lately, so that a chunk many ask for is read through once, and so that a disk that
/// gives other bytes later is found out. The ones used last stay. Thread-safe; never blocks.
class SumsTable {
 public:
  explicit SumsTable(size_t entries_max) : entries_max_(entries_max) {}
  /// Nothing as well if what was put is of another length: somebody was wrong about how long the chunk is.
  std::optional<ChunkSums> find(const ChunkId& id, size_t length);
  void put(const ChunkId& id, size_t length, ChunkSums sums);
  void erase(const ChunkId& id);

 private:
  struct Entry {
    ChunkId id;
    size_t length = 0;
    ChunkSums sums;
  };
  using Entries = std::list<Entry>;

  const size_t entries_max_;
  Mutex mutex_;
  Entries entries_ GUARDED_BY(mutex_);  // the one used last in front
  std::unordered_map<ChunkId, Entries::iterator> places_ GUARDED_BY(mutex_);
};

}  // namespace weir::cluster
