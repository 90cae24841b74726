#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "kv/local/ordered_store.h"
#include "kv/rocksdb/engine_directory.h"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Status;
}  // namespace rocksdb

namespace weir::kv {

/// An OrderedStore in RocksDB. Thread-safe as its interface says.
/// A value is stored behind its version, 8 bytes big-endian. The end of the reserved versions is the one record of a
/// second column family, written with fsync before a version of the block is used.
class RocksdbStore final : public OrderedStore {
 public:
  /// Opens the database in `directory`, or makes it when `create`. Takes the directory over.
  static Result<std::unique_ptr<RocksdbStore>> open(EngineDirectory directory, bool create);
  ~RocksdbStore() override;

  Result<std::optional<Value>> get(std::string_view key) override;
  Result<std::vector<std::optional<Value>>> get_many(const std::vector<Bytes>& keys) override;
  Result<std::vector<KeyValue>> scan(const KeyRange& range, size_t limit, bool reverse) override;
  Status write(const WriteSet& writes, Version version) override;
  Result<Version> reserve_versions(uint64_t count) override;
  Status sync() override;

 private:
  explicit RocksdbStore(EngineDirectory directory);

  Status open_database(bool create);
  Status read_reserved_end();
  /// Asks RocksDB now and then to write again after a write failed, as on a full disk.
  void resume_if_stopped();
  Status checked(const rocksdb::Status& status, std::string_view action) const;

  // Released last: the lock outlives the database.
  EngineDirectory directory_;
  std::unique_ptr<rocksdb::DB> database_;
  rocksdb::ColumnFamilyHandle* content_ = nullptr;
  rocksdb::ColumnFamilyHandle* bookkeeping_ = nullptr;
  std::atomic<bool> unsynced_ = false;  // a sync failed: nobody knows what is on the disk
  // By the one writer only.
  Version reserved_end_ = 1;
  bool stopped_ = false;
  int64_t resumed_ns_ = 0;
};

}  // namespace weir::kv
