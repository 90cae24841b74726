#include "kv/memory/memory_store.h"

namespace weir::kv {

Result<std::optional<Value>> MemoryStore::get(std::string_view key) {
  MutexLock lock(disk_->mutex);
  TRY(alive());
  return find(key);
}

Result<std::vector<std::optional<Value>>> MemoryStore::get_many(const std::vector<Bytes>& keys) {
  MutexLock lock(disk_->mutex);
  TRY(alive());
  std::vector<std::optional<Value>> values;
  values.reserve(keys.size());
  for (const Bytes& key : keys) values.push_back(find(key));
  return values;
}

Result<std::vector<KeyValue>> MemoryStore::scan(const KeyRange& range, size_t limit, bool reverse) {
  MutexLock lock(disk_->mutex);
  TRY(alive());
  std::vector<KeyValue> rows;
  auto first = disk_->values.lower_bound(range.begin);
  auto last = range.end.empty() ? disk_->values.end() : disk_->values.lower_bound(range.end);
  if (!range.end.empty() && range.end <= range.begin) return rows;
  while (first != last && rows.size() < limit) {
    const auto& [key, value] = reverse ? *--last : *first++;
    rows.push_back({key, value.bytes, value.version});
  }
  return rows;
}

Status MemoryStore::write(const WriteSet& writes, Version version) {
  MutexLock lock(disk_->mutex);
  TRY(alive());
  for (const auto& [key, bytes] : writes.writes()) {
    disk_->synced.try_emplace(key, find(key));
    if (bytes)
      disk_->values.insert_or_assign(key, Value{*bytes, version});
    else
      disk_->values.erase(key);
  }
  return {};
}

Result<Version> MemoryStore::reserve_versions(uint64_t count) {
  MutexLock lock(disk_->mutex);
  TRY(alive());
  const Version first = disk_->next_version;
  disk_->next_version += count;
  return first;
}

Status MemoryStore::sync() {
  MutexLock lock(disk_->mutex);
  TRY(alive());
  disk_->synced.clear();
  return {};
}

Status MemoryStore::alive() const {
  if (disk_->life != life_) return error(Code::kUnavailable, "the memory engine has crashed");
  return {};
}

std::optional<Value> MemoryStore::find(std::string_view key) const {
  auto value = disk_->values.find(key);
  if (value == disk_->values.end()) return std::nullopt;
  return value->second;
}

}  // namespace weir::kv
