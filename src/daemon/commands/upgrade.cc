#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/commands/commands.h"
#include "daemon/daemon.h"

namespace weir {

/// This process is killed soon after the answer, or before.
Result<Json> run_upgrade(Daemon& daemon, const Json& request) {
  const std::string binary = json_text(request, "binary").value_or("");
  if (!binary.starts_with('/') || ::access(binary.c_str(), X_OK) != 0)
    return error(Code::kInvalid, "{} is not a program that can be run", binary);
  TRY(daemon.link().upgrade(binary));
  return Json{{"pid", ::getpid()}};
}

}  // namespace weir
