#include "cache/small_store.h"

#include <vector>

#include "base/bytes.h"

namespace weir::cache {

namespace {

// The length lies apart from the bytes, so that a sweep does not read contents.
constexpr std::string_view kLengthPrefix = "m";
constexpr size_t kSweepRows = 256;

Bytes bytes_key(const ChunkId& id) { return "s" + Bytes(id.bytes()); }
Bytes length_key(const ChunkId& id) { return Bytes(kLengthPrefix) + Bytes(id.bytes()); }

}  // namespace

Status SmallStore::count() {
  uint64_t contents = 0;
  uint64_t bytes = 0;
  TRY(database_.scan(kLengthPrefix, kLengthPrefix, [&](std::string_view, std::string_view value) {
    ++contents;
    bytes += Decoder(value).u32();
    return true;
  }));
  set_counts(contents, bytes);
  return {};
}

void SmallStore::set_counts(uint64_t contents, uint64_t bytes) {
  contents_ = contents;
  bytes_ = bytes;
}

Result<std::optional<Bytes>> SmallStore::get(const ChunkId& id) { return database_.get(bytes_key(id)); }

Status SmallStore::put(const ChunkId& id, std::string_view bytes) {
  ASSIGN_OR_RETURN(std::optional<Bytes> there, database_.get(length_key(id)));
  if (there) return {};
  Encoder length;
  length.u32(static_cast<uint32_t>(bytes.size()));
  Batch batch;
  batch.put(length_key(id), length.bytes());
  batch.put(bytes_key(id), bytes);
  TRY(database_.write(batch, Log::kNone));
  ++contents_;
  bytes_ += bytes.size();
  return {};
}

Result<uint64_t> SmallStore::erase(const ChunkId& id) {
  ASSIGN_OR_RETURN(std::optional<Bytes> length, database_.get(length_key(id)));
  if (!length) return 0;
  Batch batch;
  batch.erase(length_key(id));
  batch.erase(bytes_key(id));
  TRY(database_.write(batch, Log::kNone));
  uint64_t bytes = Decoder(*length).u32();
  --contents_;
  bytes_ -= bytes;
  return bytes;
}

Result<uint64_t> SmallStore::evict(uint64_t bytes, const std::function<void(const ChunkId&)>& erased) {
  ASSIGN_OR_RETURN(uint64_t freed, sweep(bytes, false, erased));
  if (freed >= bytes) return freed;
  ASSIGN_OR_RETURN(uint64_t hot, sweep(bytes - freed, true, erased));
  return freed + hot;
}

Result<uint64_t> SmallStore::sweep(uint64_t bytes, bool hot_too, const std::function<void(const ChunkId&)>& erased) {
  MutexLock sweeping(sweep_mutex_);
  uint64_t freed = 0;
  uint64_t rows_left = contents_;  // once round
  while (freed < bytes && rows_left > 0) {
    std::vector<ChunkId> found;
    const Bytes from = hand_.empty() ? Bytes(kLengthPrefix) : hand_;
    TRY(database_.scan(kLengthPrefix, from, [&](std::string_view key, std::string_view) {
      if (key.size() == 33) found.push_back(ChunkId::from_bytes(key.substr(1)));
      return found.size() < kSweepRows;
    }));
    // At the end of the ids the hand starts over; an empty scan from the start means that there is nothing.
    if (found.empty() && hand_.empty()) break;
    hand_ = found.empty() ? Bytes() : length_key(found.back()) + '\0';
    for (const ChunkId& id : found) {
      if (freed >= bytes || rows_left == 0) {
        hand_ = length_key(id);
        break;
      }
      --rows_left;
      if (!hot_too && uses_.used_again(id)) continue;
      MutexLock lock(locks_.of(id.bytes()));
      ASSIGN_OR_RETURN(uint64_t one, erase(id));
      freed += one;
      erased(id);
    }
  }
  return freed;
}

}  // namespace weir::cache
