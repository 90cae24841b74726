#include "model/chunk.h"

#include <fmt/format.h>

#include <cstring>

namespace weir {

bool all_zero(std::string_view bytes) {
  // Comparing the bytes with themselves, shifted by one, lets memcmp's vector code do the work.
  return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

ChunkId chunk_id_of(std::string_view bytes) {
  if (all_zero(bytes)) return ChunkId();
  return ChunkId(sha256(bytes));
}

std::string chunk_object_name(const ChunkId& id, uint64_t generation) {
  std::string hex = id.hex();
  return fmt::format("chunks/{}/{}.{}", hex.substr(0, 2), hex, generation);
}

}  // namespace weir
