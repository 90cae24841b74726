#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "cache/state.h"

namespace weir::cache {

Result<std::shared_ptr<const Bytes>> Cache::State::find_small(const ChunkId& id) {
  if (std::shared_ptr<const Bytes> bytes = hot.get(id)) return bytes;
  ASSIGN_OR_RETURN(std::optional<Bytes> found, journal->get_small(id));
  // In this order: mark_small_stored() moves content from the journal to the index, and it is in one of them always.
  if (!found) {
    ASSIGN_OR_RETURN(found, small->get(id));
  }
  if (!found) return std::shared_ptr<const Bytes>();
  auto bytes = std::make_shared<const Bytes>(std::move(*found));
  hot.put(id, bytes);
  return std::shared_ptr<const Bytes>(std::move(bytes));
}

Status Cache::State::put_small(const ChunkId& id, std::string_view bytes) {
  CHECK(bytes.size() <= limits::kSmallContentBytes);
  TRY(space->admit(bytes.size()));
  {
    MutexLock lock(locks.of(id.bytes()));
    TRY(small->put(id, bytes));
  }
  small->touch(id);
  evictable();
  return {};
}

Status Cache::State::put_small_unstored(const ChunkId& id, std::string_view bytes) {
  CHECK(bytes.size() <= limits::kSmallContentBytes);
  TRY(space->admit(bytes.size()));
  MutexLock lock(locks.of(id.bytes()));
  TRY(journal->record_small(id, bytes, clock.realtime_ns()));
  hot.put(id, std::make_shared<const Bytes>(bytes));
  return {};
}

Status Cache::State::evict_one_small(const ChunkId& id) {
  MutexLock lock(locks.of(id.bytes()));
  ASSIGN_OR_RETURN(std::optional<uint64_t> sequence, journal->small_sequence(id));
  if (sequence) return error(Code::kBusy, "small content {} is not stored yet", id.hex());
  ASSIGN_OR_RETURN(uint64_t freed, small->erase(id));
  hot.erase(id);
  evicted_bytes += freed;
  return {};
}

Status Cache::State::mark_small_stored(const Unstored& record) {
  const ChunkId& id = record.chunks.front();
  MutexLock lock(locks.of(id.bytes()));
  ASSIGN_OR_RETURN(std::optional<uint64_t> sequence, journal->small_sequence(id));
  if (!sequence || *sequence != record.sequence) return {};
  ASSIGN_OR_RETURN(std::optional<Bytes> bytes, journal->get_small(id));
  if (bytes)
    if (Status kept = small->put(id, *bytes); !kept)
      log::warning("small content {} is not kept in the cache: {}", id.hex(), kept.error().what);
  return journal->erase_small(id, record.sequence, static_cast<uint32_t>(record.bytes));
}

}  // namespace weir::cache
