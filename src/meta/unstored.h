#pragma once

#include <set>
#include <vector>

#include "meta/volume.h"

/// Who holds and who names chunks that are not stored. Thread rule and errors as in names.h.
namespace weir::meta {

/// The chunks that this node has the duty to upload, in the order of their ids.
Result<std::vector<ChunkId>> duties_of_this_node(Volume& volume);

/// The inodes that have a reference to the chunk, of their content now or of superseded content.
Result<std::set<InodeId>> owners_of(kv::Engine& engine, const ChunkId& chunk);

/// The same, but only those that name it now.
Result<std::set<InodeId>> current_owners_of(Volume& volume, const ChunkId& chunk);

}  // namespace weir::meta
