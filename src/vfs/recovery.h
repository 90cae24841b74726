#pragma once

#include "vfs/core.h"

namespace weir::vfs {

/// Publishes what an earlier life of this node left in staging, and erases its orphans. What cannot be published stays
/// staged for the next start, and is reported.
Status recover(Core& core);

}  // namespace weir::vfs
