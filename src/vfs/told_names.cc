#include "vfs/told_names.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace weir::vfs {

namespace {

constexpr size_t kNamesOfInode = 8;
// In this time the kernel has taken an answer, and answers may reach it in another order.
constexpr int64_t kAnswersNs = 100'000'000;

void erase_name(ToldNames::Told& told, size_t index) {
  told.names.erase(told.names.begin() + static_cast<ptrdiff_t>(index));
  told.times_ns.erase(told.times_ns.begin() + static_cast<ptrdiff_t>(index));
}

bool erase_name(ToldNames::Told& told, const meta::NamePlace& place) {
  const auto found = std::find(told.names.begin(), told.names.end(), place);
  if (found == told.names.end()) return false;
  erase_name(told, static_cast<size_t>(found - told.names.begin()));
  return true;
}

}  // namespace

void ToldNames::make_room(Shard& shard) {
  const int64_t now_ns = clock_.monotonic_ns();
  // What lies in `recent` when it becomes `before` is kept for at least twice the lifetime.
  if (now_ns - shard.since_ns < 2 * lifetime_ns_) return;
  shard.before = now_ns - shard.since_ns < 4 * lifetime_ns_ ? std::move(shard.recent) : decltype(shard.recent)();
  shard.recent.clear();
  shard.since_ns = now_ns;
}

void ToldNames::drop_old_names(Told& told) const {
  const int64_t oldest_ns = clock_.monotonic_ns() - 2 * lifetime_ns_;
  for (size_t i = told.names.size(); i-- > 0;)
    if (told.times_ns[i] < oldest_ns) erase_name(told, i);
}

bool ToldNames::add(Told& told, meta::NamePlace place) const {
  drop_old_names(told);
  erase_name(told, place);
  if (told.names.size() == kNamesOfInode) return false;
  told.names.push_back(std::move(place));
  told.times_ns.push_back(clock_.monotonic_ns());
  return true;
}

bool ToldNames::tell(InodeId inode, uint64_t generation, InodeId parent, std::string_view name) {
  Shard& shard = shard_of(inode);
  MutexLock lock(shard.mutex);
  make_room(shard);
  auto found = shard.recent.find(inode);
  if (found == shard.recent.end()) {
    if (shard.recent.size() >= limits::kToldNames / kShards) return false;
    found = shard.recent.emplace(inode, Told()).first;
    if (auto earlier = shard.before.find(inode); earlier != shard.before.end()) {
      found->second = std::move(earlier->second);
      shard.before.erase(earlier);
    }
  }
  Told& told = found->second;
  const int64_t now_ns = clock_.monotonic_ns();
  if (told.at_ns != 0 && told.generation != generation) told.mixed_ns = now_ns;
  told.at_ns = now_ns;
  told.generation = std::max(told.generation, generation);
  return add(told, {parent, std::string(name)});
}

std::optional<ToldNames::Told> ToldNames::of(InodeId inode, const Caller& caller) const {
  const Shard& shard = shard_of(inode);
  const int64_t now_ns = clock_.monotonic_ns();
  MutexLock lock(shard.mutex);
  if (now_ns - shard.since_ns >= 4 * lifetime_ns_) return std::nullopt;
  for (const auto* map : {&shard.recent, &shard.before})
    if (auto found = map->find(inode); found != map->end()) {
      Told told = found->second;
      drop_old_names(told);
      for (Told::Left& left : std::exchange(told.left, {})) {
        const bool own = left.thread == caller.pid && caller.pid != 0;
        if (own || now_ns - left.at_ns >= kAnswersNs) continue;
        told.names.push_back(std::move(left.place));
        told.times_ns.push_back(left.at_ns);
      }
      // As long as what it was told before holds, if nobody has taken the answer yet.
      if (told.mixed_ns != 0 && now_ns - told.mixed_ns < lifetime_ns_) told.generation = 0;
      return told;
    }
  return std::nullopt;
}

bool ToldNames::leave(const Caller& caller, Told& told, const meta::NamePlace& place) const {
  if (!erase_name(told, place)) return false;
  if (told.left.size() == kNamesOfInode) told.left.erase(told.left.begin());
  told.left.push_back({place, caller.pid, clock_.monotonic_ns()});
  return true;
}

void ToldNames::forget(const Caller& caller, InodeId inode, const meta::NamePlace& place) {
  Shard& shard = shard_of(inode);
  MutexLock lock(shard.mutex);
  for (auto* map : {&shard.recent, &shard.before})
    if (auto found = map->find(inode); found != map->end()) leave(caller, found->second, place);
}

void ToldNames::moved(const Caller& caller, InodeId inode, const meta::NamePlace& from, const meta::NamePlace& to) {
  Shard& shard = shard_of(inode);
  MutexLock lock(shard.mutex);
  for (auto* map : {&shard.recent, &shard.before})
    if (auto found = map->find(inode); found != map->end() && leave(caller, found->second, from))
      add(found->second, to);
}

void ToldNames::changed_here(InodeId inode, uint64_t before, uint64_t after) {
  Shard& shard = shard_of(inode);
  MutexLock lock(shard.mutex);
  for (auto* map : {&shard.recent, &shard.before})
    if (auto found = map->find(inode); found != map->end() && found->second.generation == before)
      found->second.generation = after;
}

}  // namespace weir::vfs
