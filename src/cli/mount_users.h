#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::cli {

struct MountUser {
  int64_t pid = 0;
  std::string name;
};

/// Processes that have something below `mount_point` open, mapped, or as their directory; as far as this user may see.
/// Reads /proc only, never the mount. Blocks shortly.
std::vector<MountUser> users_of_mount(const std::string& mount_point);

/// "bash (12), python3 (99) and 3 more"; empty for none.
std::string describe(const std::vector<MountUser>& users);

}  // namespace weir::cli
