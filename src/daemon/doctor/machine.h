#pragma once

#include <string>

#include "daemon/doctor/finding.h"

/// What this machine offers to a mount. All read /proc, /sys and /dev only, and never fail.
namespace weir {

Findings check_kernel();
/// What check_kernel() says of a release such as "6.1.0-56-amd64"; pure. `may_lend_files`: the daemon has
/// CAP_SYS_ADMIN.
Findings judge_kernel(const std::string& release, bool may_lend_files);
Findings check_fuse_access();
Findings check_limits();
Findings check_clock();
Findings check_mounts();

}  // namespace weir
