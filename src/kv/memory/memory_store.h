#pragma once

#include <functional>
#include <map>
#include <memory>

#include "base/mutex.h"
#include "kv/local/ordered_store.h"

namespace weir::kv {

/// What a memory engine has for a disk: content that outlives its crashes. Thread-safe.
struct MemoryDisk {
  Mutex mutex;
  std::map<Bytes, Value, std::less<>> values GUARDED_BY(mutex);
  /// What a key was at the last sync(), for every key written since.
  std::map<Bytes, std::optional<Value>> synced GUARDED_BY(mutex);
  Version next_version GUARDED_BY(mutex) = 1;
  /// Of the process that runs; 0 while none does.
  uint64_t life GUARDED_BY(mutex) = 0;
};

/// The disk as one process sees it: everything fails Unavailable once its life is over. Never blocks for long.
class MemoryStore final : public OrderedStore {
 public:
  MemoryStore(std::shared_ptr<MemoryDisk> disk, uint64_t life) : disk_(std::move(disk)), life_(life) {}

  Result<std::optional<Value>> get(std::string_view key) override;
  Result<std::vector<std::optional<Value>>> get_many(const std::vector<Bytes>& keys) override;
  Result<std::vector<KeyValue>> scan(const KeyRange& range, size_t limit, bool reverse) override;
  Status write(const WriteSet& writes, Version version) override;
  Result<Version> reserve_versions(uint64_t count) override;
  Status sync() override;

 private:
  Status alive() const REQUIRES(disk_->mutex);
  std::optional<Value> find(std::string_view key) const REQUIRES(disk_->mutex);

  const std::shared_ptr<MemoryDisk> disk_;
  const uint64_t life_;
};

}  // namespace weir::kv
