#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "kv/engine.h"
#include "model/ids.h"

/// Which node of a shared volume a machine is. Its cache directory says so, since that is what makes it that node:
/// content that is stored nowhere else may lie there (docs/nodes.md).
namespace weir {

/// Nothing when the directory, or the file in it, is not there. Invalid: it is of another volume; Corrupt.
Result<std::optional<NodeId>> read_node_file(const std::string& cache_directory, const std::string& volume_id);
/// Makes the directory when it is missing. Survives power loss when it returns.
Status write_node_file(const std::string& cache_directory, const std::string& volume_id, NodeId node);

/// A number that no node of the volume ever had.
Result<NodeId> new_node_id(kv::Engine& engine);

}  // namespace weir
