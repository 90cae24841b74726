#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace rocksdb {
class Cache;
class DB;
class WriteBatch;
class WriteBufferManager;
}  // namespace rocksdb

namespace weir::cache {

/// Changes that are made together or not at all. Thread rule: one thread.
class Batch {
 public:
  Batch();
  ~Batch();
  Batch(Batch&&) noexcept;

  void put(std::string_view key, std::string_view value);
  /// Absence is fine.
  void erase(std::string_view key);
  bool empty() const;

 private:
  friend class Database;
  std::unique_ptr<rocksdb::WriteBatch> batch_;
};

/// Memory that the databases of one cache share.
struct DatabaseMemory {
  DatabaseMemory();
  ~DatabaseMemory();
  std::shared_ptr<rocksdb::Cache> blocks;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
};

enum class Log {
  kProcess,  // survives process death from the return on, power loss after sync_log()
  kNone,     // may be lost with the process
};

/// An ordered map in a directory (RocksDB; values of 1 KiB and more lie in blob files). Thread-safe. Calls block on the
/// disk. A full disk fails writes with NoSpace, and later writes succeed when there is room again.
class Database {
 public:
  /// Corrupt when what is there cannot be read.
  static Result<std::unique_ptr<Database>> open(const std::string& path, const DatabaseMemory& memory);
  /// Writes what memory holds.
  ~Database();

  Result<std::optional<Bytes>> get(std::string_view key);
  Status write(Batch& batch, Log log);
  Status sync_log();
  /// Gives keys from `from` on that begin with `prefix`, in order, until `visit` says false.
  Status scan(std::string_view prefix, std::string_view from,
              const std::function<bool(std::string_view key, std::string_view value)>& visit);
  /// Gives the space of erased values back to the disk.
  Status compact();

 private:
  explicit Database(std::unique_ptr<rocksdb::DB> database);
  std::unique_ptr<rocksdb::DB> database_;
};

}  // namespace weir::cache
