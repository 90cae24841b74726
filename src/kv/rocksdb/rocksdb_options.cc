#include "kv/rocksdb/rocksdb_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>

#include "base/limits.h"
#include "kv/rocksdb/rocksdb_logger.h"

namespace weir::kv {
namespace {

constexpr double kFilterBitsPerKey = 10;
constexpr int kCacheShardBits = 2;

rocksdb::CompressionType best_compression() {
  const std::vector<rocksdb::CompressionType> known = rocksdb::GetSupportedCompressions();
  const bool lz4 = std::find(known.begin(), known.end(), rocksdb::kLZ4Compression) != known.end();
  return lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
}

}  // namespace

rocksdb::DBOptions database_options() {
  rocksdb::DBOptions options;
  options.max_open_files = limits::kRocksOpenFiles;
  options.max_background_jobs = 2;
  options.max_total_wal_size = limits::kRocksLogBytes;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // The commit gate lets one writer in at a time.
  options.allow_concurrent_memtable_write = false;
  options.enable_write_thread_adaptive_yield = false;
  options.bytes_per_sync = 1u << 20;
  options.info_log = make_rocksdb_logger();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::ColumnFamilyOptions content_options() {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(limits::kRocksCacheBytes, kCacheShardBits);
  table.block_size = 8u << 10;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kFilterBitsPerKey, false));
  // Index and filters grow with the volume: so they lie within the bound of the cache, in pieces, of which the ones in
  // use stay. Whole, the filter of one table would be evicted and read again at every get of a big volume.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.pin_top_level_index_and_filter = true;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;

  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = limits::kRocksWriteBufferBytes;
  options.memtable_prefix_bloom_size_ratio = 0.02;
  options.memtable_whole_key_filtering = true;
  options.level_compaction_dynamic_level_bytes = true;
  options.target_file_size_base = 2 * limits::kRocksWriteBufferBytes;
  options.max_bytes_for_level_base = 8 * limits::kRocksWriteBufferBytes;
  options.compression = best_compression();
  return options;
}

rocksdb::ColumnFamilyOptions bookkeeping_options() {
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = 64u << 10;
  options.compression = rocksdb::kNoCompression;
  return options;
}

}  // namespace weir::kv
