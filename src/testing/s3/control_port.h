#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "testing/s3/message.h"

namespace weir::testing::s3 {

class FaultServer;

/// What tests in other languages say to a FaultServer, as JSON over HTTP, without signatures (docs/test-servers.md has
/// the commands). Invalid when the command or its document makes no sense.
Result<std::string> control(FaultServer& server, std::string_view method, std::string_view path, std::string_view body);

}  // namespace weir::testing::s3
