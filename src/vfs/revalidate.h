#pragma once

#include <optional>

#include "vfs/core.h"

namespace weir::vfs {

/// Somebody here was granted a lock that other nodes see: all that have the file open here see it as it is published
/// now, also by descriptors that were opened before; what was written here and is not published goes first. From now on
/// the kernel is not given the file to read by itself. Readers to whom it shows an older content by itself already keep
/// that; Io, if there are writers beside them, who must not have the lock. `known`: the inode as it was when the lock
/// was granted. Blocks; never from a thread that answers the kernel.
Status revalidate(Core& core, InodeId inode, const std::optional<Inode>& known);

}  // namespace weir::vfs
