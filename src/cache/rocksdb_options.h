#pragma once

#include <rocksdb/options.h>

namespace weir::cache {

struct DatabaseMemory;

/// How the cache's databases are run. Their messages go to Weir's log.
rocksdb::Options rocksdb_options(const DatabaseMemory& memory);

}  // namespace weir::cache
