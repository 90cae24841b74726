#pragma once

#include <string>

#include "daemon/doctor/finding.h"

/// The places that a volume lives in. All block on disk or network, and leave nothing behind.
namespace weir {

/// Writes and reads a file of 16 MiB in the directory, or in the nearest one above it that exists.
Findings check_cache_disk(const std::string& directory);

/// Puts an object, reads it back and removes it. `marker`: of the volume.
Findings check_store(const std::string& store_url, const std::string& marker);

}  // namespace weir
