#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"

namespace weir {

/// What was noted of a key a moment ago: for at least `kept_ns` since it was noted last, and for less than twice that
/// since it was noted first. Bounded: of `capacity` keys in each `kept_ns`; what there is no room for is not noted.
/// What is passed to it is called under a lock and must not call it again. Thread-safe; never blocks.
template <typename Key, typename Value, typename Hash = std::hash<Key>>
class RecentTable {
 public:
  /// Requires: `clock` outlives this.
  RecentTable(Clock& clock, int64_t kept_ns, size_t capacity)
      : clock_(clock), kept_ns_(kept_ns), shard_capacity_(capacity / kShards) {}

  /// Calls `change(Value&)` on what is noted of the key, or else on a new value. False: no room, and not called.
  template <typename Change>
  bool note(const Key& key, Change change) {
    Shard& shard = shard_of(key);
    MutexLock lock(shard.mutex);
    turn(shard);
    const auto found = shard.recent.find(key);
    if (found == shard.recent.end() && shard.recent.size() >= shard_capacity_) return false;
    change(found != shard.recent.end() ? found->second : renewed(shard, key));
    return true;
  }

  /// As note(), but only if something is noted of the key: what another thread forgets meanwhile stays forgotten.
  /// Where there is no room, what is changed is kept for as long as it would have been.
  template <typename Change>
  void note_again(const Key& key, Change change) {
    Shard& shard = shard_of(key);
    MutexLock lock(shard.mutex);
    turn(shard);
    if (auto found = shard.recent.find(key); found != shard.recent.end()) return change(found->second);
    const auto earlier = shard.before.find(key);
    if (earlier == shard.before.end()) return;
    change(shard.recent.size() < shard_capacity_ ? renewed(shard, key) : earlier->second);
  }

  /// Calls `change(Value&)` on what is noted of the key, if anything is.
  template <typename Change>
  void change(const Key& key, Change change) {
    Shard& shard = shard_of(key);
    MutexLock lock(shard.mutex);
    turn(shard);
    for (Map* map : {&shard.recent, &shard.before})
      if (auto found = map->find(key); found != map->end()) change(found->second);
  }

  std::optional<Value> of(const Key& key) const {
    const Shard& shard = shards_[Hash()(key) % kShards];
    MutexLock lock(shard.mutex);
    const int64_t age_ns = clock_.monotonic_ns() - shard.since_ns;
    if (age_ns >= 2 * kept_ns_) return std::nullopt;
    if (auto found = shard.recent.find(key); found != shard.recent.end()) return found->second;
    if (age_ns >= kept_ns_) return std::nullopt;
    const auto earlier = shard.before.find(key);
    if (earlier == shard.before.end()) return std::nullopt;
    return earlier->second;
  }

  void forget(const Key& key) {
    Shard& shard = shard_of(key);
    MutexLock lock(shard.mutex);
    shard.recent.erase(key);
    shard.before.erase(key);
  }

 private:
  using Map = std::unordered_map<Key, Value, Hash>;
  struct Shard {
    mutable Mutex mutex;
    Map recent GUARDED_BY(mutex);  // noted since `since_ns`
    Map before GUARDED_BY(mutex);
    int64_t since_ns GUARDED_BY(mutex) = 0;
  };
  static constexpr size_t kShards = 16;

  Shard& shard_of(const Key& key) { return shards_[Hash()(key) % kShards]; }

  /// What is noted of a key that is not in `recent`, which has room: there from now on.
  Value& renewed(Shard& shard, const Key& key) REQUIRES(shard.mutex) {
    Value& value = shard.recent[key];
    if (auto earlier = shard.before.find(key); earlier != shard.before.end()) {
      value = std::move(earlier->second);
      shard.before.erase(earlier);
    }
    return value;
  }

  /// What lies in `recent` when it becomes `before` is kept for `kept_ns` more.
  void turn(Shard& shard) REQUIRES(shard.mutex) {
    const int64_t now_ns = clock_.monotonic_ns();
    if (now_ns - shard.since_ns < kept_ns_) return;
    shard.before = now_ns - shard.since_ns < 2 * kept_ns_ ? std::move(shard.recent) : Map();
    shard.recent.clear();
    shard.since_ns = now_ns;
  }

  Clock& clock_;
  const int64_t kept_ns_;
  const size_t shard_capacity_;
  std::array<Shard, kShards> shards_;
};

}  // namespace weir
