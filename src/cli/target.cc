#include "cli/target.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/limits.h"
#include "daemon/commands/commands.h"
#include "daemon/control/client.h"
#include "daemon/control/line_socket.h"
#include "daemon/mount/daemon_record.h"
#include "daemon/mount/state_paths.h"
#include "daemon/volume/node_lease.h"
#include "daemon/volume/open_volume.h"
#include "daemon/volume/process_identity.h"
#include "fuse/mount.h"
#include "kv/engine.h"

namespace weir::cli {

namespace {

constexpr const char* kControlAttribute = "user.weir.control";
constexpr int kDaemonsAsked = 40;  // one after the other, of a mount whose daemons keep dying
constexpr int64_t kLookAgainMs = 50;
constexpr int kLooks = 200;  // 10 s: a daemon that goes on does the requests of the one before first

/// The mount of the whole volume, where `mount` is a bind mount of a part of it.
fuse::MountInfo whole_mount(const fuse::MountInfo& mount) {
  if (mount.root == "/") return mount;
  for (const fuse::MountInfo& other : fuse::read_mounts())
    if (other.device_major == mount.device_major && other.device_minor == mount.device_minor && other.root == "/")
      return other;
  return mount;
}

Result<Target> target_of_mount(const fuse::MountInfo& found) {
  fuse::MountInfo mount = whole_mount(found);
  switch (fuse::probe_mount(mount.mount_point, limits::kMountProbeMs)) {
    case fuse::MountLife::kDead:
      return error(Code::kUnavailable,
                   "the daemon of {} is gone; mount the volume again, or remove the dead mount with: weir umount {}",
                   mount.mount_point, mount.mount_point);
    case fuse::MountLife::kSilent:
      return error(Code::kUnavailable, "the volume mounted at {} does not answer; look into the daemon's log",
                   mount.mount_point);
    case fuse::MountLife::kNone:
    case fuse::MountLife::kAlive: break;
  }
  char control[256];
  ssize_t length = ::getxattr(mount.mount_point.c_str(), kControlAttribute, control, sizeof control);
  if (length <= 0)
    return error(Code::kUnavailable, "the volume mounted at {} does not say where its daemon listens",
                 mount.mount_point);
  return Target{std::string(control, static_cast<size_t>(length)), mount.mount_point, std::nullopt};
}

bool holds_metadata(const std::string& directory) { return ::access((directory + "/format").c_str(), F_OK) == 0; }

/// A process on this machine that has a shared volume mounted; nothing if nobody has, or another machine.
Result<std::optional<Target>> local_mount_of_shared(const MetadataUrl& metadata) {
  ASSIGN_OR_RETURN(std::unique_ptr<kv::Engine> engine, kv::open_engine(metadata.url, false));
  ASSIGN_OR_RETURN(std::vector<KnownNode> nodes, all_nodes(*engine));
  for (const auto& [id, info] : nodes) {
    if (!info.active || info.mount_point.empty() || info.host != this_host() || is_surely_dead(info.process)) continue;
    auto mount = fuse::find_mount(info.mount_point);
    if (!mount) continue;
    ASSIGN_OR_RETURN(Target target, target_of_mount(*mount));
    return target;
  }
  return std::nullopt;
}

Result<Target> target_of_metadata(const MetadataUrl& metadata) {
  if (metadata.embedded()) {
    ASSIGN_OR_RETURN(auto daemon, read_live_daemon(metadata.directory));
    if (daemon) return Target{daemon->control_path, daemon->mount_point, std::nullopt};
  } else {
    ASSIGN_OR_RETURN(auto local, local_mount_of_shared(metadata));
    if (local) return *local;
  }
  return Target{"", "", metadata};
}

}  // namespace

Result<Target> find_target(const std::string& text) {
  if (!looks_like_url(text)) {
    if (auto mount = fuse::find_mount(text)) return target_of_mount(*mount);
    std::string path = fuse::lexically_absolute(text);
    std::string of_mount_point = StatePaths(state_home() + "/" + name_of_mount_point(path)).metadata;
    for (const std::string& directory : {path, StatePaths(path).metadata, of_mount_point}) {
      if (!holds_metadata(directory)) continue;
      ASSIGN_OR_RETURN(MetadataUrl metadata, parse_metadata_url(directory));
      return target_of_metadata(metadata);
    }
    return error(Code::kNotFound,
                 "{} is neither in a mounted Weir volume nor a metadata directory; name a path below a mount point, or "
                 "a metadata URL",
                 text);
  }
  ASSIGN_OR_RETURN(MetadataUrl metadata, parse_metadata_url(text));
  return target_of_metadata(metadata);
}

Result<LivePath> find_live_path(const std::string& path) {
  auto mount = fuse::find_mount(path);
  if (!mount) {
    struct stat attributes {};
    if (::lstat(path.c_str(), &attributes) != 0 && errno == ENOENT)
      return error(Code::kNotFound, "{} does not exist", path);
    return error(Code::kNotFound, "{} is not in a mounted Weir volume", path);
  }
  ASSIGN_OR_RETURN(Target target, target_of_mount(*mount));
  struct stat attributes {};
  if (::stat(path.c_str(), &attributes) != 0) {
    if (errno == ENOENT) return error(Code::kNotFound, "{} does not exist", path);
    return errno_error(errno, fmt::format("look at {}", path));
  }
  if (attributes.st_dev != ::makedev(mount->device_major, mount->device_minor))
    return error(Code::kNotFound, "{} leads out of the Weir volume mounted at {}", path, mount->mount_point);
  return LivePath{std::move(target), path, attributes.st_ino};
}

/// Asks the daemon that serves the mount now, once it listens: another one than when the target was found, if that died
/// meanwhile. `control_path` becomes the one that was asked.
static Result<Json> ask_listening(const Target& target, std::string& control_path, const Json& request,
                                  const ReportProgress& progress) {
  for (int attempt = 0; attempt < kLooks; ++attempt) {
    auto socket = LineSocket::connect(control_path, limits::kControlReplyBytes, 0);
    const bool gone = !socket && (socket.error().code == Code::kUnavailable || socket.error().code == Code::kNotFound);
    auto mount = gone ? fuse::find_mount(target.mount_point) : std::nullopt;
    if (!mount) break;
    auto now = target_of_mount(*mount);
    if (!now) break;
    // The kernel is answered some moments before commands are.
    if (now->control_path == control_path) SystemClock().sleep_ms(kLookAgainMs);
    control_path = now->control_path;
  }
  return ask_daemon(control_path, request, progress);
}

Result<Json> ask(const Target& target, const Json& request, const ReportProgress& progress) {
  if (!target.mounted()) {
    ReportProgress keep_on = [&](const Json& report) { return !progress || progress(report); };
    return run_unmounted_command(*target.metadata, request, keep_on);
  }
  std::string control_path = target.control_path;
  auto result = ask_listening(target, control_path, request, progress);
  for (int attempt = 0; attempt < kDaemonsAsked && !result && result.error().code == Code::kUnavailable; ++attempt) {
    // If another daemon has gone on with the mount, it does the work of the first, or does it again.
    const std::string before = control_path;
    auto again = ask_listening(target, control_path, request, progress);
    if (control_path == before) break;
    result = std::move(again);
  }
  if (!result && (result.error().code == Code::kAccess || result.error().code == Code::kPermission))
    return error(Code::kAccess, "only root and the user who mounted {} may do this", target.mount_point);
  if (!result && result.error().code == Code::kNotFound && ::access(control_path.c_str(), F_OK) != 0)
    return error(Code::kUnavailable, "the daemon of {} cannot be reached at {}", target.mount_point, control_path);
  return result;
}

}  // namespace weir::cli
