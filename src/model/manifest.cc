#include "model/manifest.h"

#include "base/limits.h"
#include "model/chunk.h"

namespace weir {

namespace {
constexpr uint8_t kManifestVersion = 1;
}

Bytes Manifest::encode() const {
  Encoder encoder;
  encoder.u8(kManifestVersion).u64(size);
  for (const ChunkId& chunk : chunks) encoder.raw(chunk.bytes());
  return std::move(encoder).take();
}

Result<Manifest> Manifest::decode(std::string_view bytes) {
  Decoder decoder(bytes);
  uint8_t version = decoder.u8();
  if (!decoder.failed() && version != kManifestVersion)
    return error(Code::kCorrupt, "manifest has version {}, this program reads {}", version, kManifestVersion);
  Manifest manifest;
  manifest.size = decoder.u64();
  if (manifest.size > limits::kFileBytes || decoder.remaining() != chunk_count(manifest.size) * 32)
    return error(Code::kCorrupt, "manifest of {} bytes does not fit a content of {} bytes", bytes.size(),
                 manifest.size);
  manifest.chunks.reserve(chunk_count(manifest.size));
  while (decoder.remaining() > 0) manifest.chunks.push_back(ChunkId::from_bytes(decoder.raw(32)));
  TRY(decoder.finish("manifest"));
  return manifest;
}

ManifestId Manifest::id() const { return ManifestId(sha256(encode())); }

}  // namespace weir
