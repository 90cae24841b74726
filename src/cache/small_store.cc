#include "cache/small_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"

namespace weir::cache {

/// Value of an `s` row (docs/formats.md, "Cache directory").
struct SmallStore::Place {
  uint32_t segment = 0;
  uint32_t offset = 0;
  uint32_t length = 0;
  uint32_t checksum = 0;

  Bytes encode() const {
    Encoder encoder;
    encoder.u32(segment).u32(offset).u32(length).u32(checksum);
    return std::move(encoder).take();
  }
  static Result<Place> decode(std::string_view bytes) {
    Decoder decoder(bytes);
    Place place;
    place.segment = decoder.u32();
    place.offset = decoder.u32();
    place.length = decoder.u32();
    place.checksum = decoder.u32();
    TRY(decoder.finish("place of a small content"));
    if (place.length > limits::kSmallContentBytes)
      return error(Code::kCorrupt, "small content of {} bytes", place.length);
    return place;
  }
  bool operator==(const Place&) const = default;
};

namespace {

constexpr std::string_view kPlacePrefix = "s";

Bytes place_key(const ChunkId& id) { return Bytes(kPlacePrefix) + Bytes(id.bytes()); }
Bytes segment_prefix(uint32_t segment) { return Encoder().raw("k").u32(segment).bytes(); }
Bytes segment_key(uint32_t segment, uint32_t offset) { return Encoder().raw("k").u32(segment).u32(offset).bytes(); }

}  // namespace

SmallStore::SmallStore(Database& index, KeyLocks& locks, const Layout& layout, uint64_t segment_bytes_max)
    : index_(index), locks_(locks), layout_(layout), segment_bytes_max_(segment_bytes_max) {}

Status SmallStore::open(bool keep) {
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(std::vector<std::string> names, list_directory(layout_.small()));
  for (const std::string& name : names) {
    std::optional<uint64_t> segment = parse_number(name);
    if (!segment || *segment >= UINT32_MAX) continue;
    const std::string path = layout_.small(static_cast<uint32_t>(*segment));
    struct stat attributes {};
    if (::stat(path.c_str(), &attributes) != 0) return errno_error(errno, fmt::format("stat {}", path));
    if (!keep || attributes.st_size == 0) {
      TRY(io::remove_file(path));
      continue;
    }
    segments_[static_cast<uint32_t>(*segment)] = static_cast<uint64_t>(attributes.st_size);
    disk_bytes_ += static_cast<uint64_t>(attributes.st_size);
  }
  if (!segments_.empty()) next_segment_ = segments_.rbegin()->first + 1;
  return {};
}

Status SmallStore::count() {
  uint64_t contents = 0;
  uint64_t bytes = 0;
  Status failed;
  TRY(index_.scan(kPlacePrefix, kPlacePrefix, [&](std::string_view, std::string_view value) {
    Result<Place> place = Place::decode(value);
    if (!place) failed = Failure(place.error());
    if (!place) return false;
    ++contents;
    bytes += place->length;
    return true;
  }));
  set_counts(contents, bytes);
  return failed;
}

void SmallStore::set_counts(uint64_t contents, uint64_t bytes) {
  contents_ = contents;
  bytes_ = bytes;
}

Result<std::optional<SmallStore::Place>> SmallStore::find(const ChunkId& id) {
  ASSIGN_OR_RETURN(std::optional<Bytes> value, index_.get(place_key(id)));
  if (!value) return std::optional<Place>();
  ASSIGN_OR_RETURN(Place place, Place::decode(*value));
  return std::optional<Place>(place);
}

Result<std::optional<Bytes>> SmallStore::get(const ChunkId& id) {
  std::optional<Place> before;
  // An eviction may move the content while it is being looked for; twice in a row is not worth another try.
  for (int attempt = 0; attempt < 3; ++attempt) {
    ASSIGN_OR_RETURN(std::optional<Place> place, find(id));
    if (!place || place == before) break;
    ASSIGN_OR_RETURN(std::optional<Bytes> bytes, read(*place));
    if (bytes) return bytes;
    before = place;
  }
  return std::optional<Bytes>();
}

/// Nothing when these are not the bytes that were put there.
Result<std::optional<Bytes>> SmallStore::read(const Place& place) {
  auto file = io::open_file(layout_.small(place.segment), O_RDONLY);
  if (!file && file.error().code == Code::kNotFound) return std::optional<Bytes>();
  if (!file) return Failure(file.error());
  Bytes bytes(place.length, '\0');
  ASSIGN_OR_RETURN(size_t got, io::read_at(file->get(), bytes.data(), bytes.size(), place.offset));
  if (got != bytes.size() || crc32c(bytes) != place.checksum) return std::optional<Bytes>();
  return std::optional<Bytes>(std::move(bytes));
}

Status SmallStore::put(const ChunkId& id, std::string_view bytes) {
  ASSIGN_OR_RETURN(std::optional<Place> there, find(id));
  if (there) {
    ASSIGN_OR_RETURN(std::optional<Bytes> intact, read(*there));
    if (intact) return {};
    TRY(erase(id));
  }
  // Held until the index knows, so that no segment goes while something in it is not in the index yet.
  MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(Place place, append(bytes));
  Batch batch;
  batch.put(place_key(id), place.encode());
  batch.put(segment_key(place.segment, place.offset), id.bytes());
  TRY(index_.write(batch, Log::kProcess));
  ++contents_;
  bytes_ += bytes.size();
  return {};
}

Result<SmallStore::Place> SmallStore::append(std::string_view bytes) {
  if (!current_.valid() || segments_.rbegin()->second >= segment_bytes_max_) TRY(begin_segment());
  auto& [segment, size] = *segments_.rbegin();
  if (Status written = io::write_at(current_.get(), bytes, size); !written) {
    // What was written in part is overwritten by the next content.
    return Failure(written.error());
  }
  Place place{segment, static_cast<uint32_t>(size), static_cast<uint32_t>(bytes.size()), crc32c(bytes)};
  size += bytes.size();
  disk_bytes_ += bytes.size();
  return place;
}

Status SmallStore::begin_segment() {
  const uint32_t segment = next_segment_;
  ASSIGN_OR_RETURN(current_, io::open_file(layout_.small(segment), O_RDWR | O_CREAT | O_TRUNC));
  segments_[segment] = 0;
  ++next_segment_;
  return {};
}

Result<uint64_t> SmallStore::erase(const ChunkId& id) {
  ASSIGN_OR_RETURN(std::optional<Place> place, find(id));
  if (!place) return 0;
  Batch batch;
  batch.erase(place_key(id));
  batch.erase(segment_key(place->segment, place->offset));
  TRY(index_.write(batch, Log::kProcess));
  --contents_;
  bytes_ -= place->length;
  return place->length;
}

std::optional<uint32_t> SmallStore::oldest_segment() {
  MutexLock lock(mutex_);
  if (segments_.empty()) return std::nullopt;
  return segments_.begin()->first;
}

Result<uint64_t> SmallStore::evict(uint64_t bytes, const std::function<void(const ChunkId&)>& erased) {
  MutexLock evicting(evict_mutex_);
  uint64_t freed = 0;
  uint32_t end;
  {
    MutexLock lock(mutex_);
    end = next_segment_;
  }
  // Segments begun meanwhile hold nothing but what was moved there because it is hot.
  for (bool hot_too : {false, true}) {
    while (freed < bytes) {
      std::optional<uint32_t> oldest = oldest_segment();
      if (!oldest || (!hot_too && *oldest >= end)) break;
      ASSIGN_OR_RETURN(uint64_t one, evict_segment(*oldest, hot_too, erased));
      freed += one;
    }
  }
  return freed;
}

Result<uint64_t> SmallStore::evict_segment(uint32_t segment, bool hot_too,
                                           const std::function<void(const ChunkId&)>& erased) {
  {
    MutexLock lock(mutex_);
    if (segments_.rbegin()->first == segment) current_.reset();
  }
  std::vector<ChunkId> contents;
  const Bytes prefix = segment_prefix(segment);
  TRY(index_.scan(prefix, prefix, [&](std::string_view, std::string_view value) {
    if (value.size() == 32) contents.push_back(ChunkId::from_bytes(value));
    return true;
  }));
  const uint64_t before = disk_bytes_;
  for (const ChunkId& id : contents) TRY(evict_content(id, segment, hot_too, erased));
  TRY(io::remove_file(layout_.small(segment)));
  const uint64_t moved = disk_bytes_ - before;
  MutexLock lock(mutex_);
  const uint64_t size = segments_[segment];
  segments_.erase(segment);
  disk_bytes_ -= size;
  return size > moved ? size - moved : 0;
}

Status SmallStore::evict_content(const ChunkId& id, uint32_t segment, bool hot_too,
                                 const std::function<void(const ChunkId&)>& erased) {
  MutexLock lock(locks_.of(id.bytes()));
  ASSIGN_OR_RETURN(std::optional<Place> place, find(id));
  if (!place || place->segment != segment) return {};
  if (!hot_too && uses_.used_again(id)) {
    ASSIGN_OR_RETURN(std::optional<Bytes> bytes, read(*place));
    TRY(erase(id));
    if (bytes && put(id, *bytes)) return {};
  } else {
    TRY(erase(id));
  }
  erased(id);
  return {};
}

}  // namespace weir::cache
