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
  std::optional<ChunkSums> find(const ChunkId& id);
  void put(const ChunkId& id, ChunkSums sums);
  void erase(const ChunkId& id);

 private:
  using Entries = std::list<std::pair<ChunkId, ChunkSums>>;

  const size_t entries_max_;
  Mutex mutex_;
  Entries entries_ GUARDED_BY(mutex_);  // the one used last in front
  std::unordered_map<ChunkId, Entries::iterator> places_ GUARDED_BY(mutex_);
};

}  // namespace weir::cluster
