#pragma once

#include <optional>
#include <vector>

#include "meta/volume.h"

/// Where the bytes of chunks are, as the metadata say. Thread rule and errors as in names.h.
namespace weir::meta {

struct ChunkPlaces {
  std::optional<ChunkRecord> record;  // none: an unknown chunk
  std::vector<NodeId> holders;        // of a chunk that is not stored, limits::kHoldersAsked at most
};

/// There is an object of it.
inline bool is_stored(const ChunkRecord& record) { return record.state == ChunkState::kStored || record.was_stored; }

/// Holders are looked for only when there is no object. They may have uploaded it since its record was read: then there
/// are none.
Result<ChunkPlaces> chunk_places(Volume& volume, const ChunkId& id);

}  // namespace weir::meta
