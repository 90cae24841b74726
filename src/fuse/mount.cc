#include "fuse/mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "fuse/fusermount.h"

namespace weir::fuse {

namespace {

constexpr int kProbeTimeoutMs = 3000;
constexpr int kStackedMountsMax = 16;

bool is_root() { return ::geteuid() == 0; }

/// The uppermost mount of Weir exactly there.
std::optional<MountInfo> mount_at(const std::string& path) {
  std::optional<MountInfo> found = covering_mount(read_mounts(), path);
  if (found && found->mount_point == path && found->is_weir()) return found;
  return std::nullopt;
}

/// A dead mount point cannot be resolved, and need not be.
std::string resolve(const std::string& path) {
  const std::string absolute = lexically_absolute(path);
  if (mount_at(absolute)) return absolute;
  std::error_code failure;
  const std::filesystem::path resolved = std::filesystem::canonical(absolute, failure);
  return failure ? absolute : resolved.string();
}

/// Exit codes of the probing child.
constexpr int kAnswered = 0;
constexpr int kDisconnected = 1;

MountLife await_probe(pid_t child, int timeout_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  int status = 0;
  while (true) {
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child)
      return WIFEXITED(status) && WEXITSTATUS(status) == kDisconnected ? MountLife::kDead : MountLife::kAlive;
    if (ended < 0 && errno != EINTR) return MountLife::kSilent;
    if (std::chrono::steady_clock::now() >= deadline) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, WNOHANG);
  return MountLife::kSilent;
}

Status clear_dead_mounts(const std::string& path) {
  for (int cleared = 0; cleared < kStackedMountsMax; ++cleared) {
    const std::optional<MountInfo> found = mount_at(path);
    if (!found) return {};
    switch (probe_mount(path, kProbeTimeoutMs)) {
      case MountLife::kNone: return {};
      case MountLife::kAlive: return error(Code::kExists, "{} is already a mount of volume {}", path, found->source);
      case MountLife::kSilent:
        return error(Code::kBusy, "{} is a mount of volume {} that does not answer; unmount it with force first", path,
                     found->source);
      case MountLife::kDead: break;
    }
    log::info("clear {} of a dead mount of volume {}", path, found->source);
    TRY(unmount(path, UnmountMode::kLazy));
  }
  return error(Code::kBusy, "{} has too many dead mounts on it", path);
}

Status check_mount_point(const MountOptions& options, const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return error(Code::kNotFound, "the mount point {} does not exist; create it first", path);
    if (errno == ENOTCONN) {
      return error(Code::kUnavailable, "{} is the dead mount of another program; unmount it first", path);
    }
    return errno_error(errno, "look at the mount point " + path);
  }
  if (!S_ISDIR(status.st_mode)) return error(Code::kNotDirectory, "the mount point {} is not a directory", path);
  std::error_code failure;
  if (!options.over_files && !std::filesystem::is_empty(path, failure) && !failure) {
    return error(Code::kNotEmpty,
                 "the mount point {} is not empty, and its files would be hidden; choose an empty directory", path);
  }
  return {};
}

int unmount_flags(UnmountMode mode) {
  switch (mode) {
    case UnmountMode::kClean: return UMOUNT_NOFOLLOW;
    case UnmountMode::kLazy: return UMOUNT_NOFOLLOW | MNT_DETACH;
    case UnmountMode::kForce: return UMOUNT_NOFOLLOW | MNT_DETACH | MNT_FORCE;
  }
  return UMOUNT_NOFOLLOW;
}

Result<FileDescriptor> open_device() {
  FileDescriptor device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (device.valid()) return device;
  switch (errno) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
      return error(
          Code::kNotFound,
          "there is no /dev/fuse; load the kernel's module with \"modprobe fuse\", or start the container with "
          "--device /dev/fuse");
    case EACCES:
    case EPERM:
      return error(Code::kAccess, "/dev/fuse may not be opened here; start the container with --device /dev/fuse");
    default: return errno_error(errno, "open /dev/fuse");
  }
}

Result<FileDescriptor> mount_as_root(const MountOptions& options, const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor device, open_device());
  std::string data = fmt::format("fd={},rootmode=40000,user_id={},group_id={},default_permissions{}", device.get(),
                                 ::geteuid(), ::getegid(), options.allow_other ? ",allow_other" : "");
  const unsigned long flags = MS_NOSUID | MS_NODEV | (options.read_only ? static_cast<unsigned long>(MS_RDONLY) : 0UL);
  const std::string type(kFileSystemType);
  if (::mount(options.volume.c_str(), path.c_str(), type.c_str(), flags, data.c_str()) == 0) return device;
  switch (errno) {
    case EPERM:
    case EACCES:
      return error(Code::kPermission,
                   "mounting {} is not permitted; in a container, start it with --cap-add SYS_ADMIN --device /dev/fuse",
                   path);
    case ENODEV: return error(Code::kUnsupported, "this kernel has no FUSE; load it with \"modprobe fuse\"");
    default: return errno_error(errno, "mount " + path);
  }
}

Result<FileDescriptor> mount_as_user(const MountOptions& options, const std::string& path) {
  if (options.allow_other && !fusermount::user_allow_other()) {
    return error(
        Code::kPermission,
        "/etc/fuse.conf does not let ordinary users share a mount with others; add the line user_allow_other to "
        "it, or mount for yourself alone");
  }
  return fusermount::mount(
      path, fmt::format("{},nosuid,nodev,fsname={},subtype=weir,default_permissions{}", options.read_only ? "ro" : "rw",
                        fusermount::escape_option(options.volume), options.allow_other ? ",allow_other" : ""));
}

}  // namespace

MountLife probe_mount(const std::string& mount_point, int timeout_ms) {
  const std::string path = resolve(mount_point);
  if (!mount_at(path)) return MountLife::kNone;
  // A process of its own, because nothing else can be left behind when statfs never returns. In the child only calls
  // that are safe after a fork of a threaded process.
  const char* child_path = path.c_str();
  const pid_t child = ::fork();
  if (child < 0) return MountLife::kSilent;
  if (child == 0) {
    struct statfs ignored {};
    const bool answered = ::statfs(child_path, &ignored) == 0 || (errno != ENOTCONN && errno != ECONNABORTED);
    ::_exit(answered ? kAnswered : kDisconnected);
  }
  return await_probe(child, timeout_ms);
}

Result<FileDescriptor> mount(const MountOptions& options) {
  const std::string path = resolve(options.mount_point);
  TRY(clear_dead_mounts(path));
  TRY(check_mount_point(options, path));
  return is_root() ? mount_as_root(options, path) : mount_as_user(options, path);
}

Status unmount(const std::string& mount_point, UnmountMode mode) {
  const std::string path = resolve(mount_point);
  if (!mount_at(path)) return error(Code::kNotFound, "{} is not a mount of Weir", path);
  const Status done = [&]() -> Status {
    if (!is_root()) return fusermount::unmount(path, mode != UnmountMode::kClean);
    if (::umount2(path.c_str(), unmount_flags(mode)) == 0) return {};
    return errno_error(errno, "unmount " + path);
  }();
  if (!done && done.error().code == Code::kBusy) {
    return error(Code::kBusy,
                 "{} is in use; end the programs that use it (\"fuser -vm {}\" lists them) or unmount lazily", path,
                 path);
  }
  return done;
}

bool raise_read_ahead(const std::string& mount_point) {
  const std::optional<MountInfo> found = mount_at(resolve(mount_point));
  if (!found) return false;
  const std::string path = fmt::format("/sys/class/bdi/{}:{}/read_ahead_kb", found->device_major, found->device_minor);
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file.valid() && io::write_at(file.get(), std::to_string(limits::kFuseReadAheadBytes / 1024), 0).has_value();
}

}  // namespace weir::fuse
