#pragma once

#include <string>

#include "daemon/json.h"

namespace weir {

/// All figures of a mounted volume's status (docs/commands.md) for Prometheus. What `status` does not have is left out.
std::string status_metrics(const Json& status);

}  // namespace weir
