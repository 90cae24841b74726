#pragma once

#include "meta/collect.h"
#include "vfs/core.h"

namespace weir::vfs {

/// One run of the collector over the object store; runs of one node take turns. Blocks.
Result<meta::CollectReport> collect_garbage(Core& core, bool ignore_grace, const meta::KeepGoing& keep_going);

}  // namespace weir::vfs
