#include "vfs/known_names.h"

#include <utility>

#include "base/limits.h"

namespace weir::vfs {

namespace {

// A rename looks its names up before it is sent to us.
constexpr int64_t kInUseNs = 1'000'000'000;

}  // namespace

std::string KnownNames::key_of(InodeId parent, std::string_view name) {
  std::string key(reinterpret_cast<const char*>(&parent.value), sizeof(parent.value));
  return key.append(name);
}

void KnownNames::tell(InodeId parent, std::string_view name, InodeId inode) { note(parent, name, inode, false); }

void KnownNames::put(InodeId parent, std::string_view name, InodeId inode) { note(parent, name, inode, true); }

KnownNames::Told* KnownNames::find_to_note(Shard& shard, std::string key) {
  const int64_t now_ns = clock_.monotonic_ns();
  if (now_ns - shard.since_ns >= kept_ns_) {
    shard.before = now_ns - shard.since_ns < 2 * kept_ns_ ? std::move(shard.recent) : Names();
    shard.recent.clear();
    shard.since_ns = now_ns;
  }
  Told told;
  if (auto earlier = shard.before.find(key); earlier != shard.before.end()) {
    told = earlier->second;
    shard.before.erase(earlier);
  }
  if (auto found = shard.recent.find(key); found != shard.recent.end()) return &found->second;
  if (shard.recent.size() >= limits::kToldNames / kShards) return nullptr;
  return &shard.recent.emplace(std::move(key), told).first->second;
}

void KnownNames::note(InodeId parent, std::string_view name, InodeId inode, bool by_kernel) {
  std::string key = key_of(parent, name);
  Shard& shard = shards_[shard_of(key)];
  const int64_t now_ns = clock_.monotonic_ns();
  MutexLock lock(shard.mutex);
  Told* told = find_to_note(shard, std::move(key));
  if (told == nullptr) return;
  if (by_kernel) {
    told->before.reset();
  } else if (told->inode != InodeId{} && now_ns - told->at_ns <= kept_ns_ && told->inode != inode) {
    told->before = told->inode;
    told->changed_ns = now_ns;
  }
  told->inode = inode;
  told->at_ns = now_ns;
}

std::optional<KnownNames::Known> KnownNames::of(InodeId parent, std::string_view name) const {
  const std::string key = key_of(parent, name);
  const Shard& shard = shards_[shard_of(key)];
  const int64_t now_ns = clock_.monotonic_ns();
  MutexLock lock(shard.mutex);
  for (const Names* names : {&shard.recent, &shard.before}) {
    auto found = names->find(key);
    if (found == names->end()) continue;
    const Told& told = found->second;
    if (now_ns - told.at_ns > kept_ns_) return std::nullopt;
    return Known{told.inode, now_ns - told.changed_ns < kInUseNs ? told.before : std::nullopt};
  }
  return std::nullopt;
}

void KnownNames::forget(InodeId parent, std::string_view name) {
  const std::string key = key_of(parent, name);
  Shard& shard = shards_[shard_of(key)];
  MutexLock lock(shard.mutex);
  shard.recent.erase(key);
  shard.before.erase(key);
}

}  // namespace weir::vfs
