#pragma once

#include "vfs/core.h"

namespace weir::vfs {

/// What a power loss took: each chunk that this node was to upload is brought into the store if its bytes are still on
/// the disk but the cache's journal does not know of them any more; what is nowhere is given up. The files that name it
/// become empty, and each is reported: they were new and never synced, since everything else was safe before it had a
/// name. After that the cache's recovery is over. With the store out of reach nothing is given up, and the next start
/// looks again. Requires: what was staged is published.
Status settle_power_loss(Core& core);

}  // namespace weir::vfs
