#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "daemon/mount/launch.h"
#include "daemon/mount/mount_config.h"

namespace CLI {
class App;
}

namespace weir::cli {

/// The options that `up` and `mount` share.
class MountOptions {
 public:
  void add_to(CLI::App& app);
  /// What was asked for, with absolute paths; the metadata, the mount point and defaults of the paths are the caller's.
  MountConfig config() const;
  bool foreground() const { return foreground_; }

 private:
  std::string cache_directory_;
  std::string zone_;
  std::string listen_;
  std::string advertise_;
  std::string metrics_token_;
  std::string cache_size_;
  std::string cache_reserve_;
  std::string read_timeout_ = "60s";
  std::string when_full_ = "enospc";
  std::string durability_;
  std::string upload_limit_;
  std::string log_file_;
  std::string log_level_ = "info";
  std::string passthrough_ = "auto";
  std::string locks_;
  bool foreground_ = false;
  bool nonempty_ = false;
  bool allow_other_ = false;
  bool no_allow_other_ = false;
  int workers_ = 0;
};

/// The path of a mount point as the kernel names it: absolute, symlinks resolved unless that would touch a dead mount.
std::string resolved_mount_point(const std::string& path);

/// Mounts in the background, or serves here until the volume is unmounted. Requires: no threads yet.
Result<Launched> start_daemon(const MountConfig& config, bool foreground);

}  // namespace weir::cli
