#include "cache/database.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>
#include <sys/statvfs.h>

#include <chrono>
#include <mutex>

#include "base/limits.h"
#include "base/log.h"
#include "base/sync_files.h"
#include "cache/rocksdb_options.h"

namespace weir::cache {

namespace {

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

Code code_of(const rocksdb::Status& status) {
  if (status.IsNoSpace()) return Code::kNoSpace;
  if (status.IsCorruption() || status.IsNotSupported()) return Code::kCorrupt;
  // RocksDB keeps only the text of an errno that it has no status for.
  std::string text = status.ToString();
  if (text.find("Read-only file system") != std::string::npos) return Code::kReadOnly;
  if (text.find("Permission denied") != std::string::npos) return Code::kAccess;
  if (text.find("No space left") != std::string::npos) return Code::kNoSpace;
  return Code::kIo;
}

Result<std::unique_ptr<rocksdb::DB>> open_rocksdb(const std::string& path, const DatabaseMemory& memory) {
  rocksdb::DB* database = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(rocksdb_options(memory), path, &database);
  if (!status.ok()) return error(code_of(status), "open the database {}: {}", path, status.ToString());
  return std::unique_ptr<rocksdb::DB>(database);
}

/// For reading only: needs no room on the disk. Null if that fails too.
std::unique_ptr<rocksdb::DB> open_readable(const std::string& path, const DatabaseMemory& memory) {
  rocksdb::DB* database = nullptr;
  rocksdb::Status status = rocksdb::DB::OpenForReadOnly(rocksdb_options(memory), path, &database);
  if (!status.ok()) log::warning("the database {} cannot even be read: {}", path, status.ToString());
  return std::unique_ptr<rocksdb::DB>(status.ok() ? database : nullptr);
}

int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

}  // namespace

Batch::Batch() : batch_(std::make_unique<rocksdb::WriteBatch>()) {}
Batch::~Batch() = default;
Batch::Batch(Batch&&) noexcept = default;
void Batch::put(std::string_view key, std::string_view value) {
  // A batch in memory cannot fail.
  (void)batch_->Put(slice(key), slice(value));
}
void Batch::erase(std::string_view key) { (void)batch_->Delete(slice(key)); }
bool Batch::empty() const { return batch_->Count() == 0; }

Database::Database(std::string path, const DatabaseMemory& memory, std::unique_ptr<rocksdb::DB> database)
    : path_(std::move(path)), memory_(memory), database_(std::move(database)) {}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, const DatabaseMemory& memory) {
  ASSIGN_OR_RETURN(std::unique_ptr<rocksdb::DB> database, open_rocksdb(path, memory));
  return std::unique_ptr<Database>(new Database(path, memory, std::move(database)));
}

Database::~Database() {
  if (!database_) return;
  // What was written without a log lies only in memory.
  rocksdb::Status flushed = broken_ ? rocksdb::Status() : database_->Flush(rocksdb::FlushOptions());
  rocksdb::Status closed = database_->Close();
  if (!flushed.ok() || !closed.ok())
    log::warning("closing the database {}: {}", path_, (flushed.ok() ? closed : flushed).ToString());
}

Status Database::failure(const rocksdb::Status& status, std::string_view action) const {
  return error(code_of(status), "{} the database {}: {}", action, path_, status.ToString());
}

Status Database::broke(Status how) {
  // Whoever comes before it works again is told the same, not that something is wrong with the disk.
  closed_code_ = how.error().code;
  broken_ = true;
  return how;
}

Status Database::closed() const {
  return error(closed_code_, "the database {} takes nothing until its disk works again", path_);
}

Result<std::optional<Bytes>> Database::get(std::string_view key) {
  ReaderLock lock(mutex_);
  if (!database_) return closed().map([] { return std::optional<Bytes>(); });
  rocksdb::PinnableSlice value;
  rocksdb::Status status = database_->Get(rocksdb::ReadOptions(), database_->DefaultColumnFamily(), slice(key), &value);
  if (status.IsNotFound()) return std::optional<Bytes>();
  if (!status.ok()) return failure(status, "read from").map([] { return std::optional<Bytes>(); });
  return std::optional<Bytes>(value.ToString());
}

Status Database::write(Batch& batch, Log log) {
  if (broken_) TRY(open_again());
  ReaderLock lock(mutex_);
  if (!database_) return closed();
  rocksdb::WriteOptions options;
  options.disableWAL = log == Log::kNone;
  rocksdb::Status status = database_->Write(options, batch.batch_.get());
  if (status.ok()) return {};
  return broke(failure(status, "write to"));
}

/// RocksDB can resume after a failed write by itself, but aborts when it then goes on with a log whose last append
/// failed (github.com/facebook/rocksdb/issues/12998). So nothing is written to it until it has been opened anew.
Status Database::open_again() {
  WriterLock lock(mutex_);
  if (!broken_) return {};
  struct statvfs disk {};
  const bool looked = ::statvfs(path_.c_str(), &disk) == 0;
  if (looked && disk.f_bavail * disk.f_frsize < 2 * memory_.write_buffer_bytes)
    return error(Code::kNoSpace, "the disk of the database {} is full", path_);
  if (now_ns() < next_attempt_ns_) return closed();
  next_attempt_ns_ = now_ns() + limits::kCacheReopenMs * 1'000'000;
  if (database_) {
    rocksdb::Status closed = database_->Close();
    if (!closed.ok()) log::debug("closing the database {}: {}", path_, closed.ToString());
    database_.reset();
  }
  auto opened = open_rocksdb(path_, memory_);
  if (!opened) {
    database_ = open_readable(path_, memory_);
    return broke(Failure(opened.error()));
  }
  database_ = std::move(*opened);
  broken_ = false;
  unsynced_ = false;
  log::info("the database {} can be written again", path_);
  return {};
}

Status Database::sync_log() {
  ReaderLock lock(mutex_);
  if (unsynced_) return closed();
  // What was acknowledged is in the tables, which RocksDB syncs, or in the logs, of which the last may end in a write
  // that failed. RocksDB itself aborts when it is to sync a log whose last append failed, and until the thread that met
  // the failure has returned, nobody knows of it.
  Status synced = io::sync_files(path_, ".log");
  if (synced) return {};
  unsynced_ = true;
  return broke(std::move(synced));
}

Status Database::scan(std::string_view prefix, std::string_view from,
                      const std::function<bool(std::string_view key, std::string_view value)>& visit) {
  ReaderLock lock(mutex_);
  if (!database_) return closed();
  std::unique_ptr<rocksdb::Iterator> rows(database_->NewIterator(rocksdb::ReadOptions()));
  for (rows->Seek(slice(from)); rows->Valid() && rows->key().starts_with(slice(prefix)); rows->Next())
    if (!visit(view(rows->key()), view(rows->value()))) break;
  if (!rows->status().ok()) return failure(rows->status(), "scan");
  return {};
}

uint64_t Database::unwritten_bytes() {
  ReaderLock lock(mutex_);
  uint64_t bytes = 0;
  if (database_) database_->GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &bytes);
  return bytes;
}

}  // namespace weir::cache
