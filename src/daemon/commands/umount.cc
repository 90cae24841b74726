#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/commands/commands.h"
#include "daemon/daemon.h"
#include "vfs/admin.h"

namespace weir {

/// The daemon ends by itself when the kernel has let go of the mount.
Result<Json> run_umount(Daemon& daemon, const Json& request) {
  bool lazy = json_flag(request, "lazy");
  TRY(daemon.unmount(lazy ? fuse::UnmountMode::kLazy : fuse::UnmountMode::kClean));
  vfs::FilesystemStatus status = vfs::status(daemon.filesystem());
  Json json;
  json["pid"] = ::getpid();
  json["supervisor"] = daemon.link().supervisor();
  json["unstored_bytes"] = status.upload.backlog_bytes;
  json["open_handles"] = status.open_handles;
  return json;
}

}  // namespace weir
