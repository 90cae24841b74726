#pragma once

#include <string>

#include "kv/engine.h"

namespace weir::kv {

/// The embedded engine in directory `path`, which only one process can have open. Blocks on disk.
/// A commit survives the death of the process; barrier() makes all before it survive a power loss.
/// Errors as open_engine() says.
Result<std::unique_ptr<Engine>> open_rocksdb(const std::string& path, bool create);

}  // namespace weir::kv
