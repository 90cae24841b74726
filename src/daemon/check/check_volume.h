#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "meta/check.h"
#include "meta/volume.h"
#include "object/object_store.h"

namespace weir {

namespace cache {
class Cache;
}

struct CheckRequest {
  bool deep = false;    // read every object and check it against its id
  bool repair = false;  // requires: not live
  bool live = false;    // the volume is in use: what looks wrong is looked at again, and reported if it stays
};

struct CheckProgress {
  std::string phase;  // "metadata", "objects", "contents"
  uint64_t done = 0;
  uint64_t total = 0;  // 0: unknown
};
/// False stops the check (Interrupted).
using CheckWatcher = std::function<bool(const CheckProgress&)>;

struct CheckResult {
  meta::CheckCounts counts;
  uint64_t objects = 0;
  uint64_t object_bytes = 0;
  uint64_t verified_objects = 0;
  uint64_t unstored_chunks = 0;
  uint64_t unstored_elsewhere = 0;  // of these, not here, but other nodes have the duty to upload them
  uint64_t problem_count = 0;
  uint64_t repaired_count = 0;
  std::vector<meta::Problem> problems;  // limits::kReportedProblems at most
};

/// Checks the metadata for itself, that every stored chunk has its object, that every other chunk has its bytes in the
/// cache, and that the store has no objects nobody knows. `cache` may be null: then chunks that are not stored cannot
/// be looked for, and count as lost only to the report. With `repair`: mends the metadata where that loses nothing,
/// puts objects again whose bytes the cache has, and removes objects that nobody knows. Errors only when the check
/// itself could not be done. Blocks. Memory: about 60 bytes a chunk.
Result<CheckResult> check_volume(meta::Volume& volume, object::ObjectStore& store, cache::Cache* cache,
                                 const CheckRequest& request, const CheckWatcher& watch);

}  // namespace weir
