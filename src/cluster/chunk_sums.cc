#include "cluster/chunk_sums.h"

#include <fmt/format.h>

#include "base/crc32c.h"
#include "base/limits.h"

namespace weir::cluster {

ChunkSums sums_of(std::string_view bytes) {
  ChunkSums sums;
  sums.reserve(bytes.size() / limits::kSummedBytes + 1);
  for (size_t begin = 0; begin < bytes.size(); begin += limits::kSummedBytes)
    sums.push_back(crc32c(bytes.substr(begin, limits::kSummedBytes)));
  return sums;
}

std::string sums_text(const ChunkSums& sums) {
  std::string text;
  text.reserve(sums.size() * 8);
  for (uint32_t sum : sums) fmt::format_to(std::back_inserter(text), "{:08x}", sum);
  return text;
}

bool sums_match(std::string_view text, std::string_view bytes) { return text == sums_text(sums_of(bytes)); }

}  // namespace weir::cluster
