#include "model/records.h"

namespace weir {

namespace {

constexpr uint8_t kVersion = 1;

void check_version(Decoder& decoder) {
  if (decoder.u8() != kVersion) decoder.fail();
}

}  // namespace

Bytes Dentry::encode() const {
  Encoder encoder;
  encoder.u8(kVersion).u64(inode.value).u8(static_cast<uint8_t>(type)).u8(continues ? 1 : 0).sized(name);
  return std::move(encoder).take();
}

Result<Dentry> Dentry::decode(std::string_view bytes) {
  Decoder decoder(bytes);
  check_version(decoder);
  Dentry dentry;
  dentry.inode.value = decoder.u64();
  uint8_t type = decoder.u8();
  if (type < 1 || type > 7) decoder.fail();
  dentry.type = static_cast<FileType>(type);
  uint8_t continues = decoder.u8();
  if (continues > 1) decoder.fail();
  dentry.continues = continues != 0;
  dentry.name = std::string(decoder.sized());
  TRY(decoder.finish("directory entry"));
  return dentry;
}

Bytes DirectoryDelta::encode() const {
  Encoder encoder;
  encoder.u8(kVersion).i64(entries).i64(subdirectories).i64(mtime_ns);
  return std::move(encoder).take();
}

Result<DirectoryDelta> DirectoryDelta::decode(std::string_view bytes) {
  Decoder decoder(bytes);
  check_version(decoder);
  DirectoryDelta delta;
  delta.entries = decoder.i64();
  delta.subdirectories = decoder.i64();
  delta.mtime_ns = decoder.i64();
  TRY(decoder.finish("directory delta"));
  return delta;
}

Bytes ChunkRecord::encode() const {
  Encoder encoder;
  encoder.u8(kVersion).u64(generation).u8(static_cast<uint8_t>(state)).u8(was_stored ? 1 : 0).u32(length_bytes);
  return std::move(encoder).take();
}

Result<ChunkRecord> ChunkRecord::decode(std::string_view bytes) {
  Decoder decoder(bytes);
  check_version(decoder);
  ChunkRecord record;
  record.generation = decoder.u64();
  uint8_t state = decoder.u8();
  if (state < 1 || state > 3) decoder.fail();
  record.state = static_cast<ChunkState>(state);
  const uint8_t was_stored = decoder.u8();
  if (was_stored > 1) decoder.fail();
  record.was_stored = was_stored != 0;
  record.length_bytes = decoder.u32();
  TRY(decoder.finish("chunk record"));
  return record;
}

std::string_view durability_name(Durability durability) { return kDurabilityNames[static_cast<size_t>(durability)]; }

std::optional<Durability> durability_of(std::string_view name) {
  for (const Durability durability : {Durability::kLocal, Durability::kZone, Durability::kStored})
    if (durability_name(durability) == name) return durability;
  return std::nullopt;
}

Bytes VolumeSettings::encode() const {
  Encoder encoder;
  encoder.u8(kVersion).u32(oldest_reader).u32(oldest_writer).sized(volume_id).sized(incarnation).sized(name);
  encoder.sized(store_url)
      .u64(name_hash_key[0])
      .u64(name_hash_key[1])
      .i64(created_ns)
      .i64(grace_ms)
      .u8(static_cast<uint8_t>(durability));
  return std::move(encoder).take();
}

Result<VolumeSettings> VolumeSettings::decode(std::string_view bytes) {
  Decoder decoder(bytes);
  check_version(decoder);
  VolumeSettings settings;
  settings.oldest_reader = decoder.u32();
  settings.oldest_writer = decoder.u32();
  // A newer format may have fields that this program does not know; who asks looks at oldest_reader first.
  if (!decoder.failed() && settings.oldest_reader > kVolumeFormat) return settings;
  settings.volume_id = std::string(decoder.sized());
  settings.incarnation = std::string(decoder.sized());
  settings.name = std::string(decoder.sized());
  settings.store_url = std::string(decoder.sized());
  settings.name_hash_key[0] = decoder.u64();
  settings.name_hash_key[1] = decoder.u64();
  settings.created_ns = decoder.i64();
  settings.grace_ms = decoder.i64();
  // Volumes made before there was a choice have none.
  const uint8_t durability = decoder.failed() || decoder.remaining() == 0 ? 0 : decoder.u8();
  TRY(decoder.finish("volume settings"));
  if (durability > static_cast<uint8_t>(Durability::kStored))
    return error(Code::kCorrupt, "volume settings name durability {}", durability);
  settings.durability = static_cast<Durability>(durability);
  return settings;
}

}  // namespace weir
