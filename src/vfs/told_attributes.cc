#include "vfs/told_attributes.h"

#include <utility>

#include "base/limits.h"

namespace weir::vfs {

void ToldAttributes::make_room(Shard& shard) {
  const int64_t now_ns = clock_.monotonic_ns();
  // What lies in `recent` when it becomes `before` is kept for at least one lifetime.
  if (now_ns - shard.since_ns < lifetime_ns_) return;
  shard.before = now_ns - shard.since_ns < 2 * lifetime_ns_ ? std::move(shard.recent) : decltype(shard.recent)();
  shard.recent.clear();
  shard.since_ns = now_ns;
}

void ToldAttributes::keep(Shard& shard, KernelNode node, const Told& told) {
  auto found = shard.recent.find(node.value);
  if (found == shard.recent.end()) {
    if (shard.recent.size() >= limits::kToldNames / kShards) return;
    found = shard.recent.emplace(node.value, Told()).first;
    if (auto earlier = shard.before.find(node.value); earlier != shard.before.end()) found->second = earlier->second;
  }
  if (told.generation >= found->second.generation) found->second = told;
}

void ToldAttributes::tell(KernelNode node, uint64_t generation, const Attributes& attributes) {
  Shard& shard = shard_of(node);
  MutexLock lock(shard.mutex);
  make_room(shard);
  keep(shard, node, {generation, clock_.monotonic_ns(), attributes});
}

void ToldAttributes::changed(KernelNode node, uint64_t generation, const Attributes& attributes) {
  Shard& shard = shard_of(node);
  MutexLock lock(shard.mutex);
  const bool is_told = shard.recent.contains(node.value) || shard.before.contains(node.value);
  if (is_told) keep(shard, node, {generation, clock_.monotonic_ns(), attributes});
}

void ToldAttributes::forget(KernelNode node) {
  Shard& shard = shard_of(node);
  MutexLock lock(shard.mutex);
  shard.recent.erase(node.value);
  shard.before.erase(node.value);
}

void ToldAttributes::gone(KernelNode node) {
  Shard& shard = shard_of(node);
  MutexLock lock(shard.mutex);
  make_room(shard);
  keep(shard, node, {kGone, clock_.monotonic_ns(), {}});
}

std::optional<Attributes> ToldAttributes::of(KernelNode node) const {
  const Shard& shard = shard_of(node);
  MutexLock lock(shard.mutex);
  for (const auto* map : {&shard.recent, &shard.before}) {
    auto found = map->find(node.value);
    if (found == map->end()) continue;
    if (found->second.generation == kGone) return std::nullopt;
    if (clock_.monotonic_ns() - found->second.at_ns > lifetime_ns_) return std::nullopt;
    return found->second.attributes;
  }
  return std::nullopt;
}

}  // namespace weir::vfs
