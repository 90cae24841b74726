#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "daemon/mount/mount_config.h"

namespace weir {

/// What a running daemon says of itself.
struct Launched {
  int64_t pid = 0;
  std::string mount_point;
  bool created = false;  // what `prepare` returned
};

/// Runs in the daemon's process before it starts: RocksDB's threads do not survive a fork, so whatever opens an engine
/// belongs there. True: the volume was created.
using Prepare = std::function<Result<bool>()>;

/// Starts a daemon in the background and returns when the mount answers, or with the one error that kept it from doing
/// so. Requires: no threads yet, since it forks; config.log_file is set. Blocks: as long as the start takes.
Result<Launched> launch_in_background(const MountConfig& config, const Prepare& prepare);

/// Runs the daemon in this process until it is told to end by a signal, `weir umount`, or umount(8); logs to stderr
/// unless config.log_file is set.
Status run_in_foreground(const MountConfig& config, const Prepare& prepare);

}  // namespace weir
