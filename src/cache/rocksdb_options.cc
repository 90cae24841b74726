#include "cache/rocksdb_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

#include "base/limits.h"
#include "base/log.h"
#include "cache/database.h"

namespace weir::cache {

namespace {

/// A log file of its own would be written to a full disk too, and RocksDB aborts when it writes to it after a failure.
class WeirLogger : public rocksdb::Logger {
 public:
  WeirLogger() : Logger(rocksdb::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    std::array<char, 500> line;
    std::vsnprintf(line.data(), line.size(), format, arguments);
    log::debug("cache database: {}", line.data());
  }
};

}  // namespace

rocksdb::Options rocksdb_options(const DatabaseMemory& memory) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  // It would take whole files' space before they are written, which a small or full disk does not have.
  options.allow_fallocate = false;
  options.write_buffer_manager = memory.write_buffers;
  options.write_buffer_size = memory.write_buffer_bytes / 2;
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
  options.info_log = std::make_shared<WeirLogger>();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.blocks;
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

DatabaseMemory::DatabaseMemory(uint64_t disk_bytes)
    : write_buffer_bytes(
          std::clamp<size_t>(disk_bytes / 64, limits::kCacheWriteBufferBytes / 16, limits::kCacheWriteBufferBytes)),
      blocks(rocksdb::NewLRUCache(limits::kCacheBlockCacheBytes)),
      write_buffers(std::make_shared<rocksdb::WriteBufferManager>(write_buffer_bytes)) {}
DatabaseMemory::~DatabaseMemory() = default;

}  // namespace weir::cache
