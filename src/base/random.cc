#include "base/random.h"

#include <sys/random.h>

#include "base/check.h"

namespace weir {

std::string Random::bytes(size_t count) {
  std::string result;
  result.reserve(count + 8);
  while (result.size() < count) {
    uint64_t word = next_u64();
    result.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  result.resize(count);
  return result;
}

uint64_t SystemRandom::next_u64() {
  uint64_t word = 0;
  CHECK(getrandom(&word, sizeof word, 0) == sizeof word);
  return word;
}

uint64_t SeededRandom::next_u64() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace weir
