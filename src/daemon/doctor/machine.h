#pragma once

#include "daemon/doctor/finding.h"

/// What this machine offers to a mount. All read /proc, /sys and /dev only, and never fail.
namespace weir {

Findings check_kernel();
Findings check_fuse_access();
Findings check_limits();
Findings check_clock();
Findings check_mounts();

}  // namespace weir
