#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace weir::cli {

/// What CLI11 takes as a check: an empty string when the value is fine, else the sentence for the user.
using OptionCheck = std::function<std::string(const std::string&)>;

/// A size of at least `bytes_min`, as base/size_text.h reads it.
OptionCheck size_of_at_least(uint64_t bytes_min);
/// A duration of at least `min_ms`.
OptionCheck duration_of_at_least(int64_t min_ms);
OptionCheck metadata_url();
/// A numeric address with a port, or "none".
OptionCheck network_address();
OptionCheck one_of(const std::vector<std::string>& values);
OptionCheck not_empty(const std::string& what);

}  // namespace weir::cli
