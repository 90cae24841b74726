#include "cluster/sums_table.h"

namespace weir::cluster {

std::optional<ChunkSums> SumsTable::find(const ChunkId& id, size_t length) {
  MutexLock lock(mutex_);
  auto place = places_.find(id);
  if (place == places_.end() || place->second->length != length) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, place->second);
  return place->second->sums;
}

void SumsTable::put(const ChunkId& id, size_t length, ChunkSums sums) {
  MutexLock lock(mutex_);
  if (auto place = places_.find(id); place != places_.end()) {
    *place->second = {id, length, std::move(sums)};
    return;
  }
  entries_.push_front({id, length, std::move(sums)});
  places_[id] = entries_.begin();
  if (entries_.size() <= entries_max_) return;
  places_.erase(entries_.back().id);
  entries_.pop_back();
}

void SumsTable::erase(const ChunkId& id) {
  MutexLock lock(mutex_);
  auto place = places_.find(id);
  if (place == places_.end()) return;
  entries_.erase(place->second);
  places_.erase(place);
}

}  // namespace weir::cluster
