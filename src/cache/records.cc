#include "cache/records.h"

#include <charconv>

#include "base/limits.h"
#include "model/chunk.h"

namespace weir::cache {

namespace {

constexpr uint8_t kVersion = 1;
// Of a staging row.
constexpr uint8_t kSealed = 1;
constexpr uint8_t kHandover = 2;

void encode_bits(Encoder& encoder, const std::vector<bool>& bits) {
  encoder.u32(static_cast<uint32_t>(bits.size()));
  for (size_t first = 0; first < bits.size(); first += 8) {
    uint8_t byte = 0;
    for (size_t i = first; i < bits.size() && i < first + 8; ++i)
      if (bits[i]) byte = static_cast<uint8_t>(byte | 1u << (i - first));
    encoder.u8(byte);
  }
}

std::vector<bool> decode_bits(Decoder& decoder) {
  size_t count = decoder.u32();
  std::string_view bytes = decoder.raw((count + 7) / 8);
  if (decoder.failed()) return {};
  std::vector<bool> bits(count);
  for (size_t i = 0; i < count; ++i) bits[i] = (static_cast<uint8_t>(bytes[i / 8]) >> (i % 8) & 1) != 0;
  return bits;
}

bool decode_flag(Decoder& decoder) {
  uint8_t value = decoder.u8();
  if (value > 1) decoder.fail();
  return value == 1;
}

template <class Name>
Name decode_name(Decoder& decoder) {
  std::string_view bytes = decoder.raw(32);
  return decoder.failed() ? Name() : Name::from_bytes(bytes);
}

Status check_version(uint8_t version, std::string_view what) {
  if (version == kVersion) return {};
  return error(Code::kCorrupt, "{} has version {}, this program reads {}", what, version, kVersion);
}

/// The rest of `text` behind `key` and up to the end of the line, which is taken away with it.
Result<std::string> take_line(std::string_view& text, std::string_view key) {
  size_t end = text.find('\n');
  if (!text.starts_with(key) || end == std::string_view::npos || end < key.size())
    return error(Code::kCorrupt, "identity file has no line \"{}\"", key);
  std::string value(text.substr(key.size(), end - key.size()));
  text.remove_prefix(end + 1);
  return value;
}

}  // namespace

Bytes ImageRow::encode() const {
  Encoder encoder;
  encoder.u8(kVersion).u8(final).u8(registered).u8(uses).u64(size).u64(disk_bytes).i64(last_used_ns);
  encoder.u32(present_chunks).u64(boot);
  encode_bits(encoder, present);
  encode_bits(encoder, unverified);
  return std::move(encoder).take();
}

Result<ImageRow> ImageRow::decode(std::string_view bytes) {
  Decoder decoder(bytes);
  TRY(check_version(decoder.u8(), "image entry"));
  ImageRow row;
  row.final = decode_flag(decoder);
  row.registered = decode_flag(decoder);
  row.uses = decoder.u8();
  row.size = decoder.u64();
  row.disk_bytes = decoder.u64();
  row.last_used_ns = decoder.i64();
  row.present_chunks = decoder.u32();
  row.boot = decoder.u64();
  row.present = decode_bits(decoder);
  row.unverified = decode_bits(decoder);
  TRY(decoder.finish("image entry"));
  size_t chunks = chunk_count(row.size);
  auto fits = [chunks](const std::vector<bool>& bits) { return bits.empty() || bits.size() == chunks; };
  if (row.size > limits::kFileBytes || !fits(row.present) || !fits(row.unverified))
    return error(Code::kCorrupt, "image entry does not fit a content of {} bytes", row.size);
  return row;
}

Bytes UnstoredImage::encode() const {
  Encoder encoder;
  encoder.u8(static_cast<uint8_t>(UnstoredKind::kImage)).u8(kVersion).raw(id.bytes()).u64(size).u8(whole);
  encoder.u64(staging_id).i64(since_ns).u32(static_cast<uint32_t>(chunks.size()));
  for (const auto& [index, chunk] : chunks) encoder.u32(index).raw(chunk.bytes());
  return std::move(encoder).take();
}

Result<UnstoredImage> UnstoredImage::decode(std::string_view bytes) {
  Decoder decoder(bytes);
  if (decoder.u8() != static_cast<uint8_t>(UnstoredKind::kImage)) decoder.fail();
  TRY(check_version(decoder.u8(), "unstored image"));
  UnstoredImage row;
  row.id = decode_name<ManifestId>(decoder);
  row.size = decoder.u64();
  row.whole = decode_flag(decoder);
  row.staging_id = decoder.u64();
  row.since_ns = decoder.i64();
  size_t count = decoder.u32();
  if (count > decoder.remaining() / 36) decoder.fail();
  if (!decoder.failed()) row.chunks.reserve(count);
  for (size_t i = 0; i < count && !decoder.failed(); ++i) {
    uint32_t index = decoder.u32();
    ChunkId chunk = decode_name<ChunkId>(decoder);
    bool ascending = row.chunks.empty() || row.chunks.back().first < index;
    if (!ascending || index >= chunk_count(row.size)) decoder.fail();
    row.chunks.emplace_back(index, chunk);
  }
  TRY(decoder.finish("unstored image"));
  if (row.size > limits::kFileBytes) return error(Code::kCorrupt, "unstored image of {} bytes is too large", row.size);
  return row;
}

Bytes UnstoredSmall::encode() const {
  Encoder encoder;
  encoder.u8(static_cast<uint8_t>(UnstoredKind::kSmall)).u8(kVersion).raw(id.bytes()).u32(length_bytes).i64(since_ns);
  return std::move(encoder).take();
}

Result<UnstoredSmall> UnstoredSmall::decode(std::string_view bytes) {
  Decoder decoder(bytes);
  if (decoder.u8() != static_cast<uint8_t>(UnstoredKind::kSmall)) decoder.fail();
  TRY(check_version(decoder.u8(), "unstored small content"));
  UnstoredSmall row;
  row.id = decode_name<ChunkId>(decoder);
  row.length_bytes = decoder.u32();
  row.since_ns = decoder.i64();
  TRY(decoder.finish("unstored small content"));
  return row;
}

Bytes StagingRow::encode() const {
  Encoder encoder;
  encoder.u8(kVersion)
      .u8(static_cast<uint8_t>((sealed ? kSealed : 0) | (handover.empty() ? 0 : kHandover)))
      .sized(record);
  if (sealed) encoder.sized(sealed->encode());
  if (!handover.empty()) encoder.sized(handover);
  return std::move(encoder).take();
}

Result<StagingRow> StagingRow::decode(std::string_view bytes) {
  Decoder decoder(bytes);
  TRY(check_version(decoder.u8(), "staging record"));
  StagingRow row;
  const uint8_t flags = decoder.u8();
  if ((flags & ~(kSealed | kHandover)) != 0) decoder.fail();
  const bool sealed = (flags & kSealed) != 0;
  row.record = Bytes(decoder.sized());
  std::string_view manifest = sealed ? decoder.sized() : std::string_view();
  if ((flags & kHandover) != 0) {
    row.handover = Bytes(decoder.sized());
    if (row.handover.empty()) decoder.fail();
  }
  TRY(decoder.finish("staging record"));
  if (sealed) {
    ASSIGN_OR_RETURN(row.sealed, Manifest::decode(manifest));
  }
  return row;
}

Result<UnstoredKind> unstored_kind(std::string_view bytes) {
  uint8_t kind = bytes.empty() ? 0 : static_cast<uint8_t>(bytes[0]);
  if (kind != static_cast<uint8_t>(UnstoredKind::kImage) && kind != static_cast<uint8_t>(UnstoredKind::kSmall))
    return error(Code::kCorrupt, "unstored record is of the unknown kind {}", kind);
  return static_cast<UnstoredKind>(kind);
}

Bytes Identity::encode() const {
  return fmt::format("weir cache {}\nvolume {}\nboot {}\n", format, volume_id, boot_id);
}

Result<Identity> Identity::decode(std::string_view bytes) {
  Identity identity;
  ASSIGN_OR_RETURN(std::string format, take_line(bytes, "weir cache "));
  const char* end = format.data() + format.size();
  if (std::from_chars(format.data(), end, identity.format).ptr != end || format.empty())
    return error(Code::kCorrupt, "identity file has the format \"{}\", which is not a number", format);
  if (identity.format > kCacheFormat)
    return error(Code::kUnsupported, "format {} is newer than this program, which knows up to {}", identity.format,
                 kCacheFormat);
  ASSIGN_OR_RETURN(identity.volume_id, take_line(bytes, "volume "));
  ASSIGN_OR_RETURN(identity.boot_id, take_line(bytes, "boot "));
  if (!bytes.empty()) return error(Code::kCorrupt, "identity file has {} bytes too many", bytes.size());
  return identity;
}

}  // namespace weir::cache
