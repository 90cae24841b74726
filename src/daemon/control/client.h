#pragma once

#include <string>

#include "base/result.h"
#include "daemon/control/message.h"

namespace weir {

/// Sends one request to a daemon and waits for the result; `progress` (may be empty) gets what comes before it, and
/// ends the wait with Interrupted when it returns false. Blocks: as long as the command takes. Unavailable when no
/// daemon listens at `socket_path` or it goes away meanwhile; otherwise the daemon's own error.
Result<Json> ask_daemon(const std::string& socket_path, const Json& request, const ReportProgress& progress);

}  // namespace weir
