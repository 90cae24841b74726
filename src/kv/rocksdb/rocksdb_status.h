#pragma once

#include <string_view>

#include "base/result.h"

namespace rocksdb {
class Status;
}

namespace weir::kv {

/// Nothing wrong, or RocksDB's failure with our code: NoSpace, ReadOnly, Busy, Corrupt, Io, Unavailable, Unsupported.
/// `action` says what failed and where.
Status status_of_rocksdb(const rocksdb::Status& status, std::string_view action);

}  // namespace weir::kv
