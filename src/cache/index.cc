#include "cache/index.h"

#include "base/limits.h"

namespace weir::cache {

namespace {

constexpr std::string_view kCleanKey = "#clean";
constexpr std::string_view kFormatKey = "#format";

// docs/formats.md, "Cache directory".
Bytes image_key(const ManifestId& id) { return "i" + Bytes(id.bytes()); }
Bytes present_key(const ManifestId& id) { return "p" + Bytes(id.bytes()); }
Bytes place_key(const ChunkId& chunk, const ManifestId& image) {
  return "c" + Bytes(chunk.bytes()) + Bytes(image.bytes());
}
constexpr size_t kNameBytes = 32;

Bytes number(uint32_t value) {
  Encoder encoder;
  encoder.u32(value);
  return std::move(encoder).take();
}

}  // namespace

Result<std::optional<ImageRow>> Index::find(const ManifestId& id) {
  ASSIGN_OR_RETURN(std::optional<Bytes> value, database_.get(image_key(id)));
  if (!value) return std::optional<ImageRow>();
  ASSIGN_OR_RETURN(ImageRow row, ImageRow::decode(*value));
  return std::optional<ImageRow>(std::move(row));
}

Status Index::save(const ManifestId& id, const ImageRow& row, const std::vector<IndexedChunk>& chunks) {
  Batch batch;
  batch.put(image_key(id), row.encode());
  for (const auto& [index, chunk] : chunks) {
    batch.put(present_key(id) + number(index), chunk.bytes());
    batch.put(place_key(chunk, id), number(index));
  }
  return database_.write(batch, Log::kProcess);
}

Status Index::erase(const ManifestId& id) {
  Batch batch;
  const Bytes prefix = present_key(id);
  TRY(database_.scan(prefix, prefix, [&](std::string_view key, std::string_view value) {
    batch.erase(key);
    if (value.size() == kNameBytes) batch.erase(place_key(ChunkId::from_bytes(value), id));
    return true;
  }));
  batch.erase(image_key(id));
  return database_.write(batch, Log::kProcess);
}

Result<std::vector<ChunkPlace>> Index::places(const ChunkId& id) {
  std::vector<ChunkPlace> places;
  const Bytes prefix = "c" + Bytes(id.bytes());
  TRY(database_.scan(prefix, prefix, [&](std::string_view key, std::string_view value) {
    if (key.size() != prefix.size() + kNameBytes || value.size() != sizeof(uint32_t)) return true;
    places.push_back({ManifestId::from_bytes(key.substr(prefix.size())), Decoder(value).u32()});
    return places.size() < limits::kCacheChunkPlaces;
  }));
  return places;
}

Status Index::for_each(const std::function<void(const ManifestId& id, const ImageRow& row)>& visit) {
  Status failed;
  TRY(database_.scan("i", "i", [&](std::string_view key, std::string_view value) {
    Result<ImageRow> row = ImageRow::decode(value);
    if (row && key.size() != 1 + kNameBytes)
      row = error(Code::kCorrupt, "image entry has a key of {} bytes", key.size());
    if (!row) {
      failed = Failure(row.error());
      return false;
    }
    visit(ManifestId::from_bytes(key.substr(1)), *row);
    return true;
  }));
  return failed;
}

Result<bool> Index::is_new() {
  ASSIGN_OR_RETURN(std::optional<Bytes> format, database_.get(kFormatKey));
  if (format && *format != number(kCacheFormat)) return error(Code::kCorrupt, "the index has another format");
  if (format) return false;
  Batch batch;
  batch.put(kFormatKey, number(kCacheFormat));
  TRY(database_.write(batch, Log::kProcess));
  return true;
}

Result<bool> Index::take_clean_mark(uint64_t& small_contents, uint64_t& small_bytes) {
  ASSIGN_OR_RETURN(std::optional<Bytes> value, database_.get(kCleanKey));
  if (!value) return false;
  Decoder decoder(*value);
  small_contents = decoder.u64();
  small_bytes = decoder.u64();
  TRY(decoder.finish("clean mark"));
  Batch batch;
  batch.erase(kCleanKey);
  TRY(database_.write(batch, Log::kProcess));
  return true;
}

Status Index::put_clean_mark(uint64_t small_contents, uint64_t small_bytes) {
  Encoder encoder;
  encoder.u64(small_contents).u64(small_bytes);
  Batch batch;
  batch.put(kCleanKey, encoder.bytes());
  return database_.write(batch, Log::kProcess);
}

}  // namespace weir::cache
