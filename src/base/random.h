#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace weir {

/// Randomness as the code sees it. Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next_u64() = 0;
  /// Uniform in [0, bound). Requires: bound > 0.
  uint64_t below(uint64_t bound) { return next_u64() % bound; }
  std::string bytes(size_t count);
};

/// The kernel's generator: fit for secrets and ids.
class SystemRandom : public Random {
 public:
  uint64_t next_u64() override;
};

/// splitmix64 (Steele, Lea, Flood 2014): the same sequence for the same seed, on every machine. Not for secrets.
/// Thread rule: one thread, unlike the interface in general.
class SeededRandom : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t next_u64() override;

 private:
  uint64_t state_;
};

}  // namespace weir
