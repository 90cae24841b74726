#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cache/database.h"
#include "cache/records.h"

namespace weir::cache {

/// A chunk of an image: its number and its id.
using IndexedChunk = std::pair<uint32_t, ChunkId>;

/// Where a chunk's bytes lie.
struct ChunkPlace {
  ManifestId image;
  uint32_t index = 0;
};

/// What the disposable database says about images. Thread-safe for different images; for one image the caller orders
/// calls. Calls block on the disk. Nothing here survives power loss for certain.
class Index {
 public:
  explicit Index(Database& database) : database_(database) {}

  Result<std::optional<ImageRow>> find(const ManifestId& id);
  /// Replaces the row and adds `chunks` to the chunk map, in one step.
  Status save(const ManifestId& id, const ImageRow& row, const std::vector<IndexedChunk>& chunks);
  /// With its chunks in the chunk map. Absence is fine.
  Status erase(const ManifestId& id);
  /// Copies of a chunk that the map knows of, limits::kCacheChunkPlaces at most.
  Result<std::vector<ChunkPlace>> places(const ChunkId& id);
  Status for_each(const std::function<void(const ManifestId& id, const ImageRow& row)>& visit);

  /// True once in the life of a database, and never again after this call. Corrupt when it has another format.
  Result<bool> is_new();
  /// True once after a clean end; what is true then is forgotten at once, so that a crash leaves false.
  Result<bool> take_clean_mark(uint64_t& small_contents, uint64_t& small_bytes);
  Status put_clean_mark(uint64_t small_contents, uint64_t small_bytes);

 private:
  Database& database_;
};

}  // namespace weir::cache
