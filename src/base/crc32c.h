#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) by ISA-L. crc32c("123456789") is 0xe3069283.
/// `seed` is the result for the bytes before, so that a long message can be summed in pieces.
uint32_t crc32c(std::string_view bytes, uint32_t seed = 0);

}  // namespace weir
