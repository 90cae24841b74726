#pragma once

#include <vector>

#include "kv/engine.h"
#include "meta/volume.h"

namespace weir::meta {

/// A superseded content that a node still has open (docs/data-model.md, "Deleting").
struct Pin {
  Inode inode;               // as it was then
  uint32_t first_epoch = 0;  // of the node ids by which the node's kernel knows it
};

/// From the return until unpin_content(), the collector leaves alone what `pin.inode` names, as long as this node is
/// one. Stale: it was over with it before. Blocks on the engine; twice is harmless.
Status pin_content(Volume& volume, const Pin& pin);
Status unpin_content(Volume& volume, InodeId inode, uint64_t generation);
Result<std::vector<Pin>> pins_of_this_node(Volume& volume);

/// Whether a living node has content of the inode pinned that names what `generation` was the last to name. True or
/// not, nobody can pin it before the transaction ends. Erases pins of nodes that are none any more. Internal.
Result<bool> is_pinned(kv::Transaction& transaction, InodeId inode, uint64_t generation);

}  // namespace weir::meta
