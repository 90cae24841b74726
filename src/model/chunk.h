#pragma once

#include <string>
#include <string_view>

#include "base/limits.h"
#include "model/ids.h"

namespace weir {

/// Number of chunks of a content of `size` bytes.
constexpr uint64_t chunk_count(uint64_t size) { return (size + limits::kChunkBytes - 1) / limits::kChunkBytes; }
constexpr uint64_t chunk_index(uint64_t offset) { return offset / limits::kChunkBytes; }
constexpr uint64_t chunk_offset(uint64_t index) { return index * limits::kChunkBytes; }
/// Length of chunk `index` of a content of `size` bytes; the last one may be short. Requires: index <
/// chunk_count(size).
constexpr uint64_t chunk_length(uint64_t size, uint64_t index) {
  uint64_t rest = size - chunk_offset(index);
  return rest < limits::kChunkBytes ? rest : limits::kChunkBytes;
}

/// The id of these bytes: the zero id when all of them are zero (a hole), else their SHA-256.
ChunkId chunk_id_of(std::string_view bytes);
bool all_zero(std::string_view bytes);

/// Name of a chunk's object in the store: "chunks/<aa>/<chunk id>.<generation>" (docs/formats.md). A name once deleted
/// is never used again, because the generation is new.
std::string chunk_object_name(const ChunkId& id, uint64_t generation);

}  // namespace weir
