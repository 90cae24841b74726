#pragma once

#include "meta/content.h"

namespace weir::meta {

/// load_chunks() of content.h in a transaction; nothing for inline content. Conflict when the inode has other content
/// by now and the pages of this one are gone.
Result<std::vector<ChunkId>> load_chunks(kv::Transaction& transaction, const Inode& inode);

}  // namespace weir::meta
