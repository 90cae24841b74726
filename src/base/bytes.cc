#include "base/bytes.h"

namespace weir {

namespace {

template <class T>
void append_big_endian(Bytes& out, T value) {
  for (int shift = (sizeof(T) - 1) * 8; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

template <class T>
T read_big_endian(std::string_view bytes) {
  T value = 0;
  for (char byte : bytes) value = static_cast<T>((static_cast<uint64_t>(value) << 8) | static_cast<uint8_t>(byte));
  return value;
}

}  // namespace

Encoder& Encoder::u8(uint8_t value) {
  bytes_.push_back(static_cast<char>(value));
  return *this;
}

Encoder& Encoder::u16(uint16_t value) {
  append_big_endian(bytes_, value);
  return *this;
}

Encoder& Encoder::u32(uint32_t value) {
  append_big_endian(bytes_, value);
  return *this;
}

Encoder& Encoder::u64(uint64_t value) {
  append_big_endian(bytes_, value);
  return *this;
}

Encoder& Encoder::raw(std::string_view bytes) {
  bytes_.append(bytes);
  return *this;
}

Encoder& Encoder::sized(std::string_view bytes) {
  u32(static_cast<uint32_t>(bytes.size()));
  return raw(bytes);
}

std::string_view Decoder::raw(size_t count) {
  if (failed_ || count > rest_.size()) {
    failed_ = true;
    return {};
  }
  std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

uint8_t Decoder::u8() { return read_big_endian<uint8_t>(raw(1)); }
uint16_t Decoder::u16() { return read_big_endian<uint16_t>(raw(2)); }
uint32_t Decoder::u32() { return read_big_endian<uint32_t>(raw(4)); }
uint64_t Decoder::u64() { return read_big_endian<uint64_t>(raw(8)); }

std::string_view Decoder::sized() {
  uint32_t length = u32();
  return raw(length);
}

Status Decoder::finish(std::string_view what) const {
  if (failed_) return error(Code::kCorrupt, "{} is cut short or malformed", what);
  if (!rest_.empty()) return error(Code::kCorrupt, "{} has {} bytes too many", what, rest_.size());
  return {};
}

}  // namespace weir
