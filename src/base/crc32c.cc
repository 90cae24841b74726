#include "base/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace weir {

uint32_t crc32c(std::string_view bytes, uint32_t seed) {
  // ISA-L takes an int as length and neither inverts before nor after.
  uint32_t sum = ~seed;
  auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
  for (size_t done = 0; done < bytes.size();) {
    size_t piece = std::min<size_t>(bytes.size() - done, 1 << 30);
    sum = crc32_iscsi(data + done, static_cast<int>(piece), sum);
    done += piece;
  }
  return ~sum;
}

}  // namespace weir
