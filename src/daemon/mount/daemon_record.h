#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/node_info.h"

namespace weir {

/// What the daemon of an embedded volume leaves in the metadata directory while it serves, as daemon.json, so that
/// commands that are given the metadata URL find it.
struct DaemonRecord {
  int64_t pid = 0;
  std::string control_path;
  std::string mount_point;
  ProcessIdentity supervisor;
};

/// All block on disk.
Status write_daemon_record(const std::string& metadata_directory, const DaemonRecord& record);
void remove_daemon_record(const std::string& metadata_directory);
/// Nothing when there is none, or the daemon that wrote it listens no more. While its supervisor lives, another daemon
/// is about to go on: waits for that one. Permission: another user's daemon. Unavailable: no daemon came in that time.
/// Blocks: up to limits::kMountProbeMs.
Result<std::optional<DaemonRecord>> read_live_daemon(const std::string& metadata_directory);

}  // namespace weir
