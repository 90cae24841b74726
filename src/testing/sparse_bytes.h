#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace weir::testing {

/// What a file is, as a test remembers it: a size, and bytes of which long runs of zeros cost no memory.
/// Thread rule: one thread at a time; copies are independent.
class SparseBytes {
 public:
  uint64_t size() const { return size_; }
  void write(uint64_t offset, std::string_view bytes);
  void truncate(uint64_t size);
  /// [offset, offset + length) becomes zeros, as far as it lies within the size.
  void zero(uint64_t offset, uint64_t length);
  /// Fewer than `length` bytes only at the end.
  Bytes read(uint64_t offset, uint64_t length) const;
  /// The first offset at which `bytes` differs from what is at `offset` here; UINT64_MAX when nothing does.
  uint64_t first_difference(uint64_t offset, std::string_view bytes) const;
  bool operator==(const SparseBytes& other) const;
  /// Something was written in [offset, offset + length) and not zeroed as a whole since.
  bool has_data(uint64_t offset, uint64_t length) const;

 private:
  static constexpr uint64_t kPieceBytes = 64u << 10;

  uint64_t size_ = 0;
  std::map<uint64_t, Bytes> pieces_;  // by number; an absent one is zeros, each has kPieceBytes, zeros behind the end
};

/// Bytes without order or zeros in a row: the same for the same seed, unlike those of any other.
Bytes pattern(uint64_t seed, size_t size);

}  // namespace weir::testing
