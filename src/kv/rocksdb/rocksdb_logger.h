#pragma once

#include <memory>

namespace rocksdb {
class Logger;
}

namespace weir::kv {

/// RocksDB's warnings and errors as lines of our log, in place of a file of its own beside the database: that one would
/// need bounds, and fails on a full disk, where it matters most. Thread-safe.
std::shared_ptr<rocksdb::Logger> make_rocksdb_logger();

}  // namespace weir::kv
