#pragma once

#include <array>
#include <memory>
#include <unordered_map>

#include "base/mutex.h"
#include "kv/local/ordered_store.h"

namespace weir::kv {

/// An OrderedStore that keeps the rows used last in memory, absent ones too: to look into a table in memory costs a
/// tenth of a read of the store below, and the rows of one file are read many times in its first moments. What get()
/// and get_many() return is what the store below would have returned. Thread-safe as its interface says.
class CachingStore final : public OrderedStore {
 public:
  /// Keeps rows of `bytes_max` bytes in all, their keys and an estimate of the tables' own bytes included.
  CachingStore(std::unique_ptr<OrderedStore> below, size_t bytes_max);

  Result<std::optional<Value>> get(std::string_view key) override;
  Result<std::vector<std::optional<Value>>> get_many(const std::vector<Bytes>& keys) override;
  Result<std::vector<KeyValue>> scan(const KeyRange& range, size_t limit, bool reverse) override;
  Status write(const WriteSet& writes, Version version) override;
  Result<Version> reserve_versions(uint64_t count) override { return below_->reserve_versions(count); }
  Status sync() override { return below_->sync(); }

  /// What is kept now.
  size_t bytes() const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  using Rows = std::unordered_map<Bytes, std::optional<Value>, Hash, std::equal_to<>>;

  /// A part of the rows, by the hash of their keys. Two tables instead of a list of uses: a row that is used moves to
  /// the young one; when that is full, the old one is thrown away and the young one becomes the old.
  struct Shard {
    mutable Mutex mutex;
    Rows young GUARDED_BY(mutex);
    Rows old GUARDED_BY(mutex);
    size_t young_bytes GUARDED_BY(mutex) = 0;
    size_t old_bytes GUARDED_BY(mutex) = 0;
    uint64_t changes GUARDED_BY(mutex) = 0;  // moves when a write begins and when it ends
    int writing GUARDED_BY(mutex) = 0;
  };

  /// What was found in memory; otherwise `changes` is what remember() wants to hear after the read.
  std::optional<std::optional<Value>> find(std::string_view key, uint64_t* changes);
  /// Keeps what the store below answered, unless a write of this shard began since find(): then it may be out of date.
  void remember(std::string_view key, const std::optional<Value>& value, uint64_t changes);
  void begin_write(std::string_view key);
  /// `value`: what the key has now; nullptr when the write failed.
  void end_write(std::string_view key, const std::optional<Value>* value);
  void keep(Shard& shard, std::string_view key, const std::optional<Value>& value) REQUIRES(shard.mutex);
  static void drop(Shard& shard, std::string_view key) REQUIRES(shard.mutex);
  Shard& shard_of(std::string_view key) { return shards_[Hash()(key) >> 8 & (kShards - 1)]; }

  static constexpr size_t kShards = 16;
  const std::unique_ptr<OrderedStore> below_;
  const size_t table_bytes_max_;
  std::array<Shard, kShards> shards_;
};

}  // namespace weir::kv
