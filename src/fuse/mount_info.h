#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::fuse {

inline constexpr std::string_view kFileSystemType = "fuse.weir";

/// One line of /proc/self/mountinfo.
struct MountInfo {
  std::string mount_point;
  std::string root;     // what of the filesystem is mounted: "/", or a directory of a bind mount
  std::string source;   // of our mounts the volume's name
  std::string fs_type;  // kFileSystemType of ours
  std::string options;  // of the filesystem, such as "rw,user_id=0"
  unsigned device_major = 0;
  unsigned device_minor = 0;  // for FUSE also the name of its directory below /sys/fs/fuse/connections

  bool is_weir() const { return fs_type == kFileSystemType; }
};

/// The mounts described by `text`, which has the form of /proc/self/mountinfo. Lines that make no sense are left out.
std::vector<MountInfo> parse_mount_info(std::string_view text);

/// The mount on which `path` lies according to `mounts`: the longest mount point that is a prefix by whole components,
/// of stacked ones the uppermost. Requires: `path` is absolute and without "." and "..".
std::optional<MountInfo> covering_mount(const std::vector<MountInfo>& mounts, std::string_view path);

/// All mounts of this process's namespace; empty if they cannot be read.
std::vector<MountInfo> read_mounts();

/// `path` made absolute, "." and ".." and double slashes removed, without touching the filesystem.
std::string lexically_absolute(std::string_view path);

/// The mount of Weir that `path` lies in; absent when it is in none. Never touches a mount of Weir, so a dead or
/// hanging one does not block it. Symlinks that lead into a mount are followed.
std::optional<MountInfo> find_mount(const std::string& path);

}  // namespace weir::fuse
