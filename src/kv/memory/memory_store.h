#pragma once

#include <functional>
#include <map>

#include "base/mutex.h"
#include "kv/local/ordered_store.h"

namespace weir::kv {

/// std::map with versions. Fault model: MemoryEngine. Never blocks for long.
class MemoryStore final : public OrderedStore {
 public:
  Result<std::optional<Value>> get(std::string_view key) override;
  Result<std::vector<std::optional<Value>>> get_many(const std::vector<Bytes>& keys) override;
  Result<std::vector<KeyValue>> scan(const KeyRange& range, size_t limit, bool reverse) override;
  Status write(const WriteSet& writes, Version version) override;
  Result<Version> reserve_versions(uint64_t count) override;
  Status sync() override;

  /// Everything fails Unavailable from now on. `lose_unsynced`: what was written since the last sync() is taken back.
  void crash(bool lose_unsynced);
  /// Ends a crash.
  void reopen();

 private:
  Status running() const REQUIRES(mutex_);
  std::optional<Value> find(std::string_view key) const REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::map<Bytes, Value, std::less<>> values_ GUARDED_BY(mutex_);
  /// What a key was at the last sync(), for every key written since.
  std::map<Bytes, std::optional<Value>> synced_ GUARDED_BY(mutex_);
  Version next_version_ GUARDED_BY(mutex_) = 1;
  bool crashed_ GUARDED_BY(mutex_) = false;
};

}  // namespace weir::kv
