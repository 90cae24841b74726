#include "kv/rocksdb/rocksdb_engine.h"

#include "base/limits.h"
#include "kv/local/caching_store.h"
#include "kv/local/local_engine.h"
#include "kv/rocksdb/rocksdb_store.h"

namespace weir::kv {

Result<std::unique_ptr<Engine>> open_rocksdb(const std::string& path, bool create) {
  ASSIGN_OR_RETURN(EngineDirectory directory, create ? EngineDirectory::create(path) : EngineDirectory::open(path));
  ASSIGN_OR_RETURN(std::unique_ptr<RocksdbStore> store, RocksdbStore::open(std::move(directory), create));
  Capabilities capabilities;
  capabilities.persistent = true;
  auto cached = std::make_unique<CachingStore>(std::move(store), limits::kRowCacheBytes);
  return std::make_unique<LocalEngine>(std::move(cached), capabilities, "rocksdb://" + path);
}

}  // namespace weir::kv
