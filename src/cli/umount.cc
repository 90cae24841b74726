#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/file_descriptor.h"
#include "base/limits.h"
#include "base/size_text.h"
#include "cli/command.h"
#include "cli/mount_users.h"
#include "cli/option_checks.h"
#include "cli/target.h"
#include "daemon/json.h"
#include "fuse/mount.h"

namespace weir::cli {

namespace {

/// False when the time is over first.
bool wait_for_end(int64_t pid, int64_t timeout_ms) {
  FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
  if (!process.valid()) return true;  // gone already
  pollfd entry{process.get(), POLLIN, 0};
  return ::poll(&entry, 1, static_cast<int>(timeout_ms)) > 0;
}

/// "bash (12) and the mount at /data/inner"; empty when nobody is seen.
std::string describe_use(const std::string& mount_point) {
  std::string users = describe(users_of_mount(mount_point));
  for (const fuse::MountInfo& mount : fuse::read_mounts())
    if (mount.mount_point.starts_with(mount_point + "/"))
      users += fmt::format("{}the mount at {}", users.empty() ? "" : " and ", mount.mount_point);
  return users;
}

class Umount : public Command {
 public:
  Manual manual() const override {
    return {
        .name = "umount",
        .summary = "unmount a volume and end its daemon",
        .arguments = "PATH",
        .description =
            "Unmounts the volume that PATH (a path in the mount, or its metadata URL) belongs to, and returns when its "
            "daemon has ended. What was "
            "written is published first. Content that is not in the object store yet stays in the cache directory, and "
            "the "
            "next mount goes on uploading it; the command says how much that is.\n\n"
            "A volume that is in use is not unmounted, unless --lazy is given: then the name goes away at once, and "
            "the "
            "daemon serves what is open until it is closed. A dead mount, whose daemon was killed, is removed.",
        .examples = {"weir umount /data", "weir umount /data --lazy"},
    };
  }

  void add_options(CLI::App& app) override {
    app.add_option("PATH", path_, "The mount point, a path below it, or the metadata URL.")
        ->required()
        ->check(not_empty("the path"));
    app.add_flag("--lazy", lazy_, "Detach a volume that is in use.");
    app.add_option("--timeout", timeout_, "How long to wait for the daemon to end. Default: 60s.")
        ->type_name("TIME")
        ->check(duration_of_at_least(0));
  }

  Result<Outcome> run(bool) override {
    auto mount = fuse::find_mount(path_);
    if (mount) {
      switch (fuse::probe_mount(mount->mount_point, limits::kMountProbeMs)) {
        case fuse::MountLife::kDead: return remove_dead(mount->mount_point);
        case fuse::MountLife::kSilent: return detach_silent(mount->mount_point);
        case fuse::MountLife::kNone:
        case fuse::MountLife::kAlive: break;
      }
    }
    auto target = find_target(path_);
    if (!target && target.error().code == Code::kNotFound)
      return error(Code::kNotFound, "no Weir volume is mounted at {}", path_);
    TRY(target);
    if (!target->mounted()) return error(Code::kNotFound, "the volume of {} is not mounted", path_);
    return end_daemon(*target);
  }

 private:
  static Result<Outcome> remove_dead(const std::string& mount_point) {
    TRY(fuse::unmount(mount_point, fuse::UnmountMode::kLazy));
    Json json;
    json["mount_point"] = mount_point;
    json["dead"] = true;
    return Outcome{json_document(json), fmt::format("removed the dead mount at {}\n", mount_point), 0, ""};
  }

  Result<Outcome> detach_silent(const std::string& mount_point) const {
    if (!lazy_)
      return error(Code::kUnavailable,
                   "the volume mounted at {} does not answer; detach it with: weir umount --lazy {}", mount_point,
                   mount_point);
    TRY(fuse::unmount(mount_point, fuse::UnmountMode::kLazy));
    Json json;
    json["mount_point"] = mount_point;
    json["silent"] = true;
    return Outcome{json_document(json), fmt::format("detached {}; its daemon still runs\n", mount_point), 0, ""};
  }

  Result<Outcome> end_daemon(const Target& target) const {
    auto answer = ask(target, Json{{"command", "umount"}, {"lazy", lazy_}}, {});
    if (!answer && answer.error().code == Code::kBusy) {
      std::string users = describe_use(target.mount_point);
      return error(Code::kBusy, "{} is in use{}{}; end that, or detach the volume with: weir umount --lazy {}",
                   target.mount_point, users.empty() ? "" : " by ", users, target.mount_point);
    }
    TRY(answer);
    int64_t pid = static_cast<int64_t>(json_number(*answer, "pid").value_or(0));
    uint64_t unstored = json_number(*answer, "unstored_bytes").value_or(0);
    bool in_use = lazy_ && json_number(*answer, "open_handles").value_or(0) > 0;
    int64_t timeout_ms = parse_duration_ms(timeout_).value_or(limits::kStopMs);
    const bool ended =
        in_use || (wait_for_end(pid, timeout_ms) &&
                   wait_for_end(static_cast<int64_t>(json_number(*answer, "supervisor").value_or(0)), timeout_ms));
    if (!ended)
      return error(Code::kTimeout, "{} is unmounted, but its daemon (process {}) has not ended within {}",
                   target.mount_point, pid, timeout_);

    Json json;
    json["mount_point"] = target.mount_point;
    json["pid"] = pid;
    json["ended"] = !in_use;
    json["unstored_bytes"] = unstored;
    std::string text = fmt::format("{} {}\n", in_use ? "detached" : "unmounted", target.mount_point);
    if (in_use) text += fmt::format("files are still open; process {} ends when they are closed\n", pid);
    if (unstored > 0)
      text +=
          fmt::format("{} are not in the object store yet; the next mount goes on with them\n", format_bytes(unstored));
    return Outcome{json_document(json), text, 0, ""};
  }

  std::string path_;
  bool lazy_ = false;
  std::string timeout_ = "60s";
};

}  // namespace

std::unique_ptr<Command> make_umount() { return std::make_unique<Umount>(); }

}  // namespace weir::cli
