#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "daemon/control/message.h"
#include "daemon/volume/metadata_url.h"

namespace weir::cli {

/// A volume that a command works on.
struct Target {
  std::string control_path;             // of its daemon; empty: it is not mounted here
  std::string mount_point;              // while mounted
  std::optional<MetadataUrl> metadata;  // while not mounted
  bool mounted() const { return !control_path.empty(); }
};

/// A file or directory in a mounted volume.
struct LivePath {
  Target target;
  std::string path;
  uint64_t inode = 0;
};

/// The volume that `text` names: a metadata URL, a path inside a mount, a metadata directory, a state directory of
/// `weir up`, or the mount point of one that is not mounted now. Errors are sentences. Blocks: some seconds at most.
Result<Target> find_target(const std::string& text);

/// Follows symlinks. NotFound: not in a mounted volume, or no such file. Unavailable: its daemon is dead or silent.
Result<LivePath> find_live_path(const std::string& path);

/// Asks the daemon, or does the work here if there is none.
Result<Json> ask(const Target& target, const Json& request, const ReportProgress& progress);

}  // namespace weir::cli
