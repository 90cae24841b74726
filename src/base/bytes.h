#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir {

/// Owned binary data. Borrowed data is std::string_view.
using Bytes = std::string;

/// Appends fixed-width big-endian integers (so that encoded keys sort as their numbers do) and length-prefixed strings.
class Encoder {
 public:
  Encoder& u8(uint8_t value);
  Encoder& u16(uint16_t value);
  Encoder& u32(uint32_t value);
  Encoder& u64(uint64_t value);
  Encoder& i64(int64_t value) { return u64(static_cast<uint64_t>(value)); }
  /// Bytes as they are, without a length.
  Encoder& raw(std::string_view bytes);
  /// u32 length, then the bytes.
  Encoder& sized(std::string_view bytes);

  const Bytes& bytes() const& { return bytes_; }
  Bytes take() && { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

/// Reads what Encoder wrote. Input is untrusted: a read past the end sets failed() and yields zeros; callers check once
/// with finish(). Never allocates more than the input holds.
class Decoder {
 public:
  explicit Decoder(std::string_view input) : rest_(input) {}

  uint8_t u8();
  uint16_t u16();
  uint32_t u32();
  uint64_t u64();
  int64_t i64() { return static_cast<int64_t>(u64()); }
  /// Borrowed from the input.
  std::string_view raw(size_t count);
  std::string_view sized();

  size_t remaining() const { return rest_.size(); }
  bool failed() const { return failed_; }
  void fail() { failed_ = true; }
  /// Corrupt unless all reads succeeded and nothing is left over. `what` names the record for the message.
  Status finish(std::string_view what) const;

 private:
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace weir
