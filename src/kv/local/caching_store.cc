#include "kv/local/caching_store.h"

namespace weir::kv {
namespace {

// Of a table's node, its place among the others, and two strings.
constexpr size_t kRowOverheadBytes = 128;
// A bigger row would throw out many.
constexpr size_t kRowBytesMax = 8u << 10;

size_t cost(std::string_view key, const std::optional<Value>& value) {
  return kRowOverheadBytes + key.size() + (value ? value->bytes.size() : 0);
}

}  // namespace

CachingStore::CachingStore(std::unique_ptr<OrderedStore> below, size_t bytes_max)
    : below_(std::move(below)), table_bytes_max_(bytes_max / kShards / 2) {}

std::optional<std::optional<Value>> CachingStore::find(std::string_view key, uint64_t* changes) {
  Shard& shard = shard_of(key);
  MutexLock lock(shard.mutex);
  if (auto found = shard.young.find(key); found != shard.young.end()) return found->second;
  if (auto found = shard.old.find(key); found != shard.old.end()) {
    std::optional<Value> value = found->second;
    drop(shard, key);
    keep(shard, key, value);
    return value;
  }
  *changes = shard.changes;
  return std::nullopt;
}

void CachingStore::remember(std::string_view key, const std::optional<Value>& value, uint64_t changes) {
  Shard& shard = shard_of(key);
  MutexLock lock(shard.mutex);
  if (shard.writing > 0 || shard.changes != changes) return;
  drop(shard, key);
  keep(shard, key, value);
}

void CachingStore::begin_write(std::string_view key) {
  Shard& shard = shard_of(key);
  MutexLock lock(shard.mutex);
  ++shard.writing;
  ++shard.changes;
  drop(shard, key);
}

void CachingStore::end_write(std::string_view key, const std::optional<Value>* value) {
  Shard& shard = shard_of(key);
  MutexLock lock(shard.mutex);
  --shard.writing;
  ++shard.changes;
  if (value) keep(shard, key, *value);
}

void CachingStore::keep(Shard& shard, std::string_view key, const std::optional<Value>& value) {
  const size_t row_bytes = cost(key, value);
  if (row_bytes > kRowBytesMax || row_bytes > table_bytes_max_) return;
  if (shard.young_bytes + row_bytes > table_bytes_max_) {
    shard.old = std::exchange(shard.young, {});
    shard.old_bytes = std::exchange(shard.young_bytes, 0);
  }
  if (shard.young.emplace(Bytes(key), value).second) shard.young_bytes += row_bytes;
}

void CachingStore::drop(Shard& shard, std::string_view key) {
  if (auto found = shard.young.find(key); found != shard.young.end()) {
    shard.young_bytes -= cost(key, found->second);
    shard.young.erase(found);
  }
  if (auto found = shard.old.find(key); found != shard.old.end()) {
    shard.old_bytes -= cost(key, found->second);
    shard.old.erase(found);
  }
}

Result<std::optional<Value>> CachingStore::get(std::string_view key) {
  uint64_t changes = 0;
  if (auto found = find(key, &changes)) return std::move(*found);
  ASSIGN_OR_RETURN(std::optional<Value> value, below_->get(key));
  remember(key, value, changes);
  return value;
}

Result<std::vector<std::optional<Value>>> CachingStore::get_many(const std::vector<Bytes>& keys) {
  struct Missing {
    size_t index;
    uint64_t changes;
  };
  std::vector<std::optional<Value>> values(keys.size());
  std::vector<Missing> missing;
  std::vector<Bytes> missing_keys;
  for (size_t i = 0; i < keys.size(); ++i) {
    uint64_t changes = 0;
    if (auto found = find(keys[i], &changes)) {
      values[i] = std::move(*found);
      continue;
    }
    missing.push_back({i, changes});
    missing_keys.push_back(keys[i]);
  }
  if (missing.empty()) return values;
  ASSIGN_OR_RETURN(std::vector<std::optional<Value>> read, below_->get_many(missing_keys));
  for (size_t i = 0; i < missing.size(); ++i) {
    remember(missing_keys[i], read[i], missing[i].changes);
    values[missing[i].index] = std::move(read[i]);
  }
  return values;
}

Result<std::vector<KeyValue>> CachingStore::scan(const KeyRange& range, size_t limit, bool reverse) {
  return below_->scan(range, limit, reverse);
}

Status CachingStore::write(const WriteSet& writes, Version version) {
  // While the write is under way nobody finds one of its keys here, so all of it becomes visible at one moment: when
  // the store below has it.
  for (const auto& write : writes.writes()) begin_write(write.first);
  Status written = below_->write(writes, version);
  for (const auto& [key, bytes] : writes.writes()) {
    const std::optional<Value> value = bytes ? std::optional(Value{*bytes, version}) : std::nullopt;
    end_write(key, written ? &value : nullptr);
  }
  return written;
}

size_t CachingStore::bytes() const {
  size_t total = 0;
  for (const Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    total += shard.young_bytes + shard.old_bytes;
  }
  return total;
}

}  // namespace weir::kv
