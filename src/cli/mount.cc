#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/mount_options.h"
#include "cli/option_checks.h"
#include "daemon/json.h"
#include "daemon/mount/state_paths.h"

namespace weir::cli {

namespace {

class Mount : public Command {
 public:
  Manual manual() const override {
    return {
        .name = "mount",
        .summary = "mount a volume",
        .arguments = "META_URL MOUNTPOINT",
        .description =
            "Mounts the volume whose metadata is at META_URL (a directory, rocksdb:///path or postgres://...) at the "
            "empty "
            "directory MOUNTPOINT, and returns when the mount answers. The daemon that serves it runs in the "
            "background until "
            "'weir umount MOUNTPOINT', or with --foreground in this process until SIGTERM or SIGINT.\n\n"
            "A volume in PostgreSQL can be mounted on many machines, each with a cache directory of its own; one with "
            "embedded metadata is mounted once. A mount that a killed daemon left behind is cleaned away, and what was "
            "closed before is there again.\n\n"
            "Of a volume whose contents are in S3, the daemon takes credentials, proxies and AWS_CA_BUNDLE from the "
            "environment of this command, from a profile of ~/.aws/credentials, or from the machine.",
        .examples = {"weir mount /srv/weir/meta /data",
                     "weir mount postgres://weir@db/weir /data --cache-dir /nvme/weir --cache-size 2TiB",
                     "weir mount --foreground /srv/weir/meta /data   # in a systemd unit of Type=notify"},
    };
  }

  void add_options(CLI::App& app) override {
    app.add_option("META_URL", metadata_, "The metadata of the volume.")->required()->check(metadata_url());
    app.add_option("MOUNTPOINT", mount_point_, "An empty directory.")->required()->check(not_empty("the mount point"));
    options_.add_to(app);
  }

  bool serves() const override { return options_.foreground(); }

  Result<Outcome> run(bool) override {
    ASSIGN_OR_RETURN(MetadataUrl metadata, parse_metadata_url(metadata_));
    MountConfig config = options_.config();
    config.metadata = metadata;
    config.mount_point = resolved_mount_point(mount_point_);
    if (config.mount_point == "/") return error(Code::kInvalid, "a volume cannot be mounted at /");
    if (config.log_file.empty() && !options_.foreground())
      config.log_file = StatePaths(state_home() + "/" + name_of_mount_point(config.mount_point)).log;
    // Before the daemon makes its log and takes the volume: what is wrong with the places costs nothing then.
    TRY(check_mount_config(config));
    ASSIGN_OR_RETURN(Launched launched, start_daemon(config, options_.foreground()));
    Json json;
    json["mount_point"] = config.mount_point;
    json["metadata"] = metadata.display;
    json["pid"] = launched.pid;
    std::string text = options_.foreground() ? "" : fmt::format("mounted at {}\n", config.mount_point);
    return Outcome{json_document(json), text, 0, ""};
  }

 private:
  std::string metadata_;
  std::string mount_point_;
  MountOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_mount() { return std::make_unique<Mount>(); }

}  // namespace weir::cli
