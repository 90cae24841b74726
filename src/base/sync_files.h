#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace weir::io {

/// Syncs the data of every file in a directory whose name ends with `ending`, and the names. Needs no room on the disk.
/// Files may come and go meanwhile; those that were there before and stay are synced.
Status sync_files(const std::string& directory, std::string_view ending);

}  // namespace weir::io
