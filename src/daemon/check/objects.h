#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "meta/volume.h"
#include "model/records.h"
#include "object/object_store.h"

namespace weir {

/// A chunk that some content names, with what the metadata says of it.
struct NamedChunk {
  ChunkId id;
  ChunkRecord record;
  std::optional<uint64_t> object_bytes;  // size of its object, if the store has it
};

/// All chunks of a volume, by id.
class NamedChunks {
 public:
  void add(const ChunkId& id, const ChunkRecord& record) { chunks_.push_back({id, record, std::nullopt}); }
  /// Requires: nothing is added afterwards.
  void sort();
  NamedChunk* find(const ChunkId& id);
  std::vector<NamedChunk>& all() { return chunks_; }

 private:
  std::vector<NamedChunk> chunks_;
};

/// What an object's name says; nothing when no chunk's object is named like that.
struct ObjectIdentity {
  ChunkId id;
  uint64_t generation = 0;
};
std::optional<ObjectIdentity> parse_chunk_object_name(std::string_view name);

/// Lists the store's chunk objects: notes sizes in `chunks`, and calls `stranger` with each object that is not that of
/// a named chunk in its present generation. `watch` is told the number of objects seen; false: Interrupted. Blocks.
Status match_objects(object::ObjectStore& store, NamedChunks& chunks,
                     const std::function<void(const object::ListedObject&, const ObjectIdentity&)>& stranger,
                     const std::function<bool(uint64_t objects, uint64_t bytes)>& watch);

/// Those of `strangers` that the metadata does not know in any way: no `C` row of that generation, and not queued for
/// deletion. Blocks.
Result<std::vector<object::ListedObject>> unknown_objects(
    meta::Volume& volume, const std::vector<std::pair<object::ListedObject, ObjectIdentity>>& strangers);

}  // namespace weir
