#pragma once

#include "kv/engine.h"
#include "meta/keys.h"

namespace weir::meta {

/// Whether the owner of a reference names the chunk now: as the content of an inode, or as a publish that is being
/// built. False for superseded content. Internal.
Result<bool> reference_is_current(kv::Transaction& transaction, const keys::ReferenceKey& reference);
/// The same for a page, and false for one that does not exist.
Result<bool> page_is_current(kv::Transaction& transaction, PageId page);
/// Whether any of a chunk's references is current.
Result<bool> any_reference_is_current(kv::Transaction& transaction, const ChunkId& chunk);

}  // namespace weir::meta
