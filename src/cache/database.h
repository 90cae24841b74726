#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/mutex.h"
#include "base/result.h"

namespace rocksdb {
class Cache;
class DB;
class Status;
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

/// Memory that the databases of one cache share. On a small disk less is written at once.
struct DatabaseMemory {
  explicit DatabaseMemory(uint64_t disk_bytes);
  ~DatabaseMemory();
  size_t write_buffer_bytes;
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
  /// Corrupt when what is there cannot be read. `memory` must outlive the database.
  static Result<std::unique_ptr<Database>> open(const std::string& path, const DatabaseMemory& memory);
  /// Writes what memory holds.
  ~Database();

  Result<std::optional<Bytes>> get(std::string_view key);
  Status write(Batch& batch, Log log);
  /// Everything written so far survives power loss. Needs no room on the disk, also after a write that met a full one.
  Status sync_log();
  /// Gives keys from `from` on that begin with `prefix`, in order, until `visit` says false. `visit` must not come back
  /// here.
  Status scan(std::string_view prefix, std::string_view from,
              const std::function<bool(std::string_view key, std::string_view value)>& visit);
  /// Bytes that will be on the disk, but are not yet.
  uint64_t unwritten_bytes();

 private:
  Database(std::string path, const DatabaseMemory& memory, std::unique_ptr<rocksdb::DB> database);
  Status open_again();
  Status failure(const rocksdb::Status& status, std::string_view action) const;
  Status closed() const;
  /// A write failed: nothing is written until the database has been opened again.
  Status broke(Status how);

  const std::string path_;
  const DatabaseMemory& memory_;
  // Exclusive while the database is opened again.
  SharedMutex mutex_;
  std::unique_ptr<rocksdb::DB> database_;  // none if it could not be opened again
  std::atomic<bool> broken_ = false;       // a write failed
  std::atomic<bool> unsynced_ = false;     // so did a sync: nobody knows what is on the disk
  std::atomic<Code> closed_code_ = Code::kUnavailable;
  int64_t next_attempt_ns_ = 0;  // of opening it again
};

}  // namespace weir::cache
