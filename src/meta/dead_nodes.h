#pragma once

#include <vector>

#include "meta/volume.h"

/// What nodes that are not alive left behind (docs/nodes.md). Internal.
namespace weir::meta {

struct DeadNode {
  NodeId node;
  kv::Version version = 0;  // of its `N` row
};

/// Other nodes that left, or were fenced.
Result<std::vector<DeadNode>> dead_nodes(Volume& volume);
/// Validates that it has not come back. Stale: it has.
Status check_dead(kv::Transaction& transaction, const DeadNode& dead);

/// Erases an inode without names that the dead node had open. Requires: the transaction validates that it is dead.
Status erase_orphan(Volume& volume, kv::Transaction& transaction, const DeadNode& dead, InodeId inode);

}  // namespace weir::meta
