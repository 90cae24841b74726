#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/io.h"
#include "base/limits.h"
#include "cli/command.h"
#include "cli/mount_options.h"
#include "cli/option_checks.h"
#include "daemon/json.h"
#include "daemon/mount/daemon_record.h"
#include "daemon/mount/state_paths.h"
#include "daemon/volume/format_volume.h"
#include "fuse/mount.h"

namespace weir::cli {

namespace {

/// Everything but what `weir up` makes itself.
Result<bool> has_foreign_files(const std::string& directory) {
  std::error_code failure;
  for (std::filesystem::directory_iterator entry(directory, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    std::string name = entry->path().filename();
    if (name != "meta" && name != "store" && name != "cache" && name != "weir.log") return true;
  }
  if (failure) return errno_error(failure.value(), fmt::format("list {}", directory));
  return false;
}

class Up : public Command {
 public:
  Manual manual() const override {
    return {
        .name = "up",
        .summary = "create a volume on first use, and mount it",
        .arguments = "MOUNTPOINT",
        .description =
            "Makes a volume of one machine and mounts it at MOUNTPOINT. On first use it creates the state directory "
            "with "
            "metadata (meta/), an object store (store/) and a cache (cache/), and the mount point if it does not "
            "exist; later "
            "it goes on with the same volume. If the volume is mounted already, it says so and succeeds.\n\n"
            "The command returns when the mount answers. Its daemon runs in the background until 'weir umount "
            "MOUNTPOINT' and "
            "logs to weir.log in the state directory. Volumes for several machines, or with an object store of "
            "your own, are made by 'weir format' and mounted by 'weir mount'.",
        .examples = {"weir up /data", "weir up /data --dir /nvme/weir --cache-size 500GiB", "weir up ~/data"},
    };
  }

  void add_options(CLI::App& app) override {
    app.add_option("MOUNTPOINT", mount_point_, "Where the volume shall be.")
        ->required()
        ->check(not_empty("the mount point"));
    app.add_option("--dir", directory_,
                   "State directory. Default: /var/lib/weir/NAME for root, ~/.local/share/weir/NAME otherwise, with a "
                   "NAME made of the mount point's path.")
        ->type_name("DIR")
        ->check(not_empty("the directory"));
    options_.add_to(app);
  }

  bool serves() const override { return options_.foreground(); }

  Result<Outcome> run(bool) override {
    mount_point_ = resolved_mount_point(mount_point_);
    name_ = name_of_mount_point(mount_point_);
    if (name_.empty()) return error(Code::kInvalid, "a volume cannot be mounted at /");
    std::string directory = directory_.empty() ? state_home() + "/" + name_ : fuse::lexically_absolute(directory_);
    StatePaths paths(directory);
    ASSIGN_OR_RETURN(MetadataUrl metadata, parse_metadata_url(paths.metadata));

    ASSIGN_OR_RETURN(bool mounted, is_mounted_here(metadata));
    if (mounted) return outcome(metadata, paths, 0, false, true);
    MountConfig config = options_.config();
    config.metadata = metadata;
    config.mount_point = mount_point_;
    if (config.cache_directory.empty()) config.cache_directory = paths.cache;
    if (config.log_file.empty() && !options_.foreground()) config.log_file = paths.log;
    TRY(make_places(directory, paths, config));
    config.create = VolumeToCreate{paths.store, name_};
    ASSIGN_OR_RETURN(Launched launched, start_daemon(config, options_.foreground()));
    return outcome(metadata, paths, launched.pid, launched.created, false);
  }

 private:
  Result<bool> is_mounted_here(const MetadataUrl& metadata) {
    ASSIGN_OR_RETURN(auto daemon, read_live_daemon(metadata.directory));
    if (!daemon) return false;
    if (daemon->mount_point != mount_point_)
      return error(Code::kBusy, "the volume in {} is mounted at {} by process {}; unmount it there first",
                   metadata.directory, daemon->mount_point, daemon->pid);
    if (fuse::probe_mount(mount_point_, limits::kMountProbeMs) == fuse::MountLife::kAlive) return true;
    return error(Code::kBusy, "process {} is about to end its mount at {}; try again in a moment", daemon->pid,
                 mount_point_);
  }

  /// Directories that are missing. What is wrong with the mount point is found before anything is made elsewhere.
  Status make_places(const std::string& directory, const StatePaths& paths, const MountConfig& config) {
    TRY(check_outside_mounts(directory, "state directory"));
    if (directory == mount_point_ || directory.starts_with(mount_point_ + "/"))
      return error(Code::kInvalid, "state directory {} lies below mount point {}; choose one elsewhere", directory,
                   mount_point_);
    if (fuse::probe_mount(mount_point_, limits::kMountProbeMs) == fuse::MountLife::kNone) TRY(make_mount_point());
    TRY(check_mount_config(config));
    TRY(io::make_directories(directory, 0700));
    if (::access((paths.metadata + "/format").c_str(), F_OK) != 0) {
      ASSIGN_OR_RETURN(bool foreign, has_foreign_files(directory));
      if (foreign)
        return error(Code::kNotEmpty, "{} has files that are not Weir's; choose a directory of its own", directory);
    }
    return {};
  }

  Status make_mount_point() {
    struct stat attributes {};
    if (::lstat(mount_point_.c_str(), &attributes) == 0 || errno != ENOENT) return {};
    return io::make_directories(mount_point_, 0755);
  }

  Outcome outcome(const MetadataUrl& metadata, const StatePaths& paths, int64_t pid, bool created, bool already) {
    Json json;
    json["mount_point"] = mount_point_;
    json["metadata"] = metadata.display;
    json["created"] = created;
    json["already_mounted"] = already;
    if (!already) json["pid"] = pid;
    std::string text;
    if (already)
      text = fmt::format("volume {} is mounted at {} already\n", name_, mount_point_);
    else if (!options_.foreground())
      text = fmt::format("{}volume {} is mounted at {}\n",
                         created ? fmt::format("created a volume in {}\n",
                                               std::filesystem::path(paths.metadata).parent_path().string())
                                 : "",
                         name_, mount_point_);
    return {json_document(json), text, 0, ""};
  }

  std::string mount_point_;
  std::string directory_;
  std::string name_;
  MountOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_up() { return std::make_unique<Up>(); }

}  // namespace weir::cli
