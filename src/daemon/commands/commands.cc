#include "daemon/commands/commands.h"

#include <nlohmann/json.hpp>

#include "daemon/daemon.h"

namespace weir {

Result<Json> run_command(Daemon& daemon, const Json& request, const ReportProgress& progress) {
  std::string command = json_text(request, "command").value_or("");
  if (command == "status") return run_status(daemon);
  if (command == "stat") return run_stat(daemon, request);
  if (command == "sync") return run_sync(daemon, request, progress);
  if (command == "warm") return run_warm(daemon, request, progress);
  if (command == "evict") return run_evict(daemon, request, progress);
  if (command == "gc") return run_gc(daemon, request, progress);
  if (command == "fsck") return run_fsck(daemon, request, progress);
  if (command == "umount") return run_umount(daemon, request);
  if (command == "upgrade") return run_upgrade(daemon, request);
  return error(Code::kUnsupported, "the daemon knows no command '{}'; it may be of another version than this weir",
               command);
}

Result<Json> run_unmounted_command(const MetadataUrl& metadata, const Json& request, const ReportProgress& progress) {
  std::string command = json_text(request, "command").value_or("");
  if (command == "status") return run_unmounted_status(metadata);
  if (command != "gc" && command != "fsck")
    return error(Code::kUnsupported, "'{}' works on a mounted volume only", command);
  ASSIGN_OR_RETURN(std::unique_ptr<OpenedVolume> opened, open_volume({.metadata = metadata}));
  opened->lease->keep([] {});  // a command that loses the node can commit nothing more, and says so itself
  return command == "gc" ? run_unmounted_gc(*opened, request, progress)
                         : run_unmounted_fsck(*opened, request, progress);
}

}  // namespace weir
