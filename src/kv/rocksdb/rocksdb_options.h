#pragma once

#include <rocksdb/options.h>

namespace weir::kv {

/// Settings of the embedded engine: little memory (limits.h), one writer, point reads of keys that are often absent.
rocksdb::DBOptions database_options();
/// Of the keys and values themselves.
rocksdb::ColumnFamilyOptions content_options();
/// Of the few records that the engine keeps about itself.
rocksdb::ColumnFamilyOptions bookkeeping_options();

}  // namespace weir::kv
