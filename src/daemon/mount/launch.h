#pragma once

#include <string>

#include "base/result.h"
#include "daemon/mount/mount_config.h"

namespace weir {

/// What a running daemon says of itself.
struct Launched {
  int64_t pid = 0;
  std::string mount_point;
  bool created = false;  // the volume is new
};

/// Starts a supervisor and a daemon in the background and returns when the mount answers, or with the one error that
/// kept it from doing so. Requires: no threads yet, since it forks; config.log_file is set. Blocks: as long as the
/// start takes.
Result<Launched> launch_in_background(const MountConfig& config);

/// Is the supervisor, until told to end by a signal, `weir umount`, or umount(8); logs to stderr unless config.log_file
/// is set. Requires: no threads yet.
Status run_in_foreground(const MountConfig& config);

/// What the processes of a mount run, that find their socket at kInheritedSocket (supervisor/spawn.h). Exit codes.
int run_daemon_process();
int run_supervisor_process();

}  // namespace weir
