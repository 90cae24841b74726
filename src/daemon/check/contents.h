#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/check/objects.h"
#include "object/object_store.h"

namespace weir {

namespace cache {
class Cache;
}

/// A chunk of which something is wrong.
struct ChunkFinding {
  ChunkId id;
  ChunkRecord record;
  std::string kind;  // as meta::Problem::kind
  std::string what;
};

/// The chunk's bytes from this node's cache, checked against its id; nothing if it has none that are right.
Result<std::optional<Bytes>> cached_bytes(cache::Cache& cache, const NamedChunk& chunk);

/// Reads the objects of these chunks, several at a time, and checks them against their ids: "corrupt_object",
/// "unreadable_object". `watch` is told the number done; false: Interrupted. Blocks.
Result<std::vector<ChunkFinding>> verify_objects(object::ObjectStore& store, const std::vector<NamedChunk>& chunks,
                                                 const std::function<bool(uint64_t done)>& watch);

}  // namespace weir
