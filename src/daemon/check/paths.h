#pragma once

#include <map>
#include <set>
#include <string>

#include "base/result.h"
#include "kv/engine.h"
#include "model/ids.h"

namespace weir {

/// A path, from the volume's root, for each of these inodes that has a name. Reads all directory entries. Blocks.
Result<std::map<InodeId, std::string>> find_paths(kv::Engine& engine, const std::set<InodeId>& inodes);

}  // namespace weir
