#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weir {

/// SipHash-2-4 (Aumasson, Bernstein 2012) with a 128-bit key: a short hash that an adversary who does not know the key
/// cannot make collide.
uint64_t siphash(std::string_view bytes, const std::array<uint64_t, 2>& key);

}  // namespace weir
