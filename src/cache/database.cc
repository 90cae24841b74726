#include "cache/database.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include "base/limits.h"
#include "base/log.h"

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

tl::unexpected<Error> failure(const rocksdb::Status& status, std::string_view action) {
  return error(code_of(status), "{}: {}", action, status.ToString());
}

rocksdb::Options options_of(const DatabaseMemory& memory) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  options.write_buffer_manager = memory.write_buffers;
  options.write_buffer_size = limits::kCacheWriteBufferBytes / 2;
  options.max_write_buffer_number = 2;
  options.max_total_wal_size = limits::kCacheLogBytes;
  options.max_open_files = limits::kCacheOpenFiles;
  options.max_background_jobs = 2;
  options.enable_blob_files = true;
  options.min_blob_size = 1024;
  options.blob_file_size = 128u << 20;
  options.enable_blob_garbage_collection = true;
  options.blob_garbage_collection_age_cutoff = 0.5;
  options.blob_garbage_collection_force_threshold = 0.5;
  options.compression = rocksdb::kNoCompression;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.max_log_file_size = 1u << 20;
  options.keep_log_file_num = 2;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.blocks;
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

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

DatabaseMemory::DatabaseMemory()
    : blocks(rocksdb::NewLRUCache(limits::kCacheBlockCacheBytes)),
      write_buffers(std::make_shared<rocksdb::WriteBufferManager>(limits::kCacheWriteBufferBytes)) {}
DatabaseMemory::~DatabaseMemory() = default;

Database::Database(std::unique_ptr<rocksdb::DB> database) : database_(std::move(database)) {}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, const DatabaseMemory& memory) {
  rocksdb::DB* database = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options_of(memory), path, &database);
  if (!status.ok()) return failure(status, fmt::format("open the database {}", path));
  return std::unique_ptr<Database>(new Database(std::unique_ptr<rocksdb::DB>(database)));
}

Database::~Database() {
  // What was written without a log lies only in memory.
  rocksdb::Status flushed = database_->Flush(rocksdb::FlushOptions());
  rocksdb::Status closed = database_->Close();
  if (!flushed.ok() || !closed.ok())
    log::warning("closing the database {}: {}", database_->GetName(), (flushed.ok() ? closed : flushed).ToString());
}

Result<std::optional<Bytes>> Database::get(std::string_view key) {
  rocksdb::PinnableSlice value;
  rocksdb::Status status = database_->Get(rocksdb::ReadOptions(), database_->DefaultColumnFamily(), slice(key), &value);
  if (status.IsNotFound()) return std::optional<Bytes>();
  if (!status.ok()) return failure(status, fmt::format("read from the database {}", database_->GetName()));
  return std::optional<Bytes>(value.ToString());
}

Status Database::write(Batch& batch, Log log) {
  rocksdb::WriteOptions options;
  options.disableWAL = log == Log::kNone;
  rocksdb::Status status = database_->Write(options, batch.batch_.get());
  // After a failed write the database refuses all others until it is told that the cause may be gone.
  if (!status.ok() && database_->Resume().ok()) status = database_->Write(options, batch.batch_.get());
  if (!status.ok()) return failure(status, fmt::format("write to the database {}", database_->GetName()));
  return {};
}

Status Database::sync_log() {
  rocksdb::Status status = database_->FlushWAL(true);
  if (!status.ok()) return failure(status, fmt::format("sync the database {}", database_->GetName()));
  return {};
}

Status Database::scan(std::string_view prefix, std::string_view from,
                      const std::function<bool(std::string_view key, std::string_view value)>& visit) {
  std::unique_ptr<rocksdb::Iterator> rows(database_->NewIterator(rocksdb::ReadOptions()));
  for (rows->Seek(slice(from)); rows->Valid() && rows->key().starts_with(slice(prefix)); rows->Next())
    if (!visit(view(rows->key()), view(rows->value()))) break;
  if (!rows->status().ok()) return failure(rows->status(), fmt::format("scan the database {}", database_->GetName()));
  return {};
}

Status Database::compact() {
  rocksdb::CompactRangeOptions options;
  options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  rocksdb::Status status = database_->CompactRange(options, nullptr, nullptr);
  if (!status.ok()) return failure(status, fmt::format("compact the database {}", database_->GetName()));
  return {};
}

}  // namespace weir::cache
