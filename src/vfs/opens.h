#pragma once

#include "vfs/core.h"

/// How descriptors are served: by the kernel itself, through its page cache, or directly (docs/kernel-channel.md, "Open
/// modes").
namespace weir::vfs {

/// Chooses the mode of a new descriptor and counts it; fills all but the handle. Requires: the version is loaded, and
/// O_TRUNC done.
Result<Opened> begin_open(Core& core, File& file, int flags);
/// Readers see the file of the published image itself, by a descriptor or by a mapping that is left of one.
bool is_shown(Core& core, File& file) REQUIRES(file.mutex);
/// A descriptor of this mode is closed. Busy: the file has a live draft that the janitor must settle later.
Status end_open(Core& core, File& file, OpenMode mode);

}  // namespace weir::vfs
