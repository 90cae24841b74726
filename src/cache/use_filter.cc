#include "cache/use_filter.h"

#include <array>
#include <cstring>
#include <utility>

namespace weir::cache {

namespace {
constexpr uint32_t kBits = 1u << 22;
constexpr size_t kChunksAGeneration = 500'000;
constexpr size_t kProbes = 4;

std::array<uint32_t, kProbes> probes(const ChunkId& id) {
  std::array<uint32_t, kProbes> result;
  std::memcpy(result.data(), id.bytes().data(), sizeof result);
  for (uint32_t& probe : result) probe %= kBits;
  return result;
}
}  // namespace

UseFilter::UseFilter() {
  for (Generation* generation : {&young_, &old_}) {
    generation->once.resize(kBits / 64);
    generation->again.resize(kBits / 64);
  }
}

bool UseFilter::contains(const Bits& bits, const ChunkId& id) {
  for (uint32_t probe : probes(id))
    if ((bits[probe / 64] >> (probe % 64) & 1) == 0) return false;
  return true;
}

void UseFilter::add(Bits& bits, const ChunkId& id) {
  for (uint32_t probe : probes(id)) bits[probe / 64] |= uint64_t{1} << (probe % 64);
}

void UseFilter::touch(const ChunkId& id) {
  MutexLock lock(mutex_);
  bool young = contains(young_.once, id);
  if (young || contains(old_.once, id)) add(young_.again, id);
  if (young) return;
  if (young_.count == kChunksAGeneration) {
    std::swap(young_, old_);
    young_.once.assign(kBits / 64, 0);
    young_.again.assign(kBits / 64, 0);
    young_.count = 0;
  }
  add(young_.once, id);
  ++young_.count;
}

bool UseFilter::used_again(const ChunkId& id) const {
  MutexLock lock(mutex_);
  return contains(young_.again, id) || contains(old_.again, id);
}

}  // namespace weir::cache
