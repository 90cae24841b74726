#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// One line of `weir doctor`.
struct Finding {
  enum class Level { kInfo, kOk, kWarning, kFailure };
  Level level = Level::kOk;
  std::string name;  // stable, for programs: "dev_fuse"
  std::string what;  // what is so, and, unless it is fine, what to do
};
using Findings = std::vector<Finding>;

std::string_view level_name(Finding::Level level);

}  // namespace weir
