#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/ids.h"

namespace weir {

/// The size and the ordered chunk ids of one content. Its id is the content's identity: image name, ETag.
/// Encoding (docs/formats.md): version byte 1, u64 size, then 32 bytes a chunk.
struct Manifest {
  uint64_t size = 0;
  std::vector<ChunkId> chunks;  // chunk_count(size) of them; holes are zero ids

  Bytes encode() const;
  static Result<Manifest> decode(std::string_view bytes);
  ManifestId id() const;
  bool operator==(const Manifest&) const = default;
};

}  // namespace weir
