#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weir {

/// Reads "4096", "64KiB", "1.5GiB", "2TB", "10G" as bytes: KiB/MiB/GiB/TiB/PiB and K/M/G/T/P are powers of 1024,
/// kB/KB/MB/GB/TB/PB powers of 1000. Anything else, blanks and signs included, is Invalid with a sentence that quotes
/// `text`, says why, and shows a right one.
Result<uint64_t> parse_bytes(std::string_view text);

/// "0 B", "640 B", "1.5 GiB": at most four significant digits.
std::string format_bytes(uint64_t bytes);

/// Reads "30s", "5m", "1h", "250ms" or a bare number of seconds as milliseconds; errors as above.
Result<int64_t> parse_duration_ms(std::string_view text);

}  // namespace weir
