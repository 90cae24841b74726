#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

/// Where Weir keeps things when nobody says otherwise (docs/commands.md, "Files"). Pure, except where it says so.
namespace weir {

/// /var/lib/weir for root, otherwise ${XDG_DATA_HOME:-~/.local/share}/weir.
std::string state_home();

/// A file name for a mount point, another for every other one: "/data" is "data", "/mnt/a/b" is "mnt+a+b".
std::string name_of_mount_point(std::string_view mount_point);

/// What `weir up` keeps below its state directory.
struct StatePaths {
  explicit StatePaths(const std::string& directory)
      : metadata(directory + "/meta"),
        store(directory + "/store"),
        cache(directory + "/cache"),
        log(directory + "/weir.log") {}
  std::string metadata;
  std::string store;
  std::string cache;
  std::string log;
};

/// Where control sockets go: /run/weir for root, otherwise $XDG_RUNTIME_DIR/weir, or /tmp/weir-<uid>. Makes it, mode
/// 0700. Permission when it is there and somebody else may write to it.
Result<std::string> runtime_directory();

/// Removes control sockets in `directory` that nobody listens at.
void remove_dead_sockets(const std::string& directory);

}  // namespace weir
