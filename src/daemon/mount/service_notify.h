#pragma once

#include <string_view>

namespace weir {

/// Tells the service manager that started this process how far it is ("READY=1", "STOPPING=1"), by the datagram that
/// sd_notify(3) describes. Nothing happens when $NOTIFY_SOCKET is not set or nobody listens. Never blocks.
void notify_service_manager(std::string_view state);

}  // namespace weir
