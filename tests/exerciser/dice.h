#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>

namespace weir::exerciser {

// Random numbers that follow from a seed alone, the same on every machine (splitmix64).
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t mixed = (state_ += 0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }
  // Requires: bound > 0. A number below `bound`.
  uint64_t below(uint64_t bound) { return next() % bound; }
  bool percent(uint64_t chance) { return below(100) < chance; }

  template <class T>
  T pick(std::initializer_list<T> choices) {
    return choices.begin()[below(choices.size())];
  }

  // Bytes that are all zeros now and then, so that holes arise, and of which no two fills are alike otherwise.
  void fill(std::span<char> bytes) {
    const uint64_t tag = percent(10) ? 0 : next() | 1;
    for (size_t at = 0; at < bytes.size(); ++at) {
      bytes[at] = static_cast<char>((tag * (at / 8 + 1)) >> (at % 8 * 8));
    }
  }

 private:
  uint64_t state_;
};

}  // namespace weir::exerciser
