#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// CRC-32C of each 64 KiB of a chunk, which travel with it (docs/peers.md, "Chunks"). Pure functions.
namespace weir::cluster {

using ChunkSums = std::vector<uint32_t>;

ChunkSums sums_of(std::string_view bytes);
/// As the header has them.
std::string sums_text(const ChunkSums& sums);
/// `text` has the sums of these bytes, and nothing else.
bool sums_match(std::string_view text, std::string_view bytes);

}  // namespace weir::cluster
