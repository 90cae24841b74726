#pragma once

#include "kv/engine.h"
#include "meta/keys.h"

namespace weir::meta {

/// Whether the owner of a reference names the chunk now: as the content of an inode, or as a publish that is being
/// built. False for superseded content. Internal.
Result<bool> reference_is_current(kv::Transaction& transaction, const keys::ReferenceKey& reference);
/// Whether any of a chunk's references is current.
Result<bool> any_reference_is_current(kv::Transaction& transaction, const ChunkId& chunk);

}  // namespace weir::meta
