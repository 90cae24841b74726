#include <algorithm>

#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "cache/state.h"
#include "cache/victims.h"

namespace weir::cache {

Status Cache::State::write_admitted(int fd, std::string_view bytes, uint64_t offset) {
  TRY(space->admit(bytes.size()));
  Status written = io::write_at(fd, bytes, offset);
  if (written || written.error().code != Code::kNoSpace) return written;
  if (!space->make_room_after_failure(bytes.size())) return written;
  return io::write_at(fd, bytes, offset);
}

uint64_t Cache::State::make_room(uint64_t bytes) {
  MutexLock lock(evict_mutex);
  const uint64_t total = stored_bytes();
  const uint64_t changes = evictable_changes;
  // A full disk is met by every write: do not look through all images each time when there is nothing to evict.
  if (total == 0 || bytes == 0 || fruitless_at == changes) return 0;
  // Each kind gives its share; what the one cannot give, the other does.
  const double small_share = static_cast<double>(small->disk_bytes()) / static_cast<double>(total);
  const auto small_wanted = static_cast<uint64_t>(small_share * static_cast<double>(bytes));
  uint64_t freed = small_wanted > 0 ? evict_small(small_wanted) : 0;
  if (freed < bytes) freed += evict_images(bytes - freed);
  if (freed < bytes) freed += evict_small(bytes - freed);
  if (freed == 0) fruitless_at = changes;
  return freed;
}

uint64_t Cache::State::evict_images(uint64_t bytes) {
  std::vector<Candidate> candidates;
  images.for_each([&](const ManifestId& id, const ImageEntry& entry) {
    if (!entry.open && !entry.unstored) candidates.push_back({id, entry.disk_bytes, entry.last_used_ns, entry.uses});
  });
  Victims victims = choose_victims(std::move(candidates), bytes);
  for (const ManifestId& id : victims.demote)
    images.update(id, [](ImageEntry& entry) {
      entry.uses = 1;
      entry.uses_changed = true;
    });
  uint64_t freed = 0;
  for (const Candidate& victim : victims.evict) {
    MutexLock lock(locks.of(victim.id.bytes()));
    std::optional<ImageEntry> entry = images.find(victim.id);
    if (!entry || entry->open || entry->unstored || is_mapped_locked(victim.id, *entry)) continue;
    if (Status evicted = evict_locked(victim.id); !evicted) {
      log::warning("image {} cannot be evicted: {}", victim.id.hex(), evicted.error().what);
      continue;
    }
    freed += entry->disk_bytes;
  }
  evicted_bytes += freed;
  return freed;
}

uint64_t Cache::State::evict_small(uint64_t bytes) {
  Result<uint64_t> freed = small->evict(bytes, [this](const ChunkId& id) { hot.erase(id); });
  if (!freed) log::warning("small content cannot be evicted: {}", freed.error().what);
  evicted_bytes += freed.value_or(0);
  return freed.value_or(0);
}

void Cache::State::evictable() {
  ++evictable_changes;
  check_limit();
}

void Cache::State::check_limit() {
  if (options.size_bytes_max == 0 || stored_bytes() <= options.size_bytes_max) return;
  if (fruitless_at == evictable_changes) return;
  MutexLock lock(house_mutex);
  house_work = true;
  house_wake.notify_all();
}

void Cache::State::keep_house() {
  int64_t since_save_ms = 0;
  for (;;) {
    {
      MutexLock lock(house_mutex);
      if (!stopping && !house_work) house_wake.wait_for_ms(house_mutex, limits::kCacheHousekeepingMs);
      if (stopping) return;
      house_work = false;
    }
    const uint64_t limit = options.size_bytes_max;
    const uint64_t stored = stored_bytes();
    if (limit > 0 && stored > limit) make_room(stored - (limit - limit / 50));
    Result<uint64_t> shortage = space->shortage();
    if (shortage && *shortage > 0) make_room(*shortage);
    since_save_ms += limits::kCacheHousekeepingMs;
    if (since_save_ms < limits::kCacheSaveUsesMs) continue;
    since_save_ms = 0;
    save_uses();
  }
}

void Cache::State::save_uses() {
  std::vector<ManifestId> changed;
  images.for_each([&](const ManifestId& id, const ImageEntry& entry) {
    if (entry.uses_changed) changed.push_back(id);
  });
  for (const ManifestId& id : changed) {
    MutexLock lock(locks.of(id.bytes()));
    Result<std::optional<ImageRow>> row = index->find(id);
    std::optional<ImageEntry> entry = images.find(id);
    if (!row || !*row || !entry) continue;
    (*row)->uses = entry->uses;
    (*row)->last_used_ns = entry->last_used_ns;
    (*row)->disk_bytes = entry->disk_bytes;
    if (!index->save(id, **row, {})) continue;
    images.update(id, [](ImageEntry& saved) { saved.uses_changed = false; });
  }
}

}  // namespace weir::cache
