#pragma once

#include <functional>
#include <string>

#include "vfs/core.h"

namespace weir::vfs {

/// Every regular file at and below `inode`, each with its path relative to it. Directories are read in batches, so
/// memory grows with depth and not with the number of files. `visit` returns false to stop. NotFound.
Status visit_files(Core& core, InodeId inode, const std::function<bool(const Inode&, const std::string& path)>& visit);

}  // namespace weir::vfs
