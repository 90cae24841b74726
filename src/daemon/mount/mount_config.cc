#include "daemon/mount/mount_config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/limits.h"
#include "daemon/volume/format_volume.h"
#include "fuse/fusermount.h"
#include "fuse/mount.h"

namespace weir {

namespace {

Status check_free(const std::string& mount_point) {
  switch (fuse::probe_mount(mount_point, limits::kMountProbeMs)) {
    case fuse::MountLife::kAlive: {
      auto mount = fuse::find_mount(mount_point);
      return error(Code::kExists, "volume {} is mounted at {} already; unmount it with: weir umount {}",
                   mount ? mount->source : "another", mount_point, mount_point);
    }
    case fuse::MountLife::kSilent:
      return error(Code::kBusy, "the volume mounted at {} does not answer; remove it with: weir umount --lazy {}",
                   mount_point, mount_point);
    case fuse::MountLife::kNone:
    case fuse::MountLife::kDead: return {};
  }
  return {};
}

Status check_directory(const MountConfig& config) {
  const std::string& path = config.mount_point;
  struct stat attributes {};
  if (::stat(path.c_str(), &attributes) != 0) {
    if (errno == ENOENT && ::lstat(path.c_str(), &attributes) == 0)
      return error(Code::kNotFound, "mount point {} is a symlink that leads nowhere", path);
    if (errno == ENOENT)
      return error(Code::kNotFound, "mount point {} does not exist; make it with: mkdir -p {}", path, path);
    if (errno == ENOTCONN)
      return error(Code::kUnavailable, "another program's dead mount is at {}; remove it with: umount -l {}", path,
                   path);
    return errno_error(errno, fmt::format("look at mount point {}", path));
  }
  if (!S_ISDIR(attributes.st_mode)) return error(Code::kNotDirectory, "mount point {} is not a directory", path);
  std::error_code failure;
  bool empty = std::filesystem::is_empty(path, failure);
  if (!failure && !empty && !config.over_files)
    return error(Code::kNotEmpty,
                 "mount point {} is not empty; choose an empty directory, or hide its files with --nonempty", path);
  return {};
}

Status check_outside(const std::string& path, const MountConfig& config, std::string_view what) {
  if (path.empty()) return {};
  if (path == config.mount_point || path.starts_with(config.mount_point + "/"))
    return error(Code::kInvalid, "{} {} lies below mount point {}; choose one elsewhere", what, path,
                 config.mount_point);
  return check_outside_mounts(path, what);
}

}  // namespace

Result<bool> shares_locks(const MountConfig& config, bool shared_metadata) {
  if (config.locks == LockReach::kLocal) return false;
  if (config.locks == LockReach::kShared && !shared_metadata)
    return error(
        Code::kUnsupported,
        "the metadata at {} have one node, so locks cannot be shared with others; mount without --locks shared",
        config.metadata.display);
  return shared_metadata;
}

bool allow_other_of(const MountConfig& config) {
  return config.allow_other.value_or(::geteuid() == 0 || fuse::fusermount::user_allow_other());
}

Status check_mount_config(const MountConfig& config) {
  TRY(check_free(config.mount_point));
  if (fuse::probe_mount(config.mount_point, limits::kMountProbeMs) == fuse::MountLife::kNone)
    TRY(check_directory(config));
  TRY(check_outside(config.metadata.directory, config, "metadata directory"));
  TRY(check_outside(config.cache_directory, config, "cache directory"));
  return check_outside(config.log_file, config, "log file");
}

}  // namespace weir
