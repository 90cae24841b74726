#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace weir::bench {

/// How a file is read. Each opens the file, reads it and closes it, and returns MB/s, or reads a second. Blocks.
Result<double> read_sequentially(const std::string& path, uint64_t bytes, uint64_t request_bytes, int threads);
/// The same past the page cache.
Result<double> read_directly(const std::string& path, uint64_t bytes, uint64_t request_bytes, int threads);
/// Touches every page of a mapping.
Result<double> read_mapped(const std::string& path, uint64_t bytes);
/// `count` reads of 4 KiB at random places.
Result<double> read_randomly(const std::string& path, uint64_t bytes, int count);

}  // namespace weir::bench
