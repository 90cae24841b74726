#include "kv/memory/memory_store.h"

namespace weir::kv {

Result<std::optional<Value>> MemoryStore::get(std::string_view key) {
  MutexLock lock(mutex_);
  TRY(running());
  return find(key);
}

Result<std::vector<std::optional<Value>>> MemoryStore::get_many(const std::vector<Bytes>& keys) {
  MutexLock lock(mutex_);
  TRY(running());
  std::vector<std::optional<Value>> values;
  values.reserve(keys.size());
  for (const Bytes& key : keys) values.push_back(find(key));
  return values;
}

Result<std::vector<KeyValue>> MemoryStore::scan(const KeyRange& range, size_t limit, bool reverse) {
  MutexLock lock(mutex_);
  TRY(running());
  std::vector<KeyValue> rows;
  auto first = values_.lower_bound(range.begin);
  auto last = range.end.empty() ? values_.end() : values_.lower_bound(range.end);
  if (!range.end.empty() && range.end <= range.begin) return rows;
  while (first != last && rows.size() < limit) {
    const auto& [key, value] = reverse ? *--last : *first++;
    rows.push_back({key, value.bytes, value.version});
  }
  return rows;
}

Status MemoryStore::write(const WriteSet& writes, Version version) {
  MutexLock lock(mutex_);
  TRY(running());
  for (const auto& [key, bytes] : writes.writes()) {
    synced_.try_emplace(key, find(key));
    if (bytes)
      values_.insert_or_assign(key, Value{*bytes, version});
    else
      values_.erase(key);
  }
  return {};
}

Result<Version> MemoryStore::reserve_versions(uint64_t count) {
  MutexLock lock(mutex_);
  TRY(running());
  const Version first = next_version_;
  next_version_ += count;
  return first;
}

Status MemoryStore::sync() {
  MutexLock lock(mutex_);
  TRY(running());
  synced_.clear();
  return {};
}

void MemoryStore::crash(bool lose_unsynced) {
  MutexLock lock(mutex_);
  crashed_ = true;
  if (!lose_unsynced) return;
  for (auto& [key, value] : synced_) {
    if (value)
      values_.insert_or_assign(key, std::move(*value));
    else
      values_.erase(key);
  }
  synced_.clear();
}

void MemoryStore::reopen() {
  MutexLock lock(mutex_);
  crashed_ = false;
}

Status MemoryStore::running() const {
  if (crashed_) return error(Code::kUnavailable, "the memory engine has crashed and was not reopened");
  return {};
}

std::optional<Value> MemoryStore::find(std::string_view key) const {
  auto value = values_.find(key);
  if (value == values_.end()) return std::nullopt;
  return value->second;
}

}  // namespace weir::kv
