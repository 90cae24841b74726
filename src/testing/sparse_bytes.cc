#include "testing/sparse_bytes.h"

#include <algorithm>
#include <cstring>

#include "base/random.h"

namespace weir::testing {

void SparseBytes::write(uint64_t offset, std::string_view bytes) {
  size_ = std::max(size_, offset + bytes.size());
  while (!bytes.empty()) {
    uint64_t within = offset % kPieceBytes;
    std::string_view part = bytes.substr(0, kPieceBytes - within);
    Bytes& piece = pieces_.try_emplace(offset / kPieceBytes, kPieceBytes, '\0').first->second;
    piece.replace(within, part.size(), part);
    offset += part.size();
    bytes.remove_prefix(part.size());
  }
}

void SparseBytes::truncate(uint64_t size) {
  if (size < size_) zero(size, size_ - size);
  size_ = size;
}

void SparseBytes::zero(uint64_t offset, uint64_t length) {
  uint64_t end = std::min(size_, offset + length);
  while (offset < end) {
    uint64_t within = offset % kPieceBytes;
    uint64_t count = std::min(end - offset, kPieceBytes - within);
    auto found = pieces_.find(offset / kPieceBytes);
    if (found != pieces_.end()) std::memset(found->second.data() + within, 0, count);
    if (found != pieces_.end() && count == kPieceBytes) pieces_.erase(found);
    offset += count;
  }
}

Bytes SparseBytes::read(uint64_t offset, uint64_t length) const {
  if (offset >= size_) return {};
  Bytes bytes(std::min(length, size_ - offset), '\0');
  for (auto piece = pieces_.lower_bound(offset / kPieceBytes); piece != pieces_.end(); ++piece) {
    uint64_t start = piece->first * kPieceBytes;
    if (start >= offset + bytes.size()) break;
    uint64_t from = std::max(offset, start);
    uint64_t to = std::min(offset + bytes.size(), start + kPieceBytes);
    std::memcpy(bytes.data() + (from - offset), piece->second.data() + (from - start), to - from);
  }
  return bytes;
}

uint64_t SparseBytes::first_difference(uint64_t offset, std::string_view bytes) const {
  Bytes mine = read(offset, bytes.size());
  if (mine == bytes) return UINT64_MAX;
  auto [here, there] = std::mismatch(mine.begin(), mine.end(), bytes.begin(), bytes.end());
  (void)there;
  return offset + static_cast<uint64_t>(here - mine.begin());
}

bool SparseBytes::operator==(const SparseBytes& other) const {
  if (size_ != other.size_) return false;
  for (uint64_t offset = 0; offset < size_; offset += kPieceBytes)
    if (other.first_difference(offset, read(offset, kPieceBytes)) != UINT64_MAX) return false;
  return true;
}

bool SparseBytes::has_data(uint64_t offset, uint64_t length) const {
  auto piece = pieces_.lower_bound(offset / kPieceBytes);
  return piece != pieces_.end() && piece->first * kPieceBytes < offset + length;
}

Bytes pattern(uint64_t seed, size_t size) {
  // Through the generator once: the sequences of neighbouring seeds are each other's, moved on by a word.
  SeededRandom random(SeededRandom(seed).next_u64());
  Bytes bytes(size, '\0');
  for (size_t offset = 0; offset < size; offset += sizeof(uint64_t)) {
    uint64_t word = random.next_u64() | 0x0101010101010101;
    std::memcpy(bytes.data() + offset, &word, std::min(sizeof(word), size - offset));
  }
  return bytes;
}

}  // namespace weir::testing
